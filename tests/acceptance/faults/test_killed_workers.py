"""Workers that are killed while 100,000 events and their reorgs go through: nothing is lost, nothing comes twice."""

import os
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from tests.acceptance.faults.supervisor import Feeder, Monitor, Resumption, Supervisor, supervised
from tests.acceptance.faults.world import NETWORK, World, repeats_in_normalized, require_exactly_once
from tests.synthetic.rawlog import written

EVENTS: Final = int(os.environ.get("FT_FAULT_EVENTS", "100000"))
SEED: Final = int(os.environ.get("FT_FAULT_SEED", "20260101"))
KILLS_MAX: Final = int(os.environ.get("FT_FAULT_KILLS", "4"))
"""Each one costs the group its session timeout; without an end to them, 100,000 events take minutes."""
FED_OVER_S: Final = 30.0
RUN_S: Final = 240.0


@pytest.mark.timeout(900)
def test_killed_workers_lose_nothing_and_do_nothing_twice(world: World) -> None:
    """kill -9 of one of two workers every few seconds, a new one at once; then everything is counted."""
    random = Random(SEED)
    with supervised(world.config) as workers, world.connect() as conn:
        log = written(seed=SEED, network=NETWORK, events=EVENTS)
        monitor = Monitor(conn, workers, world.claims)
        workers.until(lambda: monitor.look().held, "the workers to hold their partitions", 60)
        records = world.encoded(log.records)
        feeder = Feeder(world.write, records, FED_OVER_S)
        feeder.start()
        done = lambda: not feeder.is_alive() and world.caught_up(conn)  # noqa: E731
        seen = _kill_until(done, workers, monitor, random)
        workers.until(done, "everything to come through", RUN_S)
        assert feeder.error is None
        epochs = conn.execute("SELECT sum(epoch), max(epoch) FROM system.partition_owner").fetchone()
        codes = workers.stop()

    subscriber = require_exactly_once(world, log)
    total, repeated = repeats_in_normalized(world)
    print(f"seed {SEED}: {len(records)} raw records, {EVENTS} events, {len(log.reorgs)} reorgs, depths {log.reorgs}")
    print(f"kills {workers.kills}, ended by themselves {workers.exits}, epochs in all and at most {epochs}")
    print(f"normalized: {total} records, {repeated} of them repeated")
    print(f"ownership_changed: {subscriber.records} records, {subscriber.repeats} of them repeated")
    print(f"s from a kill until all is held again, and until work goes on: {seen}")
    print(f"longest time without a commit: {monitor.longest_stall_s:.1f} s")
    assert workers.kills >= min(3, KILLS_MAX)
    assert workers.exits == []
    assert codes == {"first": 0, "second": 0}


def _kill_until(done: Callable[[], bool], workers: Supervisor, monitor: Monitor, random: Random) -> list[Resumption]:
    """Kill one that holds partitions, wait until work goes on, let it go on for a while, and again."""
    seen: list[Resumption] = []
    while workers.kills < KILLS_MAX and not workers.comes_true(done, within_s=random.uniform(1, 4)):
        holders = [name for name in workers.names if workers.workers[name].process.pid in monitor.look().owners]
        if holders:
            workers.kill(random.choice(holders))
            seen.append(monitor.after_kill(done, within_s=60))
    return seen
