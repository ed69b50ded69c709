"""Who held an asset once a past block was applied."""

import httpx
import pytest

from tests.integration.api.world import NETWORK, START, ZERO, World, address, block_hash, block_time

CONTRACT, ALICE, BOB, CAROL = address(0xC0), address(0xA), address(0xB), address(0xD)
URL = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners"


@pytest.mark.parametrize(
    ("block", "owners"),
    [(9, []), (10, [ALICE]), (11, [ALICE]), (12, [CAROL]), (19, [CAROL]), (20, []), (21, [])],
)
async def test_a_token_belongs_to_the_last_receiver_of_then(
    world: World, client: httpx.AsyncClient, block: int, owners: list[str]
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ALICE, BOB, 12, log_index=1)
    world.event(CONTRACT, 7, BOB, CAROL, 12, log_index=2)
    world.event(CONTRACT, 7, CAROL, ZERO, 20)
    world.owns(CONTRACT, 7, ZERO, 20)
    world.catalogued(CONTRACT, 7)
    world.blocks(0, 30)
    world.heads(30, finalized=11)
    world.covered(0, 30)

    by_block = await client.get(f"{URL}?at_block={block}")
    by_time = await client.get(URL, params={"at_time": (block_time(block)).isoformat()})

    body = by_block.raise_for_status().json()
    assert [row["owner"] for row in body["data"]] == owners
    assert by_time.raise_for_status().json()["data"] == body["data"]
    assert (body["as_of"]["block_number"], body["as_of"]["block_hash"]) == (block, block_hash(block))
    assert by_time.json()["as_of"]["block_number"] == block
    assert body["as_of"]["finality_status"] == ("finalized" if block <= 11 else "pending")
    assert by_block.headers.get("Cache-Control") == ("public, max-age=3600" if block <= 11 else None)


async def test_holders_of_then_are_summed_up(world: World, client: httpx.AsyncClient) -> None:
    def event(source: str, target: str, block: int, quantity: int) -> None:
        world.event(CONTRACT, 7, source, target, block, quantity=quantity, standard="erc1155")

    event(ZERO, ALICE, 10, 9)
    event(ALICE, BOB, 11, 4)
    event(ALICE, ALICE, 12, 2)
    event(ALICE, CAROL, 13, 5)
    world.owns(CONTRACT, 7, BOB, 11, standard="erc1155", quantity=4)
    world.heads(30)

    then = [(await client.get(f"{URL}?at_block={block}")).json()["data"] for block in (10, 12, 13)]
    first = (await client.get(f"{URL}?at_block=12&limit=1")).json()
    second = (await client.get(f"{URL}?at_block=12&limit=1&cursor={first['page']['next_cursor']}")).json()

    assert [[(row["owner"], row["quantity"]) for row in rows] for rows in then] == [
        [(ALICE, "9")],
        [(ALICE, "5"), (BOB, "4")],
        [(BOB, "4"), (CAROL, "5")],
    ]
    assert [row["owner"] for row in first["data"] + second["data"]] == [ALICE, BOB]


async def test_a_time_between_blocks_means_the_earlier_one_also_across_gaps(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.owns(CONTRACT, 7, ALICE, 10)
    for first, last in ((0, 10), (500, 507), (900, 1000)):
        world.blocks(first, last)
    world.heads(1000)

    async def at(seconds: float) -> int | None:
        time = block_time(0).timestamp() + seconds
        answer = await client.get(URL, params={"at_time": START.fromtimestamp(time, START.tzinfo).isoformat()})
        number = answer.json()["as_of"]["block_number"]
        assert number is None or isinstance(number, int)
        return number

    found = [await at(seconds) for seconds in (0, 1, 19, 20, 700, 1000, 1015, 1799, 1800, 2000)]

    assert found == [0, 0, 9, 10, 10, 500, 507, 507, 900, 1000]


async def test_a_past_with_holes_may_still_change(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(30, finalized=20)
    world.covered(5, 30)

    answer = await client.get(f"{URL}?at_block=15")

    assert answer.json()["as_of"]["finality_status"] == "finalized"
    assert "Cache-Control" not in answer.headers


async def test_a_past_with_blocks_that_are_still_to_be_applied_may_change(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(30, finalized=20)
    world.covered(0, 30)
    world.late(2, 4, position=31)

    before = await client.get(f"{URL}?at_block=15")
    world.head("ledger", world.partition(CONTRACT), 30, finalized=20, position=31)
    after = await client.get(f"{URL}?at_block=15")

    assert "Cache-Control" not in before.headers
    assert after.headers["Cache-Control"] == "public, max-age=3600"


async def test_before_the_first_block_nobody_held_anything(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.blocks(5, 30)
    world.heads(30, finalized=20)
    world.covered(0, 30)

    body = (await client.get(f"{URL}?at_time=2024-04-01T00:00:00Z")).json()

    assert (body["data"], body["as_of"]["block_number"]) == ([], None)


async def test_what_is_not_applied_yet_is_a_conflict_with_the_head(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.blocks(0, 40)
    world.heads(30)

    answers = [await client.get(f"{URL}?{query}") for query in ("at_block=31", "at_time=2031-01-01T00:00:00Z")]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert {answer.json()["as_of"]["block_number"] for answer in answers} == {30}


@pytest.mark.parametrize(
    "query", ["at_block=1&at_time=2024-05-01T00:00:00Z", "at_block=-1", "at_time=2024-05-01T00:00:00", "at_time=now"]
)
async def test_a_moment_that_cannot_be_read_is_refused(world: World, client: httpx.AsyncClient, query: str) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(30)

    assert (await client.get(f"{URL}?{query}")).status_code == 422


async def test_a_block_that_the_ledger_has_not_got_to_lends_its_hash_to_no_answer(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.blocks(0, 30)
    world.heads(30)
    world.covered(0, 30)
    world.run("UPDATE ingest.blocks SET raw_offset = 99 WHERE number = 20")  # of another branch: the ledger is at 30

    as_of = [(await client.get(f"{URL}?at_block={block}")).raise_for_status().json()["as_of"] for block in (19, 20, 30)]

    assert [each["block_number"] for each in as_of] == [19, 20, 30]
    assert [each["block_hash"] for each in as_of] == [block_hash(19), None, block_hash(30)]
    assert as_of[1]["block_time"] is None
