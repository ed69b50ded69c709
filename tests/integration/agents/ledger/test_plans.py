"""The ledger's look-ups stay look-ups while its tables grow under an open connection."""

from ft.config import Config
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import Block, Event, LedgerHarness, Log, rows

BLOCKS = 30
ROWS = 20_000
_GROW = (
    "INSERT INTO ledger.applied_blocks SELECT 'ledger', 'other', 'hash ' || i, 0, 'applied', i, now(), '', '', i, i"
    " FROM generate_series(1, {rows}) i"
)
_ROWS_READ = (
    "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
    " WHERE schemaname = 'ledger' AND relname = 'applied_blocks'"
)

_GROW_JOURNAL = """
    INSERT INTO ledger.events
    SELECT (jsonb_populate_record(one.e, jsonb_build_object('seq', 100000 + i, 'tx_hash', 'hash ' || i))).*
    FROM (SELECT e FROM ledger.events e WHERE e.op = 'apply' LIMIT 1) one CROSS JOIN generate_series(1, {rows}) i
"""
_JOURNAL_READ = (
    "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
    " WHERE schemaname = 'ledger' AND relname = 'events_202401'"
)


async def test_finding_a_batchs_slices_does_not_read_the_whole_table(config: Config, make_ledger: MakeLedger) -> None:
    ledger, log = await make_ledger(), Log()
    for batch in range(10):  # more often than it takes to keep a plan
        await _read(ledger, log, batch)
    rows(config, _GROW.format(rows=ROWS) + " RETURNING 1")
    for batch in range(10, 15):
        await _read(ledger, log, batch)

    await ledger.close()  # a connection's counts are there at the latest when it is closed

    assert rows(config, _ROWS_READ)[0][0] < ROWS


async def test_looking_for_hashes_does_not_read_the_whole_journal(config: Config, make_ledger: MakeLedger) -> None:
    ledger, log = await make_ledger(), Log()
    for batch in range(10):
        await _read(ledger, log, batch, blocks=3)
    rows(config, _GROW_JOURNAL.format(rows=ROWS) + " RETURNING 1")
    for batch in range(10, 15):
        await _read(ledger, log, batch, blocks=3)

    await ledger.close()

    assert rows(config, _JOURNAL_READ)[0][0] < ROWS


async def _read(ledger: LedgerHarness, log: Log, batch: int, blocks: int = BLOCKS) -> None:
    for number in range(blocks * batch, blocks * (batch + 1)):
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="a")]))
    await ledger.read(log)
