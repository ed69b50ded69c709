"""A fact is as final as the newest event that it rests on, those that took something away among them."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from ft.config import Config
from ft.sql.queries import load
from tests.integration.api.world import NETWORK, START, ZERO, World, address, block_time

CONTRACT, OTHER, ALICE, BOB = address(0xC0), address(0xC1), address(0xA), address(0xB)
CAROL, SPENDER = address(0xD), address(0xE)
COLLECTION = f"/api/v1/collections/{NETWORK}:{CONTRACT}"


def _gave_one_away(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 95)


def _gave_one_away_in_a_safe_block(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 85)


def _gave_one_away_finally(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 80)


def _burned_one(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, ZERO, 95)


def _gave_away_some_of_many(world: World) -> None:
    world.event(CONTRACT, 9, ALICE, BOB, 95, standard="erc1155", quantity=3)


def _lost_one_to_a_spender(world: World) -> None:
    world.event(CONTRACT, 8, SPENDER, BOB, 95, holder_before=ALICE)


def _lost_one_to_a_second_mint(world: World) -> None:
    world.event(CONTRACT, 8, ZERO, BOB, 95, holder_before=ALICE)


def _moved_what_is_of_another(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 95, holder_before=SPENDER)


def _gave_one_away_and_that_was_undone(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 95)
    world.event(CONTRACT, 8, ALICE, BOB, 95, op="revert", revision=2)


def _sent_one_to_itself(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, ALICE, 95)


def _gave_nothing(world: World) -> None:
    world.event(CONTRACT, 9, ALICE, BOB, 95, standard="erc1155", quantity=0)


def _is_named_by_an_echo(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 95, standard="erc1155", echo=True)


def _gave_away_of_another_collection(world: World) -> None:
    world.event(OTHER, 8, ALICE, BOB, 95)


def _gave_away_on_another_network(world: World) -> None:
    world.event(CONTRACT, 8, ALICE, BOB, 95, network="base")


def _holds_what_no_event_tells(world: World) -> None:
    world.owns(CONTRACT, 8, ALICE, -1)


def _holds_what_no_event_tells_and_gave_another_away(world: World) -> None:
    world.owns(CONTRACT, 8, ALICE, -1)
    world.event(CONTRACT, 9, ALICE, BOB, 85)


def _lost_balances_to_whoever_holds_the_id_alone(world: World) -> None:
    world.put_aside(CONTRACT, 8, ALICE, 2)
    world.event(CONTRACT, 8, CAROL, BOB, 95)
    world.owns(CONTRACT, 8, BOB, 95)


def _has_none_of_an_id_that_is_held_alone(world: World) -> None:
    world.put_aside(CONTRACT, 8, ALICE, 0)
    world.owns(CONTRACT, 8, BOB, 95)


CASES: list[tuple[Callable[[World], None], str]] = [
    (_gave_one_away, "pending"),
    (_gave_one_away_in_a_safe_block, "confirmed"),
    (_gave_one_away_finally, "finalized"),
    (_burned_one, "pending"),
    (_gave_away_some_of_many, "pending"),
    (_lost_one_to_a_spender, "pending"),
    (_lost_one_to_a_second_mint, "pending"),
    (_moved_what_is_of_another, "finalized"),
    (_gave_one_away_and_that_was_undone, "finalized"),
    (_sent_one_to_itself, "finalized"),
    (_gave_nothing, "finalized"),
    (_is_named_by_an_echo, "finalized"),
    (_gave_away_of_another_collection, "finalized"),
    (_gave_away_on_another_network, "finalized"),
    (_holds_what_no_event_tells, "pending"),
    (_holds_what_no_event_tells_and_gave_another_away, "pending"),
    (_lost_balances_to_whoever_holds_the_id_alone, "pending"),
    (_has_none_of_an_id_that_is_held_alone, "finalized"),
]


@pytest.mark.parametrize(("lately", "status"), CASES, ids=[case.__name__.strip("_") for case, _ in CASES])
async def test_what_an_account_holds_of_a_collection_is_as_final_as_what_it_gave_away(
    world: World, client: httpx.AsyncClient, lately: Callable[[World], None], status: str
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.blocks(1, 100)
    world.heads(100, safe=90, finalized=80)
    lately(world)

    owners = (await client.get(f"{COLLECTION}/owners")).raise_for_status().json()["data"]
    [entry] = [each for each in owners if each["owner"] == ALICE]
    [held] = [
        asset
        for asset in (await client.get(f"/api/v1/owners/{NETWORK}:{ALICE}/assets")).json()["data"]
        if asset["token_id"] == "7"
    ]

    assert entry["finality_status"] == status
    assert held["ownership"]["finality_status"] == "finalized"


async def test_owners_are_pending_while_the_newest_month_is_not_indexed(
    world: World, client: httpx.AsyncClient
) -> None:
    world.run("SELECT ledger.ensure_month(%s, false)", START.replace(month=6))
    june = 32 * 24 * 1800  # blocks of 2 s
    world.mint(CONTRACT, 7, ALICE, 10)
    world.blocks(10, 11)
    world.blocks(june, june + 1)
    world.heads(june + 1, finalized=11)

    [entry] = (await client.get(f"{COLLECTION}/owners")).raise_for_status().json()["data"]
    world.heads(june + 1, finalized=june + 1)
    [final] = (await client.get(f"{COLLECTION}/owners")).raise_for_status().json()["data"]

    assert (entry["finality_status"], final["finality_status"]) == ("pending", "finalized")


async def test_an_older_month_without_indexes_is_no_hindrance(world: World, client: httpx.AsyncClient) -> None:
    world.run("SELECT ledger.ensure_month(%s, false)", START.replace(month=3))
    world.mint(CONTRACT, 7, ALICE, 10)
    world.event(CONTRACT, 8, ALICE, BOB, 95)
    world.blocks(10, 100)
    world.heads(100, safe=90, finalized=80)

    [entry] = (await client.get(f"{COLLECTION}/owners")).raise_for_status().json()["data"]
    world.heads(100, safe=99, finalized=80)
    [surer] = (await client.get(f"{COLLECTION}/owners")).raise_for_status().json()["data"]

    assert (entry["finality_status"], surer["finality_status"]) == ("pending", "confirmed")


async def test_looking_for_debits_costs_the_newest_months_only(world: World, config: Config) -> None:
    for month in (2, 3, 4):
        world.run("SELECT ledger.ensure_month(%s)", START.replace(month=month))
    for block in range(10, 100):
        world.event(CONTRACT, block, ALICE, BOB, block)
    world.blocks(10, 100)
    asked = {"network": NETWORK, "contract": CONTRACT, "finalized": 95, "accounts": [ALICE, BOB]}

    nodes = await _explained(config, asked)
    found = await _debits(config, asked)

    read = {node["Relation Name"] for node in nodes if node["Actual Loops"] > 0} - {"blocks"}
    assert read <= {"events_202405", "retracted", "covered_balances"}
    assert found == [(ALICE, 99)]


async def test_looking_for_debits_of_many_reads_a_collections_events_once_at_most(world: World, config: Config) -> None:
    """Of an id that only ever was minted the planner believes that every account gave all of it."""
    events, accounts = 400, [address(0xB000 + n) for n in range(100)]
    for n in range(events):
        world.event(CONTRACT, 1, ZERO, accounts[n % 100], 10 + n, standard="erc1155")
    world.run("ANALYZE ledger.events_202405")
    asked = {"network": NETWORK, "contract": CONTRACT, "finalized": 5, "accounts": accounts}

    read = [node for node in await _explained(config, asked) if node["Relation Name"] == "events_202405"]
    rows = sum(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) for node in read)
    assert rows <= 2 * events


async def _debits(config: Config, asked: dict[str, Any], how: str = "") -> list[Any]:
    async with await psycopg.AsyncConnection.connect(config.postgres_as("ft_api")) as conn:
        return await (
            await conn.execute((how + load("api_collections")["collection_debits"]).encode(), asked)
        ).fetchall()


async def _explained(config: Config, asked: dict[str, Any]) -> list[dict[str, Any]]:
    [(plan,)] = await _debits(config, asked, "EXPLAIN (ANALYZE, FORMAT JSON) ")
    return _nodes(plan[0]["Plan"])


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a plan that read a table."""
    below = [each for plan in node.get("Plans", []) for each in _nodes(plan)]
    return below + ([node] if "Relation Name" in node else [])


@pytest.mark.parametrize(("block", "status"), [(80, "finalized"), (85, "confirmed"), (95, "pending")])
async def test_what_is_left_of_many_is_as_final_as_the_event_that_took_some(
    world: World, client: httpx.AsyncClient, block: int, status: str
) -> None:
    world.event(CONTRACT, 1, ZERO, ALICE, 10, standard="erc1155", quantity=10)
    world.event(CONTRACT, 1, ALICE, ZERO, block, standard="erc1155", quantity=4)
    world.owns(CONTRACT, 1, ALICE, block, standard="erc1155", quantity=6, since=block_time(10))
    world.heads(100, safe=90, finalized=80)

    asset = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:1")).json()["ownership"]
    [now] = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:1/owners")).json()["data"]
    [then] = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:1/owners?at_block=100")).json()["data"]
    [listed] = (await client.get(f"{COLLECTION}/owners")).json()["data"]

    assert {asset["finality_status"], now["finality_status"], listed["finality_status"]} == {status}
    assert now == then
