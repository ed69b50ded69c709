"""How far the holdings can be trusted: the worst that holds is shown, on assets and on collections."""

from collections.abc import Callable

import httpx
import pytest

from tests.integration.api.world import NETWORK, World, address

CONTRACT, OTHER, ALICE = address(0xC0), address(0xC1), address(0xA)


def _gapless(world: World) -> None:
    world.covered(0, 100)


def _adjacent_stretches(world: World) -> None:
    world.covered(0, 49)
    world.covered(50, 120)


def _from_the_creation(world: World) -> None:
    world.created(CONTRACT, 9)
    world.covered(9, 100)


def _resolved(world: World) -> None:
    world.covered(0, 100)
    world.quarantined(20, CONTRACT, state="resolved")
    world.quarantined(20, OTHER)


def _above_the_head(world: World) -> None:
    world.covered(0, 130)
    world.quarantined(101)


def _unproven(world: World) -> None:
    world.covered(0, 49)
    world.covered(50, 100, proof="logs")


def _nothing(_: World) -> None: ...


def _gap(world: World) -> None:
    world.covered(0, 49)
    world.covered(51, 100)


def _late_start(world: World) -> None:
    world.covered(9, 100)


def _short_of_the_head(world: World) -> None:
    world.covered(0, 99)


def _hole_in_the_contract(world: World) -> None:
    world.covered(0, 100, proof="logs")
    world.quarantined(20, CONTRACT)


def _hole_of_a_block(world: World) -> None:
    world.covered(0, 100)
    world.quarantined(20)


def _finding(world: World) -> None:
    world.covered(0, 100)
    world.quarantined(20)
    world.finding(CONTRACT, 7)


CASES: list[tuple[Callable[[World], None], str]] = [
    (_gapless, "proven"),
    (_adjacent_stretches, "proven"),
    (_from_the_creation, "proven"),
    (_resolved, "proven"),
    (_above_the_head, "proven"),
    (_unproven, "unproven"),
    (_nothing, "partial_history"),
    (_gap, "partial_history"),
    (_late_start, "partial_history"),
    (_short_of_the_head, "partial_history"),
    (_hole_in_the_contract, "partial_history"),
    (_hole_of_a_block, "partial_history"),
    (_finding, "nonconserving"),
]


@pytest.mark.parametrize(("history", "integrity"), CASES, ids=[case.__name__.strip("_") for case, _ in CASES])
async def test_integrity_is_the_worst_that_holds(
    world: World, client: httpx.AsyncClient, history: Callable[[World], None], integrity: str
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1)
    world.heads(100)
    history(world)

    asset = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:7")).json()
    collection = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}")).json()
    listed = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}/assets")).json()["data"][0]

    assert (asset["integrity"], collection["integrity"], listed["integrity"]) == (integrity, integrity, integrity)


async def test_a_finding_marks_its_own_token_and_casts_doubt_on_the_others(
    world: World, client: httpx.AsyncClient
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.mint(CONTRACT, 8, ALICE, 10)
    world.heads(100)
    world.covered(0, 100)
    world.finding(CONTRACT, 7)

    assets = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}/assets")).json()["data"]

    assert [(asset["integrity"], asset["integrity_reasons"]) for asset in assets] == [
        ("nonconserving", ["contradiction"]),
        ("unproven", ["contract_contradicts"]),
    ]


async def test_blocks_that_normalize_has_not_committed_yet_are_no_gap(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    world.covered(0, 100)
    world.head("ledger", world.partition(CONTRACT), 103)

    assert (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:7")).json()["integrity"] == "proven"
