"""One NFT as the API shows it."""

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from ft.schemas import ids
from tests.integration.api.world import NETWORK, ZERO, World, address, block_hash, block_time

CONTRACT, ALICE, BOB = address(0xC0), address(0xA), address(0xB)
URL = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7"
BIG = 2**256 - 1


async def test_an_asset_names_its_holder_since_when_and_how_final(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100, safe=50, finalized=9)

    body = (await client.get(URL)).raise_for_status().json()

    assert body["asset_id"] == f"{NETWORK}:{CONTRACT}:7"
    assert body["id"] == str(ids.asset_uuid(body["asset_id"]))
    assert (body["network"], body["contract"], body["token_id"]) == (NETWORK, CONTRACT, "7")
    assert body["standard"] == "erc721"
    assert body["is_stub"] is True
    assert (body["supply"], body["owners"]) == ("1", 1)
    assert body["ownership"] == {
        "holder": ALICE,
        "beneficial_owner": ALICE,
        "quantity": "1",
        "custody": None,
        "acquired_at": block_time(10).isoformat().replace("+00:00", "Z"),
        "finality_status": "confirmed",
    }
    assert [body[name] for name in ("market", "rarity", "spam", "trust", "metadata", "image")] == [None] * 6
    assert body["collection"] == {"id": f"{NETWORK}:{CONTRACT}", "name": None, "slug": None}


async def test_as_of_is_the_head_of_the_partition_that_holds_the_asset(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100, safe=50, finalized=20)
    world.head("ledger", world.partition(CONTRACT), 40, safe=30, finalized=5)

    body = (await client.get(URL)).json()

    as_of = body["as_of"]
    assert (as_of["network"], as_of["block_number"], as_of["block_hash"]) == (NETWORK, 40, block_hash(40))
    assert datetime.fromisoformat(as_of["block_time"]) == block_time(40)
    assert as_of["finality_status"] == "pending"
    assert as_of["lag_ms"] > 0
    assert body["ownership"]["finality_status"] == "confirmed"


@pytest.mark.parametrize(("block", "status"), [(5, "finalized"), (6, "confirmed"), (30, "confirmed"), (31, "pending")])
async def test_finality_follows_the_marks(world: World, client: httpx.AsyncClient, block: int, status: str) -> None:
    world.mint(CONTRACT, 7, ALICE, block)
    world.heads(100, safe=30, finalized=5)

    assert (await client.get(URL)).json()["ownership"]["finality_status"] == status


async def test_every_spelling_of_an_id_finds_the_same_asset(world: World, client: httpx.AsyncClient) -> None:
    contract = "0x" + "aB" * 20
    world.mint(contract.lower(), 7, ALICE, 10)
    uuid = world.catalogued(contract.lower(), 7)
    spellings = [
        f"{NETWORK}:{contract}:7",
        f"{NETWORK}:{contract.lower()}:7",
        f"{NETWORK}:{contract.upper()}:7",
        f"{NETWORK}%3A{contract}%3A7",
        uuid,
        uuid.upper(),
        uuid.replace("-", ""),
    ]

    found = [(await client.get(f"/api/v1/assets/{spelling}")).json()["asset_id"] for spelling in spellings]

    assert set(found) == {f"{NETWORK}:{contract.lower()}:7"}


async def test_an_account_of_256_bits_is_a_decimal_string(world: World, client: httpx.AsyncClient) -> None:
    for account in (ALICE, BOB):
        world.mint(CONTRACT, BIG, account, 10, standard="erc1155", quantity=BIG)

    body = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:{BIG}")).json()

    assert body["token_id"] == str(BIG)
    assert body["supply"] == str(2 * BIG)


async def test_a_token_of_many_holders_has_no_sole_holder(world: World, client: httpx.AsyncClient) -> None:
    for account, quantity in ((ALICE, 3), (BOB, 4)):
        world.mint(CONTRACT, 7, account, 10, standard="erc1155", quantity=quantity)

    body = (await client.get(URL)).json()

    assert body["ownership"] is None
    assert (body["supply"], body["owners"]) == ("7", 2)


async def test_a_token_of_many_with_one_holder_left_names_it(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10, standard="erc1155", quantity=3)
    world.owns(CONTRACT, 7, BOB, 10, standard="erc1155", quantity=0)

    body = (await client.get(URL)).json()

    assert (body["ownership"]["holder"], body["ownership"]["quantity"]) == (ALICE, "3")


async def test_what_was_never_seen_is_pending(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 8, ALICE, 10)

    answers = [await client.get(URL + more) for more in ("", "/owners", "/history", "/owners?at_block=0")]
    answers.append(await client.get("/api/v1/assets/11111111-2222-3333-4444-555555555555"))
    world.heads(1)
    answers.append(await client.get(URL + "/owners?at_block=0"))

    assert [answer.status_code for answer in answers] == [404, 404, 404, 409, 404, 404]
    seen = [answer for answer in answers if answer.status_code == 404]
    assert {answer.headers["X-Data-Status"] for answer in seen} == {"pending"}
    assert {answer.json()["code"] for answer in seen} == {"asset_not_found"}


