"""A database that has no room: the worker ends, is started again, and goes on once there is room; nothing is lost."""

from typing import Final

import pytest

from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.report import Summary
from tests.acceptance.faults.supervisor import Feeder, supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.synthetic.rawlog import written

SEED: Final = 20260106
# What Postgres answers when a table cannot be extended: SQLSTATE 53100.
_FULL: Final = """
CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON ledger.applied_blocks FOR EACH STATEMENT EXECUTE FUNCTION public.full_disk();
"""
_ROOM: Final = "DROP TRIGGER full_disk ON ledger.applied_blocks"


@pytest.mark.timeout(400)
def test_a_full_disk_ends_the_workers_until_there_is_room_and_loses_nothing(world: World, summary: Summary) -> None:
    log = written(seed=SEED, network=NETWORK, events=5_000, logs=50)
    with supervised(world.config) as workers, world.connect() as conn:
        applied = lambda: conn.execute("SELECT FROM ledger.applied_blocks LIMIT 1").rowcount == 1  # noqa: E731
        feeder = Feeder(world.write, world.encoded(log.records), over_s=8.0)
        feeder.start()
        workers.until(applied, "the ledger to begin", 60)
        conn.execute(_FULL.encode())
        workers.until(lambda: len(workers.exits) >= 2, "workers to end", 60)
        conn.execute(_ROOM)
        workers.until(lambda: not feeder.is_alive() and world.caught_up(conn), "everything to come through", 180)
        assert feeder.error is None

    assert all(code > 0 for _, code in workers.exits)
    require_exactly_once(world, log.chain)
    summary.add(
        "no room for the ledger", f"{len(workers.exits)} restarts until there was; nothing lost, nothing double"
    )
