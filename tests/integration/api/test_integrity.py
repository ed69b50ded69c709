"""How far the holdings can be trusted, and why: on assets, on collections and in lists."""

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


def _read_before_it_was_listed(world: World) -> None:
    world.covered(0, 100)
    world.read_unlisted(5, 20, CONTRACT)
    world.read_unlisted(5, 20, OTHER)


def _finding(world: World) -> None:
    world.covered(0, 100)
    world.quarantined(20)
    world.finding(CONTRACT, 7)


def _doubtful_stretches(world: World) -> None:
    world.covered(0, 29)
    world.covered(30, 59, proof="logs", reasons="bloom_superset,header")
    world.covered(60, 100, reasons="state_sync")


def _state_sync_missing(world: World) -> None:
    world.covered(0, 49)
    world.covered(50, 50, reasons="state_sync_missing")
    world.covered(51, 100)


def _doubt_below_the_creation(world: World) -> None:
    world.created(CONTRACT, 9)
    world.covered(5, 8, proof="none", reasons="header")
    world.covered(9, 100)


def _doubt_above_the_head(world: World) -> None:
    world.covered(0, 100)
    world.covered(101, 101, proof="logs")


def _creation_by_word_alone(world: World) -> None:
    world.created(CONTRACT, 9, reasons="transactions_root")
    world.covered(9, 100)


def _creation_by_word_alone_that_is_not_needed(world: World) -> None:
    world.created(CONTRACT, 9, reasons="transactions_root")
    world.covered(0, 100)


def _creation_by_word_alone_above_a_gap(world: World) -> None:
    world.created(CONTRACT, 9, reasons="transaction_type")
    world.covered(0, 7)
    world.covered(9, 100)


def _out_of_order(world: World) -> None:
    world.covered(0, 100)
    world.out_of_order(CONTRACT)


def _recounted(world: World) -> None:
    world.covered(0, 100)
    world.out_of_order(CONTRACT, counted_seq=5)
    world.out_of_order(OTHER)


def _finding_of_another_contract(world: World) -> None:
    world.covered(0, 100)
    world.finding(OTHER, 7)


def _late_blocks_that_are_applied(world: World) -> None:
    world.covered(0, 100)
    world.late(20, 40, position=100)


def _late_blocks_below_the_creation(world: World) -> None:
    world.created(CONTRACT, 9)
    world.covered(0, 100)
    world.late(0, 8, position=101)


def _late_blocks_above_the_head(world: World) -> None:
    world.covered(0, 120)
    world.late(101, 110, position=120)


def _late_blocks(world: World) -> None:
    world.covered(0, 100)
    world.late(20, 40, position=101)


def _late_blocks_from_the_creation_on(world: World) -> None:
    world.created(CONTRACT, 9)
    world.covered(0, 100)
    world.late(0, 9, position=101)


def _late_blocks_up_from_the_head(world: World) -> None:
    world.covered(0, 100, proof="logs")
    world.late(100, 110, position=101)


CASES: list[tuple[Callable[[World], None], str, list[str]]] = [
    (_gapless, "proven", []),
    (_adjacent_stretches, "proven", []),
    (_from_the_creation, "proven", []),
    (_resolved, "proven", []),
    (_above_the_head, "proven", []),
    (_doubt_below_the_creation, "proven", []),
    (_doubt_above_the_head, "proven", []),
    (_creation_by_word_alone_that_is_not_needed, "proven", []),
    (_recounted, "proven", []),
    (_finding_of_another_contract, "proven", []),
    (_late_blocks_that_are_applied, "proven", []),
    (_late_blocks_below_the_creation, "proven", []),
    (_late_blocks_above_the_head, "proven", []),
    (_unproven, "unproven", ["logs"]),
    (_doubtful_stretches, "unproven", ["bloom_superset", "header", "logs", "state_sync"]),
    (_creation_by_word_alone, "unproven", ["transactions_root"]),
    (_creation_by_word_alone_above_a_gap, "unproven", ["transaction_type"]),
    (_out_of_order, "unproven", ["order"]),
    (_nothing, "partial_history", ["blocks_missing"]),
    (_gap, "partial_history", ["blocks_missing"]),
    (_late_start, "partial_history", ["blocks_missing"]),
    (_short_of_the_head, "partial_history", ["blocks_missing"]),
    (_late_blocks, "partial_history", ["blocks_missing"]),
    (_late_blocks_from_the_creation_on, "partial_history", ["blocks_missing"]),
    (_late_blocks_up_from_the_head, "partial_history", ["blocks_missing", "logs"]),
    (_state_sync_missing, "partial_history", ["state_sync_missing"]),
    (_hole_in_the_contract, "partial_history", ["logs", "quarantine"]),
    (_hole_of_a_block, "partial_history", ["quarantine"]),
    (_read_before_it_was_listed, "partial_history", ["not_listed"]),
    (_finding, "nonconserving", ["contradiction", "quarantine"]),
]


