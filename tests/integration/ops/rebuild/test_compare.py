"""Two ledgers of the same log are equal, and every kind of difference is named."""

from collections.abc import AsyncIterator

import pytest

from ft.config import Config
from ft.ops.rebuild import compare
from ft.ops.rebuild.compare import CHAIN_CHECKS, SLOT_CHECKS
from ft.ops.rebuild.shadow import Shadow
from ft.ops.verify.run import Outcome
from ft.sql.queries import LIVE
from tests.integration.agents.ledger.harness import NETWORK
from tests.integration.ops.verify.proven import execute, run_ledger


@pytest.fixture
async def shadow(config: Config) -> AsyncIterator[Shadow]:
    """A ledger that is served, and a second one beside it, both of one chain with reorgs."""
    await run_ledger(config)
    with Shadow(config, "ledger", []) as made:
        await run_ledger(config, generation=made.generation)
        yield made


def compared(shadow: Shadow, damage: str = "") -> dict[str, Outcome]:
    """What comes of it after the served ledger was damaged so; the damage is undone."""
    conn = shadow.conn
    with conn.transaction(force_rollback=True):
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        if damage:
            assert conn.execute(damage.encode()).rowcount > 0, damage
        live = compare.places(conn, LIVE, [NETWORK])
        slots, chains = compare.level(live, compare.places(conn, shadow.generation, [NETWORK]))
        outcomes = [
            *compare.compare_slots(conn, shadow.generation, slots),
            *compare.compare_chains(conn, shadow.generation, chains),
        ]
    return {outcome.name: outcome for outcome in outcomes}


async def test_two_ledgers_of_one_log_are_equal(shadow: Shadow) -> None:
    outcomes = compared(shadow)

    assert {name: outcome.count for name, outcome in outcomes.items()} == dict.fromkeys(SLOT_CHECKS | CHAIN_CHECKS, 0)
    looked_at = {name: outcome.looked_at for name, outcome in outcomes.items()}
    assert min(looked_at[name] for name in ("events", "deltas", "ownership", "slices", "blocks")) > 10
    assert (looked_at["marks"], looked_at["coverage"], looked_at["holes"]) == (2, 1, 0)


ONE = "(partition, seq) = (SELECT partition, max(seq) FROM ledger.events WHERE op = 'apply' GROUP BY 1 LIMIT 1)"
HOLDING = (
    "ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot = '' AND account <> '0x' || repeat('0', 40))"
)
AGAIN = (
    "partition, seq + 1000, network, block_number, block_hash, block_time, tx_hash, tx_from, contract, topic0, n,"
    ' sub_index, log_index, revision, op, standard, token_id, "from", "to", operator, quantity, control'
)
UNKNOWN = f"('{NETWORK}', '0xunknown', 1, '', '0xthief', 1, now(), 1, 0, 0, 'erc721', false)"
HOLE = (
    "(network, block_number, block_hash, reason, error, payload, raw_offset)"
    f" VALUES ('{NETWORK}', 7, '', '', '', '', 0)"
)
DAMAGES = {
    "an event says something else": ("events", f"UPDATE ledger.events SET log_index = 999 WHERE {ONE}"),
    "an event is not there": ("events", f"DELETE FROM ledger.events WHERE {ONE}"),
    "an event is there twice": ("events", f"INSERT INTO ledger.events SELECT {AGAIN} FROM ledger.events WHERE {ONE}"),
    "a sum": ("deltas", f"UPDATE ledger.events SET quantity = quantity + 1 WHERE {ONE}"),
    "an owner": ("ownership", f"UPDATE market.ownership_current SET account = '0xthief' WHERE {HOLDING}"),
    "since when": ("ownership", f"UPDATE market.ownership_current SET since = now() WHERE {HOLDING}"),
    "a holding without events": ("ownership", f"INSERT INTO market.ownership_current VALUES {UNKNOWN}"),
    "a slice": ("slices", "UPDATE ledger.applied_blocks SET proof = 'logs'"),
    "a head": ("marks", "UPDATE system.partition_head SET head_number = 1"),
    "a block": ("blocks", "UPDATE ingest.blocks SET hash = '0xother' WHERE number = 5 AND state = 'canonical'"),
    "a block that is final": ("blocks", "UPDATE ingest.blocks SET final = true WHERE number = 5"),
    "coverage": ("coverage", "UPDATE ingest.coverage SET proof = 'logs'"),
    "a hole": ("holes", f"INSERT INTO ingest.quarantine {HOLE}"),
}


async def test_every_kind_of_difference_is_named(shadow: Shadow) -> None:
    missed = {}
    for name, (check, damage) in DAMAGES.items():
        found = {outcome.name: list(outcome.differences) for outcome in compared(shadow, damage).values()}
        if not found[check]:
            missed[name] = found

    assert missed == {}


async def test_partitions_that_do_not_stand_at_the_same_place_are_not_compared(config: Config, shadow: Shadow) -> None:
    execute(config, "UPDATE system.partition_head SET position = position - 1 WHERE partition = 0")
    execute(config, "UPDATE ledger.events SET quantity = 99 WHERE partition = 0 AND op = 'apply'")
    execute(config, "UPDATE market.ownership_current o SET quantity = 99 FROM ledger.events e WHERE e.partition = 0"
                    " AND e.contract = o.contract")  # fmt: skip

    outcomes = compared(shadow)

    assert {name: outcome.count for name, outcome in outcomes.items() if outcome.count} == {}
    assert outcomes["marks"].looked_at == 1
    assert outcomes["blocks"].looked_at == 0, "a chain is compared with all of its partitions"


async def test_order_of_arrival_may_differ(shadow: Shadow) -> None:
    later = "UPDATE ledger.applied_blocks SET seq_from = seq_from + 5, seq_to = seq_to + 5"

    assert {name for name, outcome in compared(shadow, later).items() if outcome.count} == set()
