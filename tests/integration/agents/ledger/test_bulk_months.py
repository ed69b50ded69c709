"""Months that a bulk backfill fills: made without indexes, built afterwards by whoever comes, never half."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from random import Random
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from ft.agents.ledger.indexing import Builder, NotOwner
from ft.agents.ledger.recount import Recounter
from ft.config import Config
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import (
    NETWORK,
    TIME,
    Block,
    Event,
    LedgerHarness,
    Log,
    account,
    live_events,
    multi,
    owners,
    rows,
    say_hashes_repeat,
    tx,
)
from tests.integration.agents.ledger.reading import findings
from tests.integration.agents.ledger.telling import Story, contradicting
from tests.integration.ops.verify.proven import failing, verified

FEBRUARY, MARCH = 31 * 43_200, 60 * 43_200
"""Numbers of the first blocks of the months: one every 2 s since January began."""
MONTHS = "SELECT month, indexed FROM ledger.months ORDER BY month"
INDEXES = """
    SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE x.indrelid = 'ledger.events_202401'::regclass AND NOT x.indisprimary ORDER BY 1
"""
ALL = [(f"events_202401_{name}", True) for name in ("before", "block", "from", "to", "token", "tx")]
JANUARY = date(2024, 1, 1)


@pytest.fixture(autouse=True)
def bare(config: Config) -> None:
    """Nobody asks the months for a hash: they need no index while they are filled."""
    say_hashes_repeat(config, False)


def open_job(config: Config, first: int, last: int, state: str = "filling", raw_end: int | None = None) -> int:
    with psycopg.connect(config.postgres) as conn:
        values = (NETWORK, first, last, TIME + 2 * first, TIME + 2 * last, state, raw_end)
        row = conn.execute(
            'INSERT INTO ingest.bulk (network, "from", "to", from_time, to_time, state, raw_end)'
            " VALUES (%s, %s, %s, to_timestamp(%s), to_timestamp(%s), %s, %s) RETURNING id",
            values,
        ).fetchone()
    assert row is not None
    return int(row[0])


def states(config: Config) -> list[str]:
    return [row[0] for row in rows(config, "SELECT state FROM ingest.bulk ORDER BY id")]


def run(config: Config, statement: str) -> None:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute(statement.encode())


def positions(config: Config, *found: int) -> None:
    """How far the ledger's first partitions have read; the others, up to eight, are far ahead."""
    for partition, position in enumerate((*found, *[10**6] * (8 - len(found)))):
        run(
            config,
            "INSERT INTO system.partition_head (consumer, partition, network, position) VALUES"
            f" ('ledger', {partition}, '{NETWORK}', {position}) ON CONFLICT (consumer, partition, network)"
            " DO UPDATE SET position = excluded.position",
        )


async def filled(ledger: LedgerHarness, *numbers: int) -> Log:
    log = Log(finalized=10**9)
    for number in numbers:
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="alice")]))
    await ledger.read(log)
    return log


@pytest.fixture
async def builder(config: Config) -> AsyncIterator[Builder]:
    builder = Builder(config)
    yield builder
    await builder.close()