@pytest.mark.parametrize(
    ("history", "integrity", "reasons"), CASES, ids=[case.__name__.strip("_") for case, _, _ in CASES]
)
async def test_integrity_is_the_worst_that_holds_with_every_reason(
    world: World,
    client: httpx.AsyncClient,
    history: Callable[[World], None],
    integrity: str,
    reasons: list[str],
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1)
    world.heads(100)
    history(world)

    asset = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:7")).json()
    collection = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}")).json()
    listed = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}/assets")).json()["data"][0]
    held = (await client.get(f"/api/v1/owners/{NETWORK}:{ALICE}/assets")).json()["data"][0]

    answers = (asset, collection, listed, held)
    assert [(each["integrity"], each["integrity_reasons"]) for each in answers] == [(integrity, reasons)] * 4


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


async def test_each_contract_of_a_list_is_judged_by_itself(world: World, client: httpx.AsyncClient) -> None:
    for contract in (CONTRACT, OTHER):
        for token in (7, 8):
            world.mint(contract, token, ALICE, 10)
    world.heads(100)
    world.covered(9, 100)
    world.created(CONTRACT, 9)
    world.finding(CONTRACT, 8)

    assets = (await client.get(f"/api/v1/owners/{NETWORK}:{ALICE}/assets")).json()["data"]

    assert [(asset["contract"], asset["token_id"], asset["integrity_reasons"]) for asset in assets] == [
        (CONTRACT, "7", ["contract_contradicts"]),
        (CONTRACT, "8", ["contradiction"]),
        (OTHER, "7", ["blocks_missing"]),
        (OTHER, "8", ["blocks_missing"]),
    ]


async def test_a_collection_is_judged_up_to_the_ledgers_head(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, mints=1)
    world.heads(100)
    world.head("project", world.partition(CONTRACT), 40)
    world.covered(0, 60)

    collection = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}")).json()

    assert (collection["integrity"], collection["as_of"]["block_number"]) == ("partial_history", 100)


async def test_blocks_that_normalize_has_not_committed_yet_are_no_gap(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)
    world.covered(0, 100)
    world.head("ledger", world.partition(CONTRACT), 103)

    assert (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:7")).json()["integrity"] == "proven"


async def test_a_holder_whom_only_a_retraction_names_is_not_proven_and_everything_is_counted(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, OTHER, ALICE, 20)
    world.event(CONTRACT, 7, OTHER, ALICE, 20, op="revert", revision=2)
    world.owns(CONTRACT, 7, OTHER, -1)
    world.run("UPDATE market.ownership_current SET since = NULL, implicit = true")
    world.counted(CONTRACT, owners=1, assets=1, supply=1, first_block=20, last_block=20)
    world.mint(OTHER, 1, ALICE, 20)
    world.covered(0, 100)
    world.heads(100, finalized=90)

    asset = (await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:7")).raise_for_status().json()
    collection = (await client.get(f"/api/v1/collections/{NETWORK}:{CONTRACT}")).raise_for_status().json()
    other = (await client.get(f"/api/v1/assets/{NETWORK}:{OTHER}:1")).json()

    for answer in (asset, collection):
        assert (answer["integrity"], answer["integrity_reasons"]) == ("unproven", ["implicit"])
    assert (asset["ownership"]["holder"], other["integrity"]) == (OTHER, "proven")
    stats = collection["stats"]
    assert [stats[name] for name in ("owners", "supply", "transfers", "mints", "first_block", "last_block")] == [
        1, "1", 0, 0, 20, 20
    ]  # fmt: skip
    assert (stats["reason"], stats["as_of"]) == (None, None)
