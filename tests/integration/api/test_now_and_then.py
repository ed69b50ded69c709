"""Asked for now, and for the head's block, the holders of an asset are the same in every field."""

import asyncio
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.api.world import NETWORK, ZERO, World, address, block_time

CONTRACT, ALICE, BOB, CAROL = address(0xC0), address(0xA), address(0xB), address(0xD)
HEAD = 8


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event of one token, as the chain tells it."""

    source: str
    target: str
    quantity: int = 1
    standard: str = "erc721"
    echo: bool = False


@dataclass(frozen=True, kw_only=True)
class Held:
    """A holding, by the plain rule: from scratch, event by event."""

    account: str
    quantity: int
    block: int
    since: int | None


Chain = list[tuple[int, Told]]
KNOWN: dict[str, list[Chain]] = {
    "one": [[(1, Told(source=ZERO, target=ALICE)), (3, Told(source=ALICE, target=ALICE))]],
    "many": [
        [
            (1, Told(source=ZERO, target=ALICE, quantity=5, standard="erc1155")),
            (3, Told(source=ALICE, target=BOB, quantity=moved, standard="erc1155")),
            (5, Told(source=ALICE, target=ALICE, quantity=1, standard="erc1155")),
        ]
        for moved in (0, 2)
    ],
}
"""What random chains may miss: a transfer to oneself, one of nothing."""
ACCOUNTS = st.sampled_from([ALICE, BOB, CAROL, ZERO])
SINGLE = st.builds(Told, source=ACCOUNTS, target=ACCOUNTS, standard=st.sampled_from(["erc721", "erc1155"]))
ECHO = st.builds(Told, source=ACCOUNTS, target=ACCOUNTS, standard=st.just("erc1155"), echo=st.just(True))
MANY = st.builds(
    Told, source=ACCOUNTS, target=ACCOUNTS, standard=st.just("erc1155"), quantity=st.sampled_from([0, 1, 2, 5])
)


def one_holder(chain: Chain, number: int) -> list[Held]:
    """`to` of the last event; held since the first of the last events that all name that account."""
    told = [(block, event) for block, event in chain if block <= number and not event.echo]
    if not told or told[-1][1].target == ZERO:
        return []
    account = told[-1][1].target
    run = list(takewhile(lambda each: each[1].target == account, reversed(told)))
    return [Held(account=account, quantity=1, block=told[-1][0], since=run[-1][0])]


def many_holders(chain: Chain, number: int) -> list[Held]:
    """Sums; since the newest event that brought some, of the block of the newest that changed anything."""
    holders: dict[str, Held] = {}
    for block, event in chain:
        if block > number or event.quantity == 0 or event.source == event.target:
            continue
        for account, change in ((event.source, -event.quantity), (event.target, event.quantity)):
            before = holders.get(account) or Held(account=account, quantity=0, block=block, since=None)
            since = block if change > 0 else before.since
            holders[account] = Held(account=account, quantity=before.quantity + change, block=block, since=since)
    return [held for account, held in sorted(holders.items()) if held.quantity > 0 and account != ZERO]


def shown(held: Held, finalized: int) -> dict[str, Any]:
    return {
        "owner": held.account,
        "account": f"{NETWORK}:{held.account}",
        "quantity": str(held.quantity),
        "acquired_at": held.since and block_time(held.since).isoformat().replace("+00:00", "Z"),
        "block_number": held.block,
        "finality_status": "finalized" if held.block <= finalized else "pending",
    }


def chains(events: st.SearchStrategy[Told], first: st.SearchStrategy[Told]) -> st.SearchStrategy[Chain]:
    """Up to eight events in blocks 1 to 8, in order, the first of them of ``first``."""
    told = st.tuples(first, st.lists(events, max_size=7)).map(lambda pair: [pair[0], *pair[1]])
    return told.flatmap(
        lambda all_of_it: st.lists(st.integers(1, HEAD), min_size=len(all_of_it), max_size=len(all_of_it)).map(
            lambda blocks: list(zip(sorted(blocks), all_of_it, strict=True))
        )
    )


@pytest.mark.parametrize("kind", ["one", "many"])
async def test_now_is_the_heads_block_and_every_block_is_the_plain_rule(
    world: World, client: httpx.AsyncClient, kind: str
) -> None:
    world.blocks(0, HEAD)
    world.heads(HEAD, finalized=4)
    world.covered(0, HEAD)
    loop = asyncio.get_running_loop()
    tokens = count(1)
    unique = st.builds(Told, source=ACCOUNTS, target=ACCOUNTS)
    of_kind = chains(st.one_of(SINGLE, ECHO), unique) if kind == "one" else chains(MANY, MANY)
    rule = one_holder if kind == "one" else many_holders

    def ask(token: int, query: str = "") -> list[dict[str, Any]]:
        call = client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:{token}/owners{query}")
        answer = asyncio.run_coroutine_threadsafe(call, loop).result(30)
        data: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return data

    def check(chain: Chain) -> None:
        token = next(tokens)
        for place, (block, told) in enumerate(chain):
            world.event(CONTRACT, token, told.source, told.target, block, log_index=place, quantity=told.quantity,
                        standard=told.standard, echo=told.echo)  # fmt: skip
        holders = rule(chain, HEAD)
        for held in holders:
            since = block_time(held.since) if held.since is not None else None
            world.owns(CONTRACT, token, held.account, held.block, quantity=held.quantity, since=since,
                       standard=chain[-1][1].standard, single=kind == "one")  # fmt: skip
        if not holders and kind == "one":
            world.owns(CONTRACT, token, ZERO, chain[-1][0])

        now = ask(token)
        then = [ask(token, f"?at_block={number}") for number in range(HEAD + 1)]

        assert now == then[HEAD]
        assert then == [[shown(held, 4) for held in rule(chain, number)] for number in range(HEAD + 1)]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(of_kind)
    def search(chain: Chain) -> None:
        check(chain)

    for chain in KNOWN[kind]:
        await asyncio.to_thread(check, chain)
    await asyncio.to_thread(search)


async def test_a_holder_that_no_event_tells_of_is_the_same_now_and_then(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ALICE, BOB, 3)
    world.event(CONTRACT, 7, ALICE, BOB, 3, op="revert", revision=2)
    world.owns(CONTRACT, 7, ALICE, -1)
    world.run("UPDATE market.ownership_current SET since = NULL, implicit = true")
    world.blocks(0, HEAD)
    world.heads(HEAD, finalized=4)

    url = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners"
    now, then = [(await client.get(url + query)).json()["data"] for query in ("", f"?at_block={HEAD}")]

    assert now == then
    assert [(row["owner"], row["acquired_at"], row["block_number"], row["finality_status"]) for row in now] == [
        (ALICE, None, None, "pending")
    ]


async def test_an_id_that_nothing_is_left_of_shows_its_balances_now_and_then(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 1, fork="gone")
    world.event(CONTRACT, 7, ZERO, ALICE, 1, fork="gone", op="revert", revision=2)
    world.event(CONTRACT, 7, ZERO, BOB, 2, quantity=10, standard="erc1155")
    world.owns(CONTRACT, 7, BOB, 2, quantity=10, standard="erc1155")
    world.blocks(0, HEAD)
    world.heads(HEAD)

    url = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners"
    now, then = [(await client.get(url + query)).json()["data"] for query in ("", f"?at_block={HEAD}")]

    assert now == then
    assert [(row["owner"], row["quantity"]) for row in now] == [(BOB, "10")]


async def test_an_id_with_one_holder_shows_the_balances_that_it_had_before(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 1, quantity=10, standard="erc1155")
    world.event(CONTRACT, 7, ALICE, BOB, 2, quantity=4, standard="erc1155")
    world.event(CONTRACT, 7, ALICE, CAROL, 3)
    world.owns(CONTRACT, 7, CAROL, 3)
    world.blocks(0, HEAD)
    world.heads(HEAD)

    url = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners"
    found = [(await client.get(f"{url}?at_block={block}")).json()["data"] for block in (0, 2, 3)]

    assert [{row["owner"]: row["quantity"] for row in rows} for rows in found] == [
        {},
        {ALICE: "6", BOB: "4"},
        {CAROL: "1"},
    ]


async def test_a_unique_token_moved_by_another_standards_event_has_one_holder_in_its_past(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 1, log_index=0)
    world.event(CONTRACT, 7, ZERO, ALICE, 1, log_index=1, standard="erc1155", echo=True)
    world.event(CONTRACT, 7, ALICE, BOB, 2, standard="erc1155")
    world.event(CONTRACT, 7, CAROL, CAROL, 3, standard="erc1155")
    world.owns(CONTRACT, 7, CAROL, 3, standard="erc1155", single=True)
    world.blocks(0, HEAD)
    world.heads(HEAD)

    url = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners"
    found = [(await client.get(f"{url}?at_block={block}")).json()["data"] for block in (1, 2, 3)]

    assert [[(row["owner"], row["quantity"]) for row in rows] for rows in found] == [
        [(ALICE, "1")],
        [(BOB, "1")],
        [(CAROL, "1")],
    ]
