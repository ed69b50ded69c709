"""What an account holds, on one network and on all."""

from typing import cast

import httpx

from tests.integration.api.world import NETWORK, World, address

FIRST, SECOND, ALICE, BOB = address(0xC0), address(0xC1), address(0xA), address(0xB)


async def test_an_account_has_its_assets_with_its_own_part(world: World, client: httpx.AsyncClient) -> None:
    world.mint(FIRST, 7, ALICE, 10)
    world.mint(SECOND, 1, ALICE, 11, standard="erc1155", quantity=3)
    world.mint(SECOND, 1, BOB, 12, standard="erc1155", quantity=4)
    world.heads(100, safe=10)

    body = (await client.get(f"/api/v1/owners/{NETWORK}:{ALICE.upper().replace('X', 'x')}/assets")).json()

    shown = [(asset["asset_id"], asset["ownership"], asset["supply"], asset["owners"]) for asset in body["data"]]
    assert [(asset_id, supply, owners) for asset_id, _, supply, owners in shown] == [
        (f"{NETWORK}:{FIRST}:7", "1", 1),
        (f"{NETWORK}:{SECOND}:1", "7", 2),
    ]
    assert [(own["holder"], own["quantity"], own["finality_status"]) for _, own, _, _ in shown] == [
        (ALICE, "1", "confirmed"),
        (ALICE, "3", "pending"),
    ]
    assert body["as_of"]["block_number"] == 100


async def test_a_bare_address_is_looked_up_on_every_network(world: World, client: httpx.AsyncClient) -> None:
    for network in ("base", "polygon", "ethereum"):
        for token in range(4):
            world.owns(FIRST, token, ALICE, 10, network=network)
    world.heads(100)
    world.heads(90, network="base")
    world.heads(100, network="ethereum")

    seen, cursor = [], cast(str | None, "")
    heads = set()
    while cursor is not None:
        body = (await client.get(f"/api/v1/owners/{ALICE}/assets?limit=5{cursor and '&cursor=' + cursor}")).json()
        seen += [(asset["network"], asset["token_id"]) for asset in body["data"]]
        cursor = body["page"]["next_cursor"]
        heads.add((body["as_of"]["network"], body["as_of"]["block_number"]))
    one = (await client.get(f"/api/v1/owners/{ALICE}/assets?network=base")).json()

    assert seen == [(network, str(token)) for network in ("base", "ethereum", "polygon") for token in range(4)]
    assert heads == {("base", 90)}
    assert {asset["network"] for asset in one["data"]} == {"base"}


async def test_an_accounts_assets_of_one_collection(world: World, client: httpx.AsyncClient) -> None:
    for contract, token in ((FIRST, 1), (FIRST, 2), (SECOND, 1)):
        world.mint(contract, token, ALICE, 10)
    world.heads(20)

    found = [
        await client.get(f"/api/v1/owners/{ALICE}/assets?{query}")
        for query in (
            f"contract={NETWORK}:{FIRST}&limit=1",
            f"network={NETWORK}&contract={SECOND}",
            f"contract={SECOND}",
        )
    ]

    cursor = found[0].json()["page"]["next_cursor"]
    rest = await client.get(f"/api/v1/owners/{ALICE}/assets?contract={NETWORK}:{FIRST}&cursor={cursor}")
    shown = [[(row["contract"], row["token_id"]) for row in answer.json()["data"]] for answer in (*found, rest)]
    assert shown == [[(FIRST, "1")], [(SECOND, "1")], [(SECOND, "1")], [(FIRST, "2")]]


async def test_an_account_of_nothing_is_an_empty_page(world: World, client: httpx.AsyncClient) -> None:
    world.heads(100)

    body = (await client.get(f"/api/v1/owners/{BOB}/assets")).raise_for_status().json()

    assert (body["data"], body["page"]["has_more"]) == ([], False)


async def test_the_partition_furthest_behind_speaks_for_the_network(world: World, client: httpx.AsyncClient) -> None:
    world.owns(FIRST, 7, ALICE, 10)
    world.heads(100, finalized=90)
    world.head("ledger", (world.partition(FIRST) + 1) % 8, 9, finalized=5)

    body = (await client.get(f"/api/v1/owners/{NETWORK}:{ALICE}/assets")).json()

    assert body["as_of"]["block_number"] == 9
    assert body["data"][0]["ownership"]["finality_status"] == "pending"


async def test_an_accounts_assets_of_one_collection_are_of_the_partition_that_has_it(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(FIRST, 1, ALICE, 31)
    world.heads(30)
    world.head("ledger", world.partition(FIRST), 31)

    everything, one = [
        (await client.get(f"/api/v1/owners/{NETWORK}:{ALICE}/assets{narrowed}")).raise_for_status().json()
        for narrowed in ("", f"?contract={NETWORK}:{FIRST}")
    ]

    assert everything["as_of"]["block_number"] == 30
    assert one["as_of"]["block_number"] == 31
