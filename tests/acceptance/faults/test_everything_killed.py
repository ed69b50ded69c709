"""Workers, source and publisher killed and stopped every few seconds: nothing is lost, nothing comes twice."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from ft.config import Config
from tests.acceptance.faults.accounting import repeats_in_normalized, require_exactly_once
from tests.acceptance.faults.rebuild import rebuilt, require_equal, require_rebuilt
from tests.acceptance.faults.recovery import Monitor
from tests.acceptance.faults.report import Summary, by_depth
from tests.acceptance.faults.soak import Soak
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.synthetic.script import script

BACK_MAX_S: Final = 15.0
SHORT_EVENTS: Final = 10_000
SHORT_OVER_S: Final = 30.0
EVENTS_A_REORG: Final = 2_000
SHORT_KINDS: Final = ("publisher and backfill killed", "worker and source stopped", "worker and source killed")
START_S: Final = 180.0
SETTLE_S: Final = 300.0
_REORGS: Final = "SELECT (control->>'depth')::int FROM ledger.events WHERE op = 'reorg' ORDER BY block_number, seq"


@pytest.mark.timeout(1800)
def test_a_killed_pipeline_loses_nothing_and_does_nothing_twice(
    world: World,
    another: Callable[[], Config],
    tmp_path: Path,
    summary: Summary,
    seed: int,
    long: bool,
    pytestconfig: pytest.Config,
) -> None:
    began = time.monotonic()
    events = pytestconfig.getoption("--events") if long else SHORT_EVENTS
    over_s = pytestconfig.getoption("--over") if long else SHORT_OVER_S
    logs = 50 if events >= 50_000 else 20  # there must be enough blocks below finality to read twice
    made = script(seed=seed, network=NETWORK, events=events, reorgs=events // EVENTS_A_REORG, logs=logs)
    with supervised(world.config) as workers, world.connect() as conn:
        workers.exits_max = 1_000
        monitor = Monitor(world, conn, workers)
        workers.until(monitor.held, "the workers to hold their partitions", START_S)
        soak = Soak(world, made, workers, monitor, over_s=over_s)
        if not long:
            soak.kinds, soak.faults_max = SHORT_KINDS, len(SHORT_KINDS)
        soak.start(tmp_path)
        soak.harass()
        soak.settle(conn, SETTLE_S)
        depths = [row[0] for row in conn.execute(_REORGS).fetchall()]
        if long:
            require_rebuilt(world)
        codes = workers.stop()

    _tell_faults(soak, summary)
    summary.add("events, blocks", f"{sum(len(b.moves) for b in made.chain.blocks)}, {len(made.chain.blocks)}")
    summary.add("reorgs of the chain by depth", by_depth(made.reorgs))
    summary.add("reorgs in the journal by depth", by_depth(depths))
    count = require_exactly_once(world, made.chain)
    total, repeated = repeats_in_normalized(world)
    summary.add("lost, strange, double", f"{count.lost}, {count.strange}, {count.double}")
    summary.add("ownership_changed", f"{count.records} records, {count.repeats} repeats dropped, {count.gaps} gaps")
    summary.add("normalized", f"{total} records, {repeated} of them repeated")
    summary.add("ft verify", "exit 0")
    if long:
        summary.add("ft rebuild ledger", "exit 0, equal")
        other = rebuilt(world.read(world.raw, 0), another())
        require_equal(world, other)
        other.close()
        summary.add("another deployment, same raw", "equal")
    summary.add("duration", f"{time.monotonic() - began:.0f} s")
    print(summary.table())
    assert soak.unexplained() == []
    assert all(code != 0 for code in soak.strikes.fenced)
    assert set(codes.values()) == {0}
    assert len(soak.seen) >= 2
    # A backfill waits, by design, while the ledger is behind and a follower lives.
    measured = [(part, each) for part, each in soak.seen if part[0] != "backfill"]
    slow = [(part, each) for part, each in measured if long and (each.back_s or 0.0) > BACK_MAX_S]
    assert slow == [], f"held/back/all s, expected at most {BACK_MAX_S:.0f} s until back"


def _tell_faults(soak: Soak, summary: Summary) -> None:
    summary.add("session timeout", f"{soak.world.config.session_timeout_s:g} s")
    summary.add("processes killed, stopped", len(soak.seen))
    for part in sorted({part for part, _ in soak.seen}):
        summary.recoveries(" ".join(part), [each for name, each in soak.seen if name == part])
    summary.recoveries("all together", [each for _, each in soak.seen])
    summary.add("ended by themselves", f"{soak.workers.exits}; sources fenced: exit {soak.strikes.fenced}")
