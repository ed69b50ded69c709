"""A contract, its assets and its owners."""

from typing import Any, cast

import httpx
import pytest
from psycopg import sql

from ft.api.collections.lookups import COLLECTIONS
from ft.api.http.database import rows_of
from tests.integration.api.world import NETWORK, ZERO, World, address

CONTRACT, ALICE, BOB = address(0xC0), address(0xA), address(0xB)
URL = f"/api/v1/collections/{NETWORK}:{CONTRACT}"
LISTED = f"/api/v1/collections?network={NETWORK}"


async def test_a_collection_shows_what_project_counted_and_as_of_which_block(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, owners=1, assets=1, supply=1, transfers=2, mints=3, burns=1, first_block=4, last_block=10)
    world.heads(100, safe=50, finalized=20)
    world.head("project", world.partition(CONTRACT), 40, safe=30, finalized=5)

    body = (await client.get(URL)).raise_for_status().json()

    assert (body["id"], body["standard"], body["is_stub"]) == (f"{NETWORK}:{CONTRACT}", "erc721", True)
    assert body["stats"] == {
        "owners": 1,
        "assets": 1,
        "supply": "1",
        "transfers": 2,
        "mints": 3,
        "burns": 1,
        "first_block": 4,
        "last_block": 10,
        "finality_status": "confirmed",
        "as_of": body["stats"]["as_of"],
        "reason": None,
    }
    assert (body["stats"]["as_of"]["block_number"], body["as_of"]["block_number"]) == (40, 100)


