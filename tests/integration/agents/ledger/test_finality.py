"""Heads: where the chain stands and how far it is final, once a second; a row where a mark moves over events."""

import asyncio

import pytest

from ft.config import Config
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import NETWORK, Block, Event, Heard, LedgerHarness, Log, rows

FINALITY = "SELECT seq, block_number, block_hash, control FROM ledger.events WHERE op = 'finality' ORDER BY seq"
TOLD = "SELECT told_safe, told_finalized FROM system.partition_head WHERE consumer = 'ledger'"


def mint(number: int) -> Block:
    return Block(number, [Event(tx=f"t{number}", token=number, target="alice")])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the ledger takes for the time, in seconds."""
    now = [1_000.0]
    monkeypatch.setattr("ft.agents.ledger.hop.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def ledger(make_ledger: MakeLedger, heard: Heard) -> LedgerHarness:
    return await make_ledger(publisher=heard)


def said(heard: Heard) -> list[tuple[int, int]]:
    """Block number of each head, and the seq after which it stands."""
    return [(at.head.number, at.after) for at in heard.heads]


async def test_a_head_is_no_row_where_its_marks_move_over_nothing(
    config: Config, ledger: LedgerHarness, heard: Heard
) -> None:
    log = Log(finalized=0)
    log.append(mint(1))
    log.append(mint(2))

    await ledger.read(log)

    assert rows(config, FINALITY) == []
    (at,) = heard.heads
    assert (at.partition, at.network, at.head.number, at.head.hash) == (0, NETWORK, 2, Block(2).hash)
    assert (at.head.safe, at.head.finalized, at.position, at.after) == (0, 0, 1, 2)


async def test_a_mark_that_moves_over_events_is_a_row_behind_them(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log(finalized=0)
    for number in (1, 2, 3):
        log.append(mint(number))
    await ledger.read(log)
    clock[0] += 1
    log.finalized = 2
    log.append(Block(4))

    await ledger.read(log)

    assert rows(config, FINALITY) == [(4, 4, Block(4).hash, {"safe": 2, "finalized": 2, "position": 3})]
    assert said(heard) == [(3, 3), (4, 4)]
    assert rows(config, TOLD) == [(2, 2)]


async def test_a_mark_moves_over_a_block_once(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log(finalized=0)
    log.append(mint(1))
    await ledger.read(log)
    for number in range(2, 6):
        clock[0] += 1
        log.finalized = number - 1
        log.append(Block(number))
        await ledger.read(log)

    assert [row[:2] for row in rows(config, FINALITY)] == [(2, 2)]
    assert said(heard) == [(1, 1), (2, 2), (3, 2), (4, 2), (5, 2)]


async def test_heads_within_a_second_are_put_off_and_the_timer_says_the_last(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log()
    for number in (1, 2, 3):
        log.append(mint(number))
        await ledger.read(log)
    await ledger.ledger.tick()
    assert said(heard) == [(1, 1)]

    clock[0] += 1.0
    await ledger.ledger.tick()

    assert said(heard) == [(1, 1), (3, 3)]
    assert rows(config, "SELECT next_offset, next_seq FROM system.partition_owner") == [(3, 4)]
    await ledger.ledger.tick()
    assert len(heard.heads) == 2


async def test_a_watermark_that_moves_nothing_is_no_head(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log()
    log.append(mint(1))
    await ledger.read(log)
    clock[0] += 5
    log.watermark()

    await ledger.read(log)

    assert len(heard.heads) == 1
    assert rows(config, "SELECT position FROM system.partition_head") == [(1,)]


async def test_a_head_that_was_put_off_by_a_process_that_died_is_said_by_the_next(
    make_ledger: MakeLedger, heard: Heard, clock: list[float]
) -> None:
    log = Log()
    dying = await make_ledger(owner="dying", publisher=heard)
    for number in (1, 2):
        log.append(mint(number))
        await dying.read(log)
    survivor = await make_ledger(owner="survivor", publisher=heard)

    await survivor.ledger.tick()

    assert said(heard) == [(1, 1), (2, 2)]


async def test_what_a_mark_has_to_move_over_outlives_the_process(
    config: Config, make_ledger: MakeLedger, heard: Heard, clock: list[float]
) -> None:
    log = Log(finalized=0)
    dying = await make_ledger(owner="dying")
    log.append(mint(1))
    log.append(mint(2))
    await dying.read(log)
    survivor = await make_ledger(owner="survivor", publisher=heard)
    log.finalized = 1
    log.append(Block(3))

    await survivor.read(log)

    assert [row[:2] for row in rows(config, FINALITY)] == [(3, 3)]
    clock[0] += 1
    third = await make_ledger(owner="third", publisher=heard)
    log.append(Block(4))
    await third.read(log)
    assert len(rows(config, FINALITY)) == 1
    assert said(heard) == [(3, 3), (4, 3)]


async def test_a_mark_that_falls_before_it_was_said_is_told(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log(finalized=0)
    log.append(mint(1))
    await ledger.read(log)
    for finalized in (3, 2):
        log.finalized = finalized
        log.append(Block(finalized + 2))
        await ledger.read(log)
    clock[0] += 1

    await ledger.ledger.tick()

    assert [row[3]["finalized"] for row in rows(config, FINALITY)] == [2]


async def test_a_block_that_fell_is_waited_for_no_more(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log(finalized=0)
    log.append(Block(1))
    log.append(fallen := mint(2))
    await ledger.read(log)
    clock[0] += 1
    log.revert(fallen)
    log.append(Block(2, fork="b"))
    log.finalized = 2
    log.append(Block(3))

    await ledger.read(log)

    assert rows(config, FINALITY) == []
    assert said(heard)[-1] == (3, 3)


async def test_the_head_after_a_reorg_is_said_within_a_second_like_any_other(
    config: Config, ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log()
    for block in (mint(1), low := Block(2), high := mint(3)):
        log.append(block)
    await ledger.read(log)
    log.revert(high)
    log.revert(low)
    log.append(Block(2, [Event(tx="t3", token=3, target="alice")], fork="b"))

    await ledger.read(log)

    assert said(heard) == [(3, 2)]
    assert rows(config, "SELECT op, seq FROM ledger.events WHERE seq BETWEEN 3 AND 6 ORDER BY seq") == [
        ("revert", 3), ("reorg", 4), ("apply", 5),
    ]  # fmt: skip
    clock[0] += 1.0
    await ledger.ledger.tick()
    assert said(heard) == [(3, 2), (2, 5)]


async def test_events_of_an_older_block_are_followed_by_the_head_that_stands(
    ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log()
    log.append(mint(5))
    await ledger.read(log)
    log.append(mint(2))
    await ledger.read(log)
    assert said(heard) == [(5, 1)]

    clock[0] += 1.0
    await ledger.ledger.tick()
    await ledger.ledger.tick()

    assert said(heard) == [(5, 1), (5, 2)]


async def test_a_partition_that_went_away_and_came_back_is_told_where_it_stands(
    ledger: LedgerHarness, heard: Heard, clock: list[float]
) -> None:
    log = Log()
    log.append(mint(1))
    await ledger.read(log)

    ledger.claims[0].times += 1
    await ledger.ledger.tick()

    assert [(at.head.number, at.after, at.claimed) for at in heard.heads] == [(1, 1, (1, 1)), (1, 1, (1, 2))]


async def test_the_timer_runs_beside_the_batches(config: Config, ledger: LedgerHarness, heard: Heard) -> None:
    await ledger.ledger.start()
    log = Log()
    for number in (1, 2):
        log.append(mint(number))
        await ledger.read(log)

    async with asyncio.timeout(5):
        while said(heard) != [(1, 1), (2, 2)]:  # noqa: ASYNC110 - the timer is a task of its own
            await asyncio.sleep(0.05)
    log.append(mint(3))
    await ledger.read(log)

    assert rows(config, "SELECT count(*), max(seq) FROM ledger.events WHERE op = 'apply'") == [(3, 3)]