@contextmanager
def writing(config: Config) -> Iterator[None]:
    """A writer of January that does not end: a concurrent build waits for it."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute("LOCK TABLE ledger.events_202401 IN ROW EXCLUSIVE MODE")
        yield


async def building(config: Config) -> int:
    """The process in Postgres that builds an index, once one does."""
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.to_thread(
                rows, config, "SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database()"
            )
            if found:
                return int(found[0][0])
            await asyncio.sleep(0.02)


async def finished(builder: Builder) -> None:
    """Rounds until nothing is left: a session that was cut off may hold the lock for a moment."""
    for _ in range(600):
        if not await builder.round():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("something is left after a minute")


async def test_only_months_that_an_open_job_fills_and_that_do_not_exist_are_made_without_indexes(
    config: Config, ledger: LedgerHarness
) -> None:
    log = await filled(ledger, 1)
    open_job(config, 1, MARCH - 1)

    for number in (FEBRUARY, MARCH):
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="alice")]))
    await ledger.read(log)

    assert rows(config, MONTHS) == [(JANUARY, True), (date(2024, 2, 1), False), (date(2024, 3, 1), True)]


@pytest.mark.parametrize(
    ("state", "indexed"), [("filling", False), ("written", False), ("indexing", True), ("done", True)]
)
async def test_a_month_is_made_bare_as_long_as_blocks_of_the_job_may_come(
    config: Config, ledger: LedgerHarness, state: str, indexed: bool
) -> None:
    open_job(config, 1, 2, state, None if state == "filling" else 5)

    await filled(ledger, 1)

    assert rows(config, MONTHS) == [(JANUARY, indexed)]


async def test_indexes_are_built_once_every_partition_has_read_the_job_and_then_it_is_done(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    open_job(config, 1, 2, "written", 7)
    await filled(ledger, 1, 2)
    positions(config, 6)

    waiting = await builder.round()
    found = (waiting, states(config), rows(config, MONTHS), rows(config, INDEXES))
    positions(config, 7)
    left = await builder.round()

    assert found == (True, ["written"], [(JANUARY, False)], [])
    assert (left, states(config), rows(config, MONTHS)) == (False, ["done"], [(JANUARY, True)])
    assert rows(config, INDEXES) == ALL


async def test_a_month_of_two_jobs_waits_for_both_and_so_does_the_job_that_was_quicker(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    open_job(config, 1, FEBRUARY, "written", 1)
    slow = open_job(config, FEBRUARY + 5, FEBRUARY + 9)
    await filled(ledger, 1, FEBRUARY)
    positions(config, 1)

    await builder.round()
    found = (states(config), rows(config, MONTHS))
    run(config, f"UPDATE ingest.bulk SET state = 'written', raw_end = 1 WHERE id = {slow}")
    await builder.round()

    assert found == (["indexing", "filling"], [(JANUARY, True), (date(2024, 2, 1), False)])
    assert (states(config), [row[1] for row in rows(config, MONTHS)]) == (["done", "done"], [True, True])


async def test_a_bare_month_that_no_job_speaks_of_is_built_too(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    job = open_job(config, 1, 2)
    await filled(ledger, 1)
    run(config, f"UPDATE ingest.bulk SET state = 'done', raw_end = 0 WHERE id = {job}")

    await builder.round()

    assert (rows(config, MONTHS), rows(config, INDEXES)) == ([(JANUARY, True)], ALL)


async def test_an_index_that_was_cut_off_is_built_again(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    open_job(config, 1, 2, "written", 1)
    await filled(ledger, 1)
    positions(config, 1)
    with writing(config):
        first = asyncio.create_task(builder.round())
        run(config, f"SELECT pg_terminate_backend({await building(config)})")
        with pytest.raises(Exception, match=r"terminat|closed"):
            await first
    cut_off = rows(config, INDEXES)

    await finished(builder)

    assert cut_off == [("events_202401_token", False)]
    assert (rows(config, INDEXES), rows(config, MONTHS), states(config)) == (ALL, [(JANUARY, True)], ["done"])


async def test_a_second_builder_leaves_a_build_alone_and_the_ledger_writes_on(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    open_job(config, 1, 2, "written", 1)
    log = await filled(ledger, 1)
    positions(config, 1)
    second = Builder(config)
    with writing(config):
        first = asyncio.create_task(builder.round())
        await building(config)

        left = await second.round()
        log.append(Block(2, [Event(tx="meanwhile", token=2, target="bob")]))
        await ledger.read(log)

        assert (left, rows(config, MONTHS), first.done()) == (True, [(JANUARY, False)], False)
    assert await first is False
    assert owners(config)[account("c"), 2] == (account("bob"), 1)
    await second.close()


async def test_a_build_that_is_cancelled_ends_at_once_and_is_taken_up_again(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    open_job(config, 1, 2, "written", 1)
    await filled(ledger, 1)
    positions(config, 1)
    with writing(config):
        first = asyncio.create_task(builder.round())
        await building(config)
        first.cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()

    await finished(builder)

    assert (rows(config, INDEXES), states(config)) == (ALL, ["done"])


async def test_a_month_with_an_index_missing_cannot_be_called_indexed(config: Config, ledger: LedgerHarness) -> None:
    open_job(config, 1, 2)
    await filled(ledger, 1)

    with pytest.raises(psycopg.errors.RaiseException, match="missing or invalid: events_202401_token"):
        run(config, "SELECT ledger.month_is_indexed('2024-01-01')")


async def test_a_login_that_may_not_build_says_so_and_another_one_does_it(
    config: Config, ledger: LedgerHarness, builder: Builder
) -> None:
    open_job(config, 1, 2, "written", 1)
    await filled(ledger, 1)
    positions(config, 1)
    login = f"only_writes_{urlsplit(config.postgres).path[-8:]}"
    run(config, f"CREATE ROLE {login} LOGIN PASSWORD 'p' IN ROLE ft_writer")
    try:
        where = urlsplit(config.postgres)
        url = where._replace(netloc=f"{login}:p@{where.hostname}:{where.port}").geturl()
        lesser = Builder(Config(home=config.home, cache=config.cache, addresses={"FT_POSTGRES": url}))

        with pytest.raises(
            NotOwner, match=rf"expected a login that may act as ft_migrate, got {login}. Run `ft index`"
        ):
            await lesser.round()

        await lesser.note("told")
        noted = rows(config, "SELECT state, error FROM ingest.bulk")
        await lesser.close()
        await builder.round()
        assert noted == [("indexing", "told")]
        assert rows(config, "SELECT state, error FROM ingest.bulk") == [("done", None)]
    finally:
        run(config, f"DROP ROLE {login}")


async def test_unfinal_slices_of_a_bare_month_are_remembered_after_a_restart(
    config: Config, make_ledger: MakeLedger
) -> None:
    open_job(config, 1, 2)
    log = Log()
    log.append(block := Block(1, [Event(tx="mint", target="alice")]))
    first = await make_ledger()
    await first.read(log)
    run(
        config,
        "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset) VALUES"
        f" ('{NETWORK}', 1, '{block.hash}', '', now(), 'canonical', 'receipts', 0)",
    )
    second = await make_ledger(owner="two")
    log.append(Block(2, [Event(tx="mint", target="alice")]))

    await second.read(log)

    assert [row[0] for row in live_events(config)] == [tx("mint"), f"{tx('mint')}~2"]


async def test_what_a_retraction_gives_back_in_a_bare_month_has_no_since(config: Config, ledger: LedgerHarness) -> None:
    open_job(config, 1, 3)
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(lost := Block(2, [Event(tx="move", source="alice", target="bob")]))
    await ledger.read(log)

    log.revert(lost)
    await ledger.read(log)

    assert rows(config, "SELECT account, since FROM market.ownership_current") == [(account("alice"), None)]


async def test_it_has_one_where_the_month_is_indexed(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(lost := Block(2, [Event(tx="move", source="alice", target="bob")]))
    await ledger.read(log)

    log.revert(lost)
    await ledger.read(log)

    since: Any = datetime.fromtimestamp(TIME + 2, UTC)
    assert rows(config, "SELECT account, since FROM market.ownership_current") == [(account("alice"), since)]


HELD = "SELECT account, extract(epoch FROM since)::bigint, block_number FROM projection.ownership_view ORDER BY account"
UNDATED = "SELECT slot FROM ledger.undated"


async def undated(config: Config, ledger: LedgerHarness, low: list[Event], moves: list[Event]) -> Log:
    """A bare month with an event, above it a block that moves on and is retracted."""
    open_job(config, 1, 3)
    log = Log()
    log.append(Block(1, low))
    log.append(lost := Block(MARCH, moves))
    await ledger.read(log)
    log.revert(lost)
    await ledger.read(log)
    return log


GIVEN_BACK = [
    ([Event(tx="mint", target="alice")], [Event(tx="move", source="alice", target="bob")], 1),
    ([multi("mint", "", "alice", 5)], [multi("move", "alice", "bob", 2)], -1),
]


@pytest.mark.parametrize(("low", "moves", "place"), GIVEN_BACK)
async def test_what_a_bare_month_gives_back_is_dated_once_it_is_indexed(
    config: Config, ledger: LedgerHarness, builder: Builder, recounter: Recounter, low: list[Event],
    moves: list[Event], place: int,
) -> None:  # fmt: skip
    await undated(config, ledger, low, moves)
    await recounter.round()
    bare = rows(config, HELD)
    run(config, "UPDATE ingest.bulk SET state = 'done', raw_end = 0")
    await builder.round()

    await recounter.round()

    assert bare == [(account("alice"), None, place)]
    assert rows(config, HELD) == [(account("alice"), Block(1).time, 1)]
    assert rows(config, UNDATED) == []


async def test_a_token_that_was_sent_to_oneself_above_a_bare_month_is_dated_once_it_is_indexed(
    config: Config, ledger: LedgerHarness, builder: Builder, recounter: Recounter
) -> None:
    open_job(config, 1, 3)
    log = Log()
    log.append(Block(MARCH, [Event(tx="self", source="alice", target="alice")]))
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    await ledger.read_one_by_one(log)
    bare = rows(config, HELD)
    run(config, "UPDATE ingest.bulk SET state = 'done', raw_end = 0")
    await builder.round()

    await recounter.round()

    assert bare == [(account("alice"), None, MARCH)]
    assert rows(config, HELD) == [(account("alice"), Block(1).time, MARCH)]


@pytest.mark.parametrize(("low", "moves", "place"), GIVEN_BACK)
async def test_what_moves_on_while_it_is_dated_keeps_what_the_ledger_says(
    config: Config, ledger: LedgerHarness, recounter: Recounter, monkeypatch: pytest.MonkeyPatch, low: list[Event],
    moves: list[Event], place: int,
) -> None:  # fmt: skip
    log = await undated(config, ledger, low, moves)
    run(config, "UPDATE ledger.months SET indexed = true")
    log.append(Block(MARCH + 1, moves))
    look = recounter._look_at_undated

    async def looking(*arguments: Any) -> object:
        seen = await look(*arguments)
        await ledger.read(log)
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(recounter, "_look_at_undated", looking)
        await recounter.round()
    between = rows(config, HELD)

    await recounter.round()

    top = (Block(MARCH + 1).time, MARCH + 1)
    left = place < 0  # a balance, of which alice has some left
    assert between == [(account("bob"), *top), *[(account("alice"), None, MARCH + 1)] * left]
    assert rows(config, HELD) == [(account("bob"), *top), *[(account("alice"), Block(1).time, MARCH + 1)] * left]


async def test_a_balance_that_stands_on_a_bare_month_marks_its_contract(config: Config, ledger: LedgerHarness) -> None:
    """Where it stands is not known: what comes below it cannot be told."""
    low, moves, _ = GIVEN_BACK[1]

    await undated(config, ledger, low, moves)

    assert rows(config, "SELECT contract FROM projection.recounts") == [(account("c"),)]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_was_told_while_a_month_was_bare_is_dated_as_the_journal_says(
    config: Config, ledger: LedgerHarness, recounter: Recounter, seed: int
) -> None:
    """Random events, with reorgs, replaced blocks and ranges read late; batches of any size."""
    open_job(config, 1, 2)
    run(config, "UPDATE ref.networks SET start_block = 1")
    story, random, at = Story(Random(seed)), Random(seed), 0
    while story.tell():
        if random.random() < 0.5:
            at = max(at, random.randint(0, len(story.log.records.get(0, []))))
            await ledger.read(story.log, until=at)
    await ledger.read(story.log)
    waiting = rows(config, UNDATED)
    story.normalized(config)
    run(config, "UPDATE ledger.months SET indexed = true")

    await recounter.round()

    assert waiting
    assert (rows(config, UNDATED), set(findings(config))) == ([], contradicting(story.log.chain))
    assert failing(verified(config)).keys() & {"singles", "multis"} == set()
