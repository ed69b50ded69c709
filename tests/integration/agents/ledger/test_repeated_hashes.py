"""One transaction hash in two live blocks: both count, each by a name of its own, and the proof is at peace."""

from datetime import date
from importlib.resources import files

import psycopg
import pytest

from ft.agents.ledger.hashes import ranges
from ft.config import Config
from ft.errors import DatabaseUnavailable
from ft.ops.verify.run import parameters
from ft.sql.queries import load
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import (
    NETWORK,
    TIME,
    Block,
    Event,
    LedgerHarness,
    Log,
    account,
    balances,
    journal,
    live_events,
    rows,
    say_hashes_repeat,
    tx,
)

M = account("m")
FEBRUARY = 31 * 43_200
"""Number of its first block: one every 2 s since January began."""
CHECKS = ("ids", "retracted", "copies", "slices", "singles", "multis")
ONE, TWO, THREE = tx("same"), f"{tx('same')}~2", f"{tx('same')}~3"


def mint(number: int, fork: str = "", target: str = "alice") -> Block:
    """A block in which the transaction that all of them share mints one of id 1."""
    return Block(number, [Event(tx="same", target=target, standard="erc1155", contract="m")], fork)


def supply(config: Config) -> int:
    return sum(balances(config).values())


def live(config: Config) -> list[tuple[str, int, int]]:
    """Name, block, revision."""
    return [(row[0], row[1], row[3]) for row in live_events(config)]


def differences(config: Config) -> list[tuple[object, ...]]:
    """What `ft verify` finds in the journal and in who owns what."""
    found = []
    with psycopg.connect(config.postgres) as conn:
        for check in CHECKS:
            found += conn.execute(load("verify")[check], parameters(config)).fetchall()
    return found


@pytest.mark.parametrize("batches", ["one", "each its own"])
async def test_both_mints_of_one_hash_count(config: Config, ledger: LedgerHarness, batches: str) -> None:
    log = Log()
    for number in (1, 2, 3):
        log.append(mint(number))

    await (ledger.read(log) if batches == "one" else ledger.read_one_by_one(log))

    assert live(config) == [(ONE, 1, 1), (TWO, 2, 1), (THREE, 3, 1)]
    assert supply(config) == 3
    assert rows(config, "SELECT count(*) FROM ingest.quarantine") == [(0,)]
    assert differences(config) == []


async def test_a_final_block_and_one_of_another_month_are_found(config: Config, ledger: LedgerHarness) -> None:
    log = Log(finalized=5 * FEBRUARY)
    log.append(mint(1))
    await ledger.read(log)
    for number in (FEBRUARY, 3 * FEBRUARY):
        log.append(mint(number))

    await ledger.read_one_by_one(log)

    assert [row[0] for row in live(config)] == [ONE, TWO, THREE]
    assert differences(config) == []


