"""Control rows: how far the chain is final, at most once a second."""

import asyncio

import pytest

from ft.config import Config
from tests.integration.ledger.conftest import MakeLedger
from tests.integration.ledger.harness import Block, Event, LedgerHarness, Log, rows

FINALITY = "SELECT seq, block_number, block_hash, control FROM ledger.events WHERE op = 'finality' ORDER BY seq"


def mint(number: int) -> Block:
    return Block(number, [Event(tx=f"t{number}", token=number, target="alice")])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the ledger takes for the time, in seconds."""
    now = [1_000.0]
    monkeypatch.setattr("ft.agents.ledger.hop.time.monotonic", lambda: now[0])
    return now


async def test_the_head_after_a_batch_is_a_row_after_its_events(config: Config, ledger: LedgerHarness) -> None:
    log = Log(finalized=0)
    log.append(mint(1))
    log.append(mint(2))

    await ledger.read(log)

    assert rows(config, FINALITY) == [(3, 2, Block(2).hash, {"safe": 0, "finalized": 0, "position": 1})]


async def test_heads_within_a_second_are_put_off_and_the_timer_writes_the_last(
    config: Config, ledger: LedgerHarness, clock: list[float]
) -> None:
    log = Log()
    for number in (1, 2, 3):
        log.append(mint(number))
        await ledger.read(log)
    await ledger.ledger.tick()
    assert [row[1] for row in rows(config, FINALITY)] == [1]

    clock[0] += 1.0
    await ledger.ledger.tick()

    assert [row[:2] for row in rows(config, FINALITY)] == [(2, 1), (5, 3)]
    assert rows(config, "SELECT next_offset, next_seq FROM system.partition_owner") == [(3, 6)]
    await ledger.ledger.tick()
    assert len(rows(config, FINALITY)) == 2


async def test_a_watermark_that_moves_nothing_is_no_row(
    config: Config, ledger: LedgerHarness, clock: list[float]
) -> None:
    log = Log()
    log.append(mint(1))
    await ledger.read(log)
    clock[0] += 5
    log.watermark()

    await ledger.read(log)

    assert len(rows(config, FINALITY)) == 1
    assert rows(config, "SELECT position FROM system.partition_head") == [(1,)]


async def test_a_row_that_was_put_off_by_a_process_that_died_is_written_by_the_next(
    config: Config, make_ledger: MakeLedger, clock: list[float]
) -> None:
    log = Log()
    dying = await make_ledger(owner="dying")
    for number in (1, 2):
        log.append(mint(number))
        await dying.read(log)
    survivor = await make_ledger(owner="survivor")

    await survivor.ledger.tick()

    assert [row[1] for row in rows(config, FINALITY)] == [1, 2]


async def test_the_head_after_a_reorg_is_told_within_a_second_like_any_other(
    config: Config, ledger: LedgerHarness, clock: list[float]
) -> None:
    log = Log()
    for block in (mint(1), low := Block(2), high := mint(3)):
        log.append(block)
    await ledger.read(log)
    log.revert(high)
    log.revert(low)
    log.append(Block(2, [Event(tx="t3", token=3, target="alice")], fork="b"))

    await ledger.read(log)

    assert [row[:2] for row in rows(config, FINALITY)] == [(3, 3)]
    assert rows(config, "SELECT op, seq FROM ledger.events WHERE seq BETWEEN 4 AND 7 ORDER BY seq") == [
        ("revert", 4), ("reorg", 5), ("apply", 6),
    ]  # fmt: skip
    clock[0] += 1.0
    await ledger.ledger.tick()
    assert [row[1] for row in rows(config, FINALITY)] == [3, 2]


async def test_the_timer_runs_beside_the_batches(config: Config, ledger: LedgerHarness) -> None:
    await ledger.ledger.start()
    log = Log()
    for number in (1, 2):
        log.append(mint(number))
        await ledger.read(log)

    async with asyncio.timeout(5):
        while [row[1] for row in rows(config, FINALITY)] != [1, 2]:  # noqa: ASYNC110 - the event is in Postgres
            await asyncio.sleep(0.05)
    log.append(mint(3))
    await ledger.read(log)

    assert rows(config, "SELECT count(*), max(seq) FROM ledger.events WHERE op = 'apply'") == [(3, 5)]
