"""One NFT as the API shows it."""

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
    answers.append(await client.get(f"/api/v1/assets/nowhere:{CONTRACT}:7"))
    world.heads(1)
    answers.append(await client.get(URL + "/owners?at_block=0"))

    assert [answer.status_code for answer in answers] == [404, 404, 404, 409, 404, 404, 404]
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


async def test_a_matching_etag_costs_no_body(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    etag = (await client.get(URL)).headers["ETag"]

    for tags in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        unchanged = await client.get(URL, headers={"If-None-Match": tags})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", etag)

    world.heads(101)
    assert (await client.get(URL, headers={"If-None-Match": etag})).status_code == 200


async def test_a_change_of_integrity_changes_the_etag(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    etag = (await client.get(URL)).headers["ETag"]
    world.finding(CONTRACT, 7)

    answer = await client.get(URL, headers={"If-None-Match": etag})

    assert (answer.status_code, answer.json()["integrity"]) == (200, "nonconserving")


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