async def test_a_mint_that_was_taken_back_leaves_no_asset(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ZERO, ALICE, 10, op="revert", revision=2)
    world.owns(CONTRACT, 7, ZERO, 10)

    answer = await client.get(URL)

    assert (answer.status_code, answer.headers["X-Data-Status"]) == (404, "pending")


async def test_a_burned_asset_is_known_and_belongs_to_nobody(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ALICE, ZERO, 11)
    world.owns(CONTRACT, 7, ZERO, 11)

    asset, holders, history = [(await client.get(URL + more)).json() for more in ("", "/owners", "/history")]

    assert (asset["ownership"], asset["supply"], asset["owners"]) == (None, "0", 0)
    assert holders["data"] == []
    assert [event["kind"] for event in history["data"]] == ["burn", "mint"]


@pytest.fixture
def crowd(world: World) -> World:
    """A token of 1001 holders, of which project has counted 998."""
    for number in range(1, 1002):
        world.owns(CONTRACT, 7, address(number), 90, standard="erc1155", quantity=2)
    world.carded(CONTRACT, 7, 80, supply=1996, owners=998)
    world.blocks(70, 100)
    world.heads(100)
    return world


async def test_what_project_counted_of_a_crowd_names_its_block(crowd: World, client: httpx.AsyncClient) -> None:
    level = (await client.get(URL)).json()
    crowd.head("project", crowd.partition(CONTRACT), 85)
    behind = (await client.get(URL)).json()
    listed = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}/assets")).json()["data"][0]

    assert (level["owners"], level["supply"], level["counted_as_of"]) == (998, "1996", None)
    assert [each["counted_as_of"]["block_number"] for each in (behind, listed)] == [85, 85]
    assert behind["as_of"]["block_number"] == 100


@pytest.mark.parametrize(("open_block", "owners", "supply"), [(80, None, None), (81, 998, "1996")])
async def test_a_crowd_that_a_large_block_touched_is_not_counted(
    crowd: World, client: httpx.AsyncClient, open_block: int, owners: int | None, supply: str | None
) -> None:
    crowd.head("project", crowd.partition(CONTRACT), 79, open_block=open_block)

    body = (await client.get(URL)).json()

    assert (body["owners"], body["supply"]) == (owners, supply)


async def test_a_crowd_that_late_events_touched_is_not_counted(crowd: World, client: httpx.AsyncClient) -> None:
    crowd.written_late(CONTRACT, 5)
    found = []

    for next_seq in (5, 6):
        crowd.projected(CONTRACT, next_seq)
        asset = (await client.get(URL)).json()
        listed = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}/assets")).json()["data"][0]
        found.append([(each["owners"], each["supply"]) for each in (asset, listed)])

    assert found == [[(None, None)] * 2, [(998, "1996")] * 2]


async def test_a_crowd_is_waited_for_and_few_holders_are_not(crowd: World, client: httpx.AsyncClient) -> None:
    crowd.mint(CONTRACT, 8, ALICE, 10)
    crowd.head("project", crowd.partition(CONTRACT), 85)
    header = {"X-Min-Block": f"{NETWORK}:100"}

    counted = await client.get(URL, headers=header)
    few = await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:8", headers=header)

    assert (counted.status_code, counted.json()["as_of"]["block_number"], few.status_code) == (409, 85, 200)