async def test_first_is_who_was_read_first_also_where_it_stands_higher(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(mint(9))
    log.append(mint(4))

    await ledger.read(log)

    assert live(config) == [(TWO, 4, 1), (ONE, 9, 1)]


@pytest.mark.parametrize("batches", ["one", "each its own"])
async def test_the_second_keeps_its_number_through_reorgs(config: Config, ledger: LedgerHarness, batches: str) -> None:
    log = Log()
    log.append(mint(1))
    log.append(second := mint(2))
    log.revert(second)
    log.append(other := mint(2, "b", "bob"))
    log.revert(other)
    log.append(second)

    await (ledger.read(log) if batches == "one" else ledger.read_one_by_one(log))

    assert live(config) == [(ONE, 1, 1), (TWO, 2, 5)]
    assert [(op, name, revision) for op, _, name, revision in journal(config)] == [
        ("apply", ONE, 1), ("apply", TWO, 1), ("revert", TWO, 2), ("apply", TWO, 3), ("revert", TWO, 4),
        ("apply", TWO, 5),
    ]  # fmt: skip
    assert (supply(config), differences(config)) == (2, [])


async def test_a_reorg_of_both_brings_both_back_as_they_were(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(first := mint(1))
    log.append(second := mint(2))
    log.revert(second)
    log.revert(first)
    log.append(mint(1, "b"))
    log.append(mint(2, "b"))

    await ledger.read_one_by_one(log)

    assert live(config) == [(ONE, 1, 3), (TWO, 2, 3)]
    assert (supply(config), differences(config)) == (2, [])


async def test_what_a_reorg_took_back_comes_back_as_it_was(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(lost := mint(1))
    log.revert(lost)
    log.append(mint(1, "b"))

    await ledger.read_one_by_one(log)

    assert live(config) == [(ONE, 1, 3)]
    assert rows(config, "SELECT tx_hash FROM ledger.copies") == []


async def test_the_first_is_replaced_and_comes_again_while_the_second_stays(
    config: Config, ledger: LedgerHarness
) -> None:
    log = Log(finalized=9)
    log.append(first := mint(1))
    log.append(mint(2))
    log.revert(first, reason="replace")
    log.append(Block(1, fork="without"))
    await ledger.read_one_by_one(log)
    alone = (live(config), supply(config), differences(config))
    log.revert(log.chain[0], reason="replace")
    log.append(mint(1, "again"))

    await ledger.read_one_by_one(log)

    assert alone == ([(TWO, 2, 1)], 1, [])
    assert live(config) == [(ONE, 1, 3), (TWO, 2, 1)]
    assert (supply(config), differences(config)) == (2, [])


async def test_events_that_a_copy_had_in_an_earlier_block_go_on_with_their_revision(
    config: Config, ledger: LedgerHarness
) -> None:
    """A transaction that is run again may do less, and then more."""
    log, less = Log(), Event(tx="same", target="alice", standard="erc1155", contract="m")
    more = Event(tx="same", n=1, target="alice", standard="erc1155", contract="m")
    log.append(mint(1))
    for fork, events in (("a", [less, more]), ("b", [less]), ("c", [less, more])):
        log.append(block := Block(2, events, fork))
        if fork != "c":
            log.revert(block)
    until = len(log.records[0]) - 2  # the last revert and append come in one batch
    await ledger.read(log, until)
    await ledger.read(log)

    assert [(row[0], row[3]) for row in live_events(config)] == [(ONE, 1), (TWO, 5), (TWO, 3)]
    assert differences(config) == []


async def test_a_repeat_changes_nothing(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(mint(1))
    log.append(mint(2))
    for message in list(log.records[0]):
        log.put(message.value)
    log.append(log.chain[-1])

    await ledger.read_one_by_one(log)

    assert live(config) == [(ONE, 1, 1), (TWO, 2, 1)]


@pytest.mark.parametrize("repeat", [True, False])
async def test_another_worker_goes_on_where_one_was_killed(
    config: Config, make_ledger: MakeLedger, repeat: bool
) -> None:
    say_hashes_repeat(config, repeat)
    log = Log()
    log.append(mint(1))
    log.append(second := mint(2))
    await (await make_ledger(owner="killed")).read(log)
    log.revert(second)
    await (await make_ledger(owner="second")).read(log)
    log.append(mint(2, "b"))
    log.append(mint(3))

    await (await make_ledger(owner="third")).read(log)

    assert live(config) == [(ONE, 1, 1), (TWO, 2, 3), (THREE, 3, 1)]
    assert differences(config) == []


async def test_partitions_know_nothing_of_each_other(config: Config, make_ledger: MakeLedger) -> None:
    ledger, log = await make_ledger(partitions=2), Log(partitions=2)
    log.append(mint(1), partition=0)
    log.append(Block(2, [Event(tx="same", target="bob", contract="other")]), partition=1)

    await ledger.read(log)

    assert [row[0] for row in live(config)] == [ONE, ONE]
    assert differences(config) == []


async def test_where_hashes_do_not_repeat_the_journal_is_not_asked_and_unfinal_blocks_are_told_apart(
    config: Config, ledger: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_hashes_repeat(config, False)
    log = Log()
    for number in (1, 2):
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="alice")]))
    queries = load("ledger")
    with monkeypatch.context() as patched:
        patched.setitem(queries, "plain_live", "SELECT not asked")
        patched.setitem(queries, "copies", "SELECT not asked")
        await ledger.read_one_by_one(log)
    log.append(mint(3))
    log.append(mint(4))
    await ledger.read_one_by_one(log)

    assert [row[0] for row in live(config)] == [tx("t1"), tx("t2"), ONE, TWO]
    assert rows(config, "SELECT network FROM ledger.hash_months") == []
    assert differences(config) == []


async def test_where_one_did_repeat_all_the_same_it_is_known_when_its_blocks_are_final(
    config: Config, ledger: LedgerHarness
) -> None:
    say_hashes_repeat(config, False)
    log = Log()
    log.append(mint(1))
    log.append(second := mint(2))
    await ledger.read(log)
    log.finalized = 1
    log.revert(second)
    log.append(mint(2, "b"))

    await ledger.read(log)

    assert live(config) == [(ONE, 1, 1), (TWO, 2, 3)]
    assert differences(config) == []


async def test_a_network_that_says_only_later_that_hashes_repeat_is_asked_for_what_was_read_before(
    config: Config, make_ledger: MakeLedger
) -> None:
    say_hashes_repeat(config, False)
    log = Log(finalized=5 * FEBRUARY)
    log.append(mint(1))
    log.append(Block(FEBRUARY, [Event(tx="february", target="alice")]))
    await (await make_ledger(owner="before")).read(log)
    say_hashes_repeat(config, True)
    log.append(mint(2 * FEBRUARY))

    await (await make_ledger(owner="after")).read(log)

    assert [row[0] for row in live(config)] == [ONE, tx("february"), TWO]
    assert len(rows(config, "SELECT month FROM ledger.hash_months")) == 3


async def test_a_network_that_says_so_no_more_keeps_no_months(config: Config, make_ledger: MakeLedger) -> None:
    log = Log()
    log.append(mint(1))
    await (await make_ledger(owner="before")).read(log)
    asked = rows(config, "SELECT network, month FROM ledger.hash_months")
    say_hashes_repeat(config, False)
    log.append(Block(2, [Event(tx="t", target="alice")]))

    await (await make_ledger(owner="after")).read(log)

    assert asked == [(NETWORK, date(2024, 1, 1))]
    assert rows(config, "SELECT network FROM ledger.hash_months") == []


async def test_a_month_that_is_filled_in_bulk_is_asked_by_the_one_index_it_has(
    config: Config, ledger: LedgerHarness
) -> None:
    bulk(config)
    log = Log(finalized=9)
    log.append(mint(1))
    await ledger.read(log)
    log.append(mint(2))

    await ledger.read(log)

    assert rows(config, "SELECT month, indexed FROM ledger.months") == [(date(2024, 1, 1), False)]
    assert rows(config, INDEXES) == [("events_202401_tx", True)]
    assert [row[0] for row in live(config)] == [ONE, TWO]


async def test_rows_of_a_bare_month_that_were_there_before_are_found(config: Config, make_ledger: MakeLedger) -> None:
    bulk(config)
    say_hashes_repeat(config, False)
    log = Log(finalized=9)
    log.append(mint(1))
    await (await make_ledger(owner="before")).read(log)
    bare = rows(config, INDEXES)
    say_hashes_repeat(config, True)
    log.append(mint(2))

    await (await make_ledger(owner="after")).read(log)

    assert bare == []
    assert [row[0] for row in live(config)] == [ONE, TWO]


async def test_an_index_that_somebody_builds_is_waited_for(config: Config, make_ledger: MakeLedger) -> None:
    say_hashes_repeat(config, False)
    log = Log(finalized=9)
    log.append(mint(1))
    await (await make_ledger(owner="before")).read(log)
    say_hashes_repeat(config, True)
    log.append(mint(2))
    after = await make_ledger(owner="after")
    cut_off(config)
    with pytest.raises(DatabaseUnavailable, match="expected a valid one, got one that is being built"):
        await after.read(log)
    execute(config, "DROP INDEX ledger.events_202401_tx")

    await after.read(log)

    assert [row[0] for row in live(config)] == [ONE, TWO]
    assert rows(config, INDEXES)[-1] == ("events_202401_tx", True)


async def test_ids_that_an_earlier_version_left_live_twice_are_told_apart_by_the_migration(
    config: Config, make_ledger: MakeLedger
) -> None:
    say_hashes_repeat(config, False)  # as then: final blocks were not looked at
    log = Log(finalized=9)
    for number in (1, 2):
        log.append(mint(number))
    await (await make_ledger(owner="before")).read(log)
    before = differences(config)
    migration = (files("ft.sql") / "migrations" / "0021_hashes.sql").read_text()

    execute(config, migration[migration.index("-- Rows of before") :])
    mended = differences(config)
    say_hashes_repeat(config, True)
    log.append(mint(3))
    await (await make_ledger(owner="after")).read(log)

    assert [str(row[0]).partition(ONE)[0] for row in before] == [f"event {NETWORK}:"]
    assert mended == []
    assert live(config) == [(ONE, 1, 1), (TWO, 2, 1), (THREE, 3, 1)]
    assert differences(config) == []


async def test_verify_names_a_copy_that_is_not_known_as_it_is(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(mint(1))
    log.append(mint(2))
    await ledger.read(log)
    rows(config, "UPDATE ledger.copies SET live = false WHERE copy = 2 RETURNING 1")

    what = f"transaction {NETWORK}:{ONE}, copy 2 (partition 0)"
    assert differences(config) == [(what, "live", "not live", 1)]


def test_months_that_follow_each_other_are_asked_together() -> None:
    months = [date(2023, 12, 1), date(2024, 1, 1), date(2024, 2, 1), date(2024, 4, 1)]

    assert ranges(months) == [("2023-12-01 UTC", "2024-03-01 UTC"), ("2024-04-01 UTC", "2024-05-01 UTC")]
    assert ranges([]) == []


INDEXES = """
    SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE x.indrelid = 'ledger.events_202401'::regclass AND NOT x.indisprimary ORDER BY 1
"""


def bulk(config: Config) -> None:
    """A backfill that fills January."""
    rows(
        config,
        'INSERT INTO ingest.bulk (network, "from", "to", from_time, to_time) VALUES (%(network)s, 1, 9,'
        " to_timestamp(%(time)s), to_timestamp(%(time)s)) RETURNING 1",
        {"network": NETWORK, "time": TIME},
    )


def cut_off(config: Config) -> None:
    """The index by hash, as a build leaves it that failed."""
    execute(config, "DROP INDEX ledger.events_202401_tx")
    execute(
        config,
        "INSERT INTO ledger.events SELECT (jsonb_populate_record(e, '{\"seq\": 900}')).* FROM ledger.events e LIMIT 1",
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(config, "CREATE UNIQUE INDEX CONCURRENTLY events_202401_tx ON ledger.events_202401 (network, contract)")
    execute(config, "DELETE FROM ledger.events WHERE seq = 900")


def execute(config: Config, statement: str) -> None:
    """As who owns the journal."""
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute("SET ROLE ft_migrate")
        conn.execute(statement.encode())