async def test_a_collection_that_project_has_not_reached_is_counted_from_the_ledger(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.mint(CONTRACT, 8, ALICE, 11)
    world.heads(100)
    world.head("project", world.partition(CONTRACT), 9)

    stats = (await client.get(URL)).raise_for_status().json()["stats"]

    assert (stats["owners"], stats["assets"], stats["supply"], stats["last_block"]) == (1, 2, "2", 11)
    assert (stats["transfers"], stats["mints"], stats["burns"], stats["reason"]) == (None, None, None, "not_counted")


async def test_counters_amid_a_large_block_are_null_unless_it_did_not_touch_them_yet(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 41)
    world.counted(CONTRACT, owners=1, assets=1, supply=1601, mints=1601, last_block=41)
    world.heads(100, safe=50, finalized=45)

    for head, open_block, whole in ((41, 41, 40), (40, 41, 40), (43, 42, 41), (42, 42, 41), (41, None, 41)):
        world.head("project", world.partition(CONTRACT), head, safe=40, finalized=40, open_block=open_block)
        body = (await client.get(URL)).raise_for_status().json()
        stats, own = body["stats"], body["stats"]["as_of"]

        assert (stats["supply"], stats["mints"], stats["reason"]) == (
            (None, None, "block_incomplete") if open_block == 41 else ("1601", 1601, None)
        )
        assert (body["as_of"]["block_number"], own["block_number"]) == (100, whole)
        assert stats["finality_status"] == "pending"


async def test_counters_are_null_until_project_has_come_to_what_was_written_late(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, owners=1, assets=1, supply=1, mints=1, last_block=10)
    world.heads(100, finalized=45)
    world.written_late(CONTRACT, 5)
    found = []

    for next_seq in (5, 6):
        world.projected(CONTRACT, next_seq)
        one = await client.get(URL)
        body, listed = one.raise_for_status().json(), (await client.get(LISTED)).raise_for_status().json()
        found.append([(each["stats"]["supply"], each["stats"]["reason"]) for each in (body, *listed["data"])])
        same = await client.get(URL, headers={"If-None-Match": one.headers["ETag"]})
        assert same.status_code == 304

    assert found == [[(None, "block_incomplete")] * 2, [("1", None)] * 2]


async def test_what_is_written_late_of_one_collection_leaves_the_others_counted(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1)
    world.heads(100)
    other = next(c for c in map(address, range(0xC1, 0x1C1)) if world.partition(c) == world.partition(CONTRACT))
    world.written_late(other, 5)
    world.projected(CONTRACT, 5)

    stats = (await client.get(URL)).raise_for_status().json()["stats"]

    assert (stats["mints"], stats["reason"], stats["as_of"]) == (1, None, None)


async def test_a_collection_that_only_late_events_tell_of_is_there_before_project_has_them(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    world.counted(CONTRACT)
    world.written_late(CONTRACT, 1)
    world.projected(CONTRACT, 1)

    stats = (await client.get(URL)).raise_for_status().json()["stats"]

    assert (stats["owners"], stats["supply"], stats["mints"], stats["reason"]) == (1, "1", None, "not_counted")


async def test_counters_of_the_answers_block_have_no_as_of_of_their_own(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1, last_block=10)
    world.heads(100, finalized=45)

    stats = (await client.get(URL)).raise_for_status().json()["stats"]

    assert (stats["as_of"], stats["reason"], stats["finality_status"]) == (None, None, "finalized")


@pytest.mark.parametrize(
    ("behind", "head", "open_block"), [("ledger", 99, None), ("project", 99, None), ("project", 100, 100)]
)
async def test_a_collection_waits_for_the_whole_block_of_ledger_and_project(
    world: World, client: httpx.AsyncClient, behind: str, head: int, open_block: int | None
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1)
    world.heads(100)
    world.head(behind, world.partition(CONTRACT), head, open_block=open_block)

    late = await client.get(URL, headers={"X-Min-Block": f"{NETWORK}:100"})
    there = await client.get(URL, headers={"X-Min-Block": f"{NETWORK}:99"})

    assert (late.status_code, late.json()["as_of"]["block_number"], there.status_code) == (409, 99, 200)


async def test_a_collection_of_events_that_move_nothing_is_known(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 9, ZERO, ZERO, 10)
    world.heads(100)

    stats = (await client.get(URL)).raise_for_status().json()["stats"]
    lists = [(await client.get(URL + more)).raise_for_status().json()["data"] for more in ("/assets", "/owners")]

    assert (stats["supply"], stats["owners"], stats["assets"], lists) == ("0", 0, 0, [[], []])


async def test_the_counters_of_a_contract_whose_events_moved_nothing_are_0_once_project_is_there(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 9, ALICE, BOB, 10, quantity=0, standard="erc1155")
    world.heads(100)
    stats = [(await client.get(URL)).raise_for_status().json()["stats"]]
    world.head("project", world.partition(CONTRACT), 99)
    stats.append((await client.get(URL)).raise_for_status().json()["stats"])

    names = ("owners", "assets", "supply", "transfers", "mints", "burns", "first_block", "reason")
    assert [[each[name] for name in names] for each in stats] == [
        [0, 0, "0", 0, 0, 0, None, "nothing_moved"],
        [0, 0, "0", None, None, None, None, "not_counted"],
    ]


async def test_what_project_has_yet_to_undo_is_known_no_more(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ZERO, ALICE, 10, op="revert", revision=2)
    world.counted(CONTRACT, mints=1, supply=1, owners=1, assets=1)
    world.owns(CONTRACT, 7, ZERO, -1)
    world.heads(100)
    world.head("project", world.partition(CONTRACT), 99)

    assert [(await client.get(URL + more)).status_code for more in ("", "/assets", "/owners")] == [404] * 3


async def test_an_unknown_collection_is_pending(world: World, client: httpx.AsyncClient) -> None:
    world.heads(100)

    answers = [await client.get(URL + more) for more in ("", "/assets", "/owners")]

    assert [(answer.status_code, answer.headers["X-Data-Status"]) for answer in answers] == [(404, "pending")] * 3
    assert {answer.json()["code"] for answer in answers} == {"collection_not_found"}


async def test_a_collection_whose_events_were_all_taken_back_is_pending(
    world: World, client: httpx.AsyncClient
) -> None:
    world.counted(CONTRACT)
    world.owns(CONTRACT, 7, ZERO, 10)
    world.heads(100)

    assert [(await client.get(URL + more)).status_code for more in ("", "/assets", "/owners")] == [404] * 3


async def test_owners_add_up_all_they_hold(world: World, client: httpx.AsyncClient) -> None:
    for token, account, quantity in ((1, ALICE, 5), (2, ALICE, 2**255), (3, ALICE, 2**255), (1, BOB, 4), (2, ZERO, 9)):
        world.owns(CONTRACT, token, account, 10, standard="erc1155", quantity=quantity)
    world.heads(100)

    rows = (await client.get(f"{URL}/owners")).json()["data"]

    assert [(row["owner"], row["quantity"], row["assets"]) for row in rows] == [
        (ALICE, str(2**256 + 5), 3),
        (BOB, "4", 1),
    ]


async def test_owners_are_walked_exactly_once_while_rows_arrive(world: World, client: httpx.AsyncClient) -> None:
    for number in range(10, 60):
        world.owns(CONTRACT, number, address(number), 10)
    world.heads(100)

    seen, cursor = [], cast(str | None, "")
    while cursor is not None:
        body = (await client.get(f"{URL}/owners?limit=7{cursor and '&cursor=' + cursor}")).json()
        seen += [row["owner"] for row in body["data"]]
        cursor = body["page"]["next_cursor"]
        world.owns(CONTRACT, 1000 + len(seen), address(len(seen) // 7), 11)

    kept = [owner for owner in seen if int(owner, 16) >= 10]
    assert kept == [address(number) for number in range(10, 60)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("limit", [1, 50])
async def test_a_page_of_owners_costs_what_it_shows_however_many_hold_the_collection(
    world: World, client: httpx.AsyncClient, limit: int
) -> None:
    world.run(
        "INSERT INTO market.ownership_current (network, contract, token_id, slot, account, quantity, since,"
        " block_number, log_index, sub_index, standard)"
        " SELECT %s, %s, g, '', CASE WHEN g < 3000 THEN '0x' || lpad(to_hex(g / 4 + 1), 40, '0') ELSE %s END,"
        " 1, now(), 10, 0, 0, 'erc721' FROM generate_series(0, 5999) g",
        NETWORK, CONTRACT, ZERO,
    )  # fmt: skip
    world.run("ANALYZE market.ownership_current")
    world.heads(100)
    asked: list[dict[str, Any]] = []

    async def noted(conn: Any, query: str, kind: Any, parameters: Any) -> Any:
        if query == COLLECTIONS["collection_owners"]:
            asked.append(dict(parameters))
        return await rows_of(conn, query, kind, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft.api.collections.reads.rows_of", noted)
        body = (await client.get(f"{URL}/owners?limit={limit}")).raise_for_status().json()
    world.conn.execute(
        f"PREPARE owners (text, text, text, bigint) AS {numbered(COLLECTIONS['collection_owners'])}".encode()
    )
    plans = []
    for mode in ("force_custom_plan", "force_generic_plan"):  # whichever of the two Postgres comes to keep
        world.conn.execute(f"SET plan_cache_mode = {mode}".encode())
        values = [asked[0][name] for name in ("network", "contract", "after", "rows")]
        query = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE owners ({})").format(
            sql.SQL(", ").join(map(sql.Literal, values))
        )
        plans.append(world.conn.execute(query).fetchone())

    assert [(row["owner"], row["assets"]) for row in body["data"]] == [(address(n + 1), 4) for n in range(limit)]
    assert [sum(touched(plan[0][0]["Plan"])) for plan in plans if plan] == [4 * (limit + 1) + 1] * 2


def numbered(query: str) -> str:
    """With numbers for the parameters of a page of owners, as a statement that is prepared by name wants them."""
    for number, name in enumerate(("network", "contract", "after", "rows"), 1):
        query = query.replace(f"%({name})s", f"${number}")
    return query


def touched(node: dict[str, Any]) -> list[float]:
    """The rows that each scan of a plan looked at."""
    looked = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    own = [looked] if "Relation Name" in node else []
    return own + [rows for below in node.get("Plans", []) for rows in touched(below)]


async def test_assets_are_walked_in_the_order_of_their_numbers(world: World, client: httpx.AsyncClient) -> None:
    tokens = [0, 1, 2, 9, 10, 11, 100, 2**64, 2**255, 2**256 - 1]
    for token in reversed(tokens):
        for account in (ALICE, BOB):
            world.owns(CONTRACT, token, account, 10, standard="erc1155", quantity=2)
    world.owns(CONTRACT, 5, ZERO, 10)
    world.heads(100)

    seen, cursor = [], cast(str | None, "")
    while cursor is not None:
        body = (await client.get(f"{URL}/assets?limit=3{cursor and '&cursor=' + cursor}")).json()
        seen += [(asset["token_id"], asset["supply"], asset["owners"]) for asset in body["data"]]
        cursor = body["page"]["next_cursor"]

    assert seen == [(str(token), "4", 2) for token in tokens]


async def test_a_collection_answers_not_modified(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    etag = (await client.get(URL)).headers["ETag"]

    unchanged = await client.get(URL, headers={"If-None-Match": etag})
    world.counted(CONTRACT, mints=1)
    changed = await client.get(URL, headers={"If-None-Match": etag})

    assert (unchanged.status_code, changed.status_code) == (304, 200)