async def test_updated_at_is_of_the_newest_block_that_the_holdings_rest_on(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.owns(CONTRACT, 7, ALICE, 20, since=block_time(10))
    world.event(CONTRACT, 8, ALICE, ZERO, 30)
    world.owns(CONTRACT, 8, ZERO, 30)
    world.carded(CONTRACT, 7, 99)
    world.blocks(1, 100)
    world.heads(100)

    assets = [(await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:{token}")).json() for token in (7, 8)]

    assert [datetime.fromisoformat(asset["updated_at"]) for asset in assets] == [block_time(20), block_time(30)]


async def test_a_mint_that_project_has_yet_to_undo_leaves_no_asset(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ZERO, ALICE, 10, op="revert", revision=2)
    world.owns(CONTRACT, 7, ZERO, -1)
    world.carded(CONTRACT, 7, 10, transfers=1)
    world.heads(100)
    world.head("project", world.partition(CONTRACT), 99)

    assert (await client.get(URL)).status_code == 404


async def test_a_matching_etag_costs_no_body(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    etag = (await client.get(URL)).headers["ETag"]

    for tags in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        unchanged = await client.get(URL, headers={"If-None-Match": tags})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", etag)

    world.heads(101)
    assert (await client.get(URL, headers={"If-None-Match": etag})).status_code == 200


async def test_what_is_not_there_is_not_unchanged(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    there = (URL, f"/api/v1/collections/{NETWORK}:{CONTRACT}")
    etags = [(await client.get(url)).headers["ETag"] for url in there]
    missing = (f"/api/v1/assets/{NETWORK}:{CONTRACT}:8", f"/api/v1/collections/{NETWORK}:{BOB}")

    for url in missing:
        for tag in ("*", " * ", *etags):
            assert (await client.get(url, headers={"If-None-Match": tag})).status_code == 404
    nowhere = await client.get(f"/api/v1/assets/nosuch:{CONTRACT}:8", headers={"If-None-Match": "*"})
    assert nowhere.status_code == 404


async def test_an_etag_of_one_thing_fits_no_other(world: World, client: httpx.AsyncClient) -> None:
    for token in (7, 8):
        world.mint(CONTRACT, token, ALICE, 10)
    world.counted(CONTRACT, mints=2)
    world.heads(100)
    urls = (URL, f"/api/v1/assets/{NETWORK}:{CONTRACT}:8", f"/api/v1/collections/{NETWORK}:{CONTRACT}")
    etags = [(await client.get(url)).headers["ETag"] for url in urls]

    fitting = {
        (url, etag): (await client.get(url, headers={"If-None-Match": etag})).status_code
        for url in urls
        for etag in etags
    }

    assert len(set(etags)) == 3
    assert {pair for pair, status in fitting.items() if status == 304} == set(zip(urls, etags, strict=True))


async def test_what_is_not_found_says_as_of_which_block(world: World, client: httpx.AsyncClient) -> None:
    world.heads(100)
    world.head("ledger", world.partition(CONTRACT), 40)
    collection = f"/api/v1/collections/{NETWORK}:{CONTRACT}"
    paths = [URL + more for more in ("", "/owners", "/history", "/owners?at_block=5")]
    paths += [collection + more for more in ("", "/assets", "/owners")]

    answers = [await client.get(path) for path in paths]
    of_no_network = await client.get("/api/v1/assets/11111111-2222-3333-4444-555555555555")

    assert [answer.status_code for answer in answers] == [404] * 7
    assert {(each["network"], each["block_number"]) for each in (answer.json()["as_of"] for answer in answers)} == {
        (NETWORK, 40)
    }
    assert of_no_network.json()["as_of"]["network"] is None


async def test_a_change_of_integrity_changes_the_etags(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1)
    world.heads(100)
    world.covered(0, 100)
    urls = (URL, f"/api/v1/collections/{NETWORK}:{CONTRACT}")

    async def change(do: Callable[[], None]) -> list[tuple[int, list[str]]]:
        etags = [(await client.get(url)).headers["ETag"] for url in urls]
        do()
        answers = [
            await client.get(url, headers={"If-None-Match": etag}) for url, etag in zip(urls, etags, strict=True)
        ]
        return [(a.status_code, a.json()["integrity_reasons"] if a.status_code == 200 else []) for a in answers]

    of_another = await change(lambda: world.finding(CONTRACT, 8))
    of_its_own = await change(lambda: world.finding(CONTRACT, 7))
    out_of_order = await change(lambda: world.out_of_order(CONTRACT))

    assert of_another == [(200, ["contract_contradicts"]), (200, ["contradiction"])]
    assert of_its_own == [(200, ["contract_contradicts", "contradiction"]), (304, [])]
    assert out_of_order == [
        (200, ["contract_contradicts", "contradiction", "order"]),
        (200, ["contradiction", "order"]),
    ]


async def test_holders_are_walked_by_account(world: World, client: httpx.AsyncClient) -> None:
    for number in range(1, 8):
        world.mint(CONTRACT, 7, address(number), number, standard="erc1155", quantity=number)
    world.heads(100, safe=5, finalized=2)

    first = (await client.get(f"{URL}/owners?limit=4")).json()
    second = (await client.get(f"{URL}/owners?limit=4&cursor={first['page']['next_cursor']}")).json()

    rows = first["data"] + second["data"]
    assert [(row["owner"], row["quantity"]) for row in rows] == [(address(n), str(n)) for n in range(1, 8)]
    assert [row["finality_status"] for row in rows[:6:2]] == ["finalized", "confirmed", "confirmed"]
    assert rows[0]["account"] == f"{NETWORK}:{address(1)}"
    assert (second["page"]["has_more"], second["page"]["next_cursor"]) == (False, None)


async def test_history_leaves_out_what_was_taken_back(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ALICE, BOB, 11)
    world.event(CONTRACT, 7, ALICE, BOB, 11, op="revert", revision=2)
    world.event(CONTRACT, 7, ALICE, BOB, 12, log_index=3)

    events = (await client.get(f"{URL}/history?order=asc")).json()["data"]

    assert [(event["kind"], event["block_number"], event["to"]) for event in events] == [
        ("mint", 10, ALICE),
        ("transfer", 12, BOB),
    ]
