"""Networks, and the collections of one: page by page."""

import httpx
import pytest

from tests.integration.api.test_transfers import walk
from tests.integration.api.world import NETWORK, World, address

URL = f"/api/v1/collections?network={NETWORK}"
COLLECTIONS = [address(0xC0 + n) for n in range(5)]


def fill(world: World) -> None:
    """Five collections, one without an event in force; more owners the lower the address, and the other way round."""
    for n, contract in enumerate(COLLECTIONS):
        counters = {"mints": 1, "transfers": n // 2, "owners": 9 - n, "assets": 1, "supply": 1} if n != 3 else {}
        world.counted(contract, first_block=10 + n % 2, last_block=50, **counters)
    world.heads(60, finalized=55)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", [0, 1, 2, 4]),
        ("&sort=contract", [0, 1, 2, 4]),
        ("&sort=newest", [1, 0, 2, 4]),
        ("&sort=owners", [0, 1, 2, 4]),
        ("&sort=transfers", [4, 2, 0, 1]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_collections_of_a_network_are_walked_in_the_order_that_is_asked_for(
    world: World, client: httpx.AsyncClient, sort: str, order: list[int], limit: int
) -> None:
    fill(world)

    seen = await walk(client, f"{URL}{sort}&limit={limit}")

    assert [entry["contract"] for entry in seen] == [COLLECTIONS[n] for n in order]


async def test_a_collection_in_a_list_is_what_it_is_by_itself(world: World, client: httpx.AsyncClient) -> None:
    fill(world)
    world.covered(0, 60)
    world.finding(COLLECTIONS[1], 7)

    listed = (await client.get(URL)).raise_for_status().json()
    alone = [(await client.get(f"/api/v1/collections/{entry['id']}")).json() for entry in listed["data"]]

    assert [entry["integrity"] for entry in listed["data"]].count("nonconserving") == 1
    for entry, one in zip(listed["data"], alone, strict=True):
        assert {**entry, "as_of": None} == {**one, "as_of": None}
    assert listed["as_of"]["block_number"] == 60


async def test_a_network_is_needed_and_has_to_be_known(world: World, client: httpx.AsyncClient) -> None:
    missing, unknown = [await client.get(f"/api/v1/collections{query}") for query in ("", "?network=nosuch")]

    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (422, "missing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_network")


async def test_networks_are_listed_with_how_far_each_is_read(world: World, client: httpx.AsyncClient) -> None:
    world.heads(60, finalized=55)

    seen = await walk(client, "/api/v1/networks?limit=3")
    names = [entry["network"] for entry in seen]

    assert names == sorted(names)
    assert {"ethereum", "polygon", "base"} <= set(names)
    (read,) = [entry for entry in seen if entry["network"] == NETWORK]
    (unread,) = [entry for entry in seen if entry["network"] == "ethereum"]
    assert (read["chain_id"], read["as_of"]["block_number"], unread["as_of"]["block_number"]) == (137, 60, None)
