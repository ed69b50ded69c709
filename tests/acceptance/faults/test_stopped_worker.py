"""A worker that stands still for longer than its session, a transaction open, and then wakes up."""

import signal
import time
from typing import Any, Final

import psutil
import psycopg
import pytest

from ft.children import Child
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.recovery import Monitor, WorkerWatch
from tests.acceptance.faults.supervisor import Supervisor, supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.synthetic.rawlog import written

SEED: Final = 20260102
REFUSED: Final = (
    '"kind":"Fenced"',
    '"batch dropped"',
    '"batch is tried again"',
    '"claim is tried again"',
    '"heads are put off"',
    '"announcing waits for Postgres"',
    '"watch waits"',
)
_PORTS: Final = """
    SELECT client_port FROM pg_stat_activity WHERE xact_start IS NOT NULL AND datname = current_database()
       AND split_part(application_name, ' ', 2) IN ('normalize', 'ledger', 'publisher', 'project', 'heads')
"""


@pytest.mark.timeout(300)
def test_a_stopped_worker_is_replaced_and_refused_when_it_wakes(world: World, long: bool) -> None:
    """Awake, it finds its transaction gone; then either the fence ends it, or it hears from the group first that its
    partitions are another's, drops what it had in hand and works on as a new member."""
    log = written(seed=SEED, network=NETWORK, events=60_000 if long else 15_000, logs=50)
    records = world.encoded(log.records)
    half = len(records) // 2
    with supervised(world.config) as workers, world.connect() as conn:
        monitor = Monitor(world, conn, workers)
        workers.until(monitor.held, "the workers to hold their partitions", 60)
        world.write(records[:half])
        name, zombie = _stop_one_at_work(workers, conn)
        del workers.workers[name]
        watch = WorkerWatch(monitor, monitor.mark(zombie.process.pid))
        monitor.recoveries([watch], time.monotonic(), 120)
        workers.until(lambda: world.caught_up(conn), "the other one to do all the work", 90)
        told_before = len(zombie.log.read_text())

        zombie.kill(signal.SIGCONT)
        workers.workers[name] = zombie
        world.write(records[half:])
        workers.until(lambda: world.caught_up(conn), "everything to come through", 90)
        told = zombie.log.read_text()[told_before:]
        print(f"seed {SEED}: held and at work again after {watch.seen} s; ended by themselves {workers.exits}")

    require_exactly_once(world, log.chain)
    assert workers.exits in ([], [(name, 1)])
    assert workers.exits == [] or '"kind":"Fenced"' in told
    assert any(word in told for word in REFUSED), told


def _stop_one_at_work(workers: Supervisor, conn: psycopg.Connection[Any]) -> tuple[str, Child]:
    """SIGSTOP one in the middle of a transaction of its records."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for name, worker in workers.workers.items():
            worker.kill(signal.SIGSTOP)
            time.sleep(0.05)  # what Postgres was asked before is answered
            open_ports = {port for (port,) in conn.execute(_PORTS).fetchall()}
            mine = psutil.Process(worker.process.pid).net_connections("tcp")
            if open_ports & {connection.laddr.port for connection in mine}:
                return name, worker
            worker.kill(signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError("no worker was met in the middle of a transaction within 30 s")
