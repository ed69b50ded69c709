"""Postgres and Kafka go away in the middle and come back: the workers go on, or end and are started again."""

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ft import embedded
from ft.config import Config
from ft.embedded import processes
from ft.embedded.lifecycle import Fleet, known_ports
from ft.embedded.places import Places
from ft.embedded.progress import Quiet
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import Feeder, Supervisor, supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.conftest import download_cache
from tests.synthetic.rawlog import written

SEED: Final = 20260104
AWAY_S: Final = 4.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Config]:
    """Servers of this test's own, which it may kill."""
    config = Config(home=tmp_path / "servers", cache=download_cache(), addresses={})
    try:
        yield config
    finally:
        embedded.remove(config)


@pytest.fixture
def own(home: Config, tmp_path: Path) -> Iterator[World]:
    """A deployment on them."""
    config = replace(embedded.start(home), networks_file=tmp_path / "networks.toml", session_timeout_s=6.0)
    made = World(config)
    yield made
    made.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_postgres_and_kafka_are_restarted_and_nothing_is_lost(home: Config, own: World, how: signal.Signals) -> None:
    log = written(seed=SEED, network=NETWORK, events=30_000, logs=50)
    with supervised(own.config) as workers:
        workers.until(lambda: _committed(own) >= 0, "the workers to hold their partitions", 60)
        feeder = Feeder(own.write, own.encoded(log.records), over_s=25.0)
        feeder.start()
        took = {}
        for name in ("postgres", "kafka"):
            _see_work(own, workers, records=200)
            _away(home, name, how, workers)
            took[name] = round(_see_work(own, workers, records=1), 1)
        workers.until(lambda: not feeder.is_alive() and _caught_up(own), "everything to come through", 180)
        assert feeder.error is None

    print(f"seed {SEED}, {how.name}: at work again after s {took}; ended by themselves {workers.exits}")
    assert all(code > 0 for _, code in workers.exits)
    require_exactly_once(own, log.chain)


def _away(home: Config, name: str, how: signal.Signals, workers: Supervisor) -> None:
    places = Places.of(home)
    fleet = Fleet.of(home, known_ports(places), Quiet())
    [server] = [server for server in fleet.servers if server.name == name]
    process = server.process()
    assert process is not None
    if how is signal.SIGTERM:
        server.stop(process)
    else:
        processes.end(process, how=how, patience_s=10)
    workers.comes_true(lambda: False, within_s=AWAY_S)
    starting = threading.Thread(target=embedded.start, args=(home,))
    starting.start()
    workers.comes_true(lambda: not starting.is_alive(), within_s=60)
    assert server.process() is not None


def _see_work(world: World, workers: Supervisor, records: int) -> float:
    """Wait until so many more are committed; returns the seconds."""
    began, mark = time.monotonic(), _committed(world)
    workers.until(lambda: _committed(world) >= mark + records, "work", 120)
    return time.monotonic() - began


def _committed(world: World) -> int:
    with world.connect() as conn:
        row = conn.execute("SELECT sum(next_offset) FROM system.partition_owner WHERE epoch > 0").fetchone()
    return -1 if row is None or row[0] is None else int(row[0])


def _caught_up(world: World) -> bool:
    with world.connect() as conn:
        return world.caught_up(conn)
