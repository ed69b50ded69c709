"""Postgres, Kafka and the registry go away in the middle and come back: the workers go on, or end and are restarted."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from ft import embedded
from ft.config import Config
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.outage import away, caught_up, committed, see_work, unpublished
from tests.acceptance.faults.report import Summary
from tests.acceptance.faults.supervisor import Feeder, supervised
from tests.acceptance.faults.world import NETWORK, SESSION_TIMEOUT_S, World
from tests.deployments import deployment, download_cache
from tests.synthetic.rawlog import written

SEED: Final = 20260104
AWAY_S: Final = 4.0
BROKER_AWAY_S: Final = 20.0
HOLD_S: Final = 180.0


@dataclass(frozen=True)
class Outage:
    """Which servers, how they end, and for how long (0: --away)."""

    servers: tuple[str, ...]
    how: signal.Signals
    away_s: float = AWAY_S


SHORT: Final = {
    "kafka-stopped": Outage(("kafka",), signal.SIGTERM, 0),
    "both-killed": Outage(("postgres", "kafka"), signal.SIGKILL),
}
LONG: Final = SHORT | {
    "postgres-stopped": Outage(("postgres",), signal.SIGTERM),
    "postgres-killed": Outage(("postgres",), signal.SIGKILL),
    "kafka-killed": Outage(("kafka",), signal.SIGKILL),
    "both-stopped": Outage(("postgres", "kafka"), signal.SIGTERM),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "outage" in metafunc.fixturenames:
        outages = LONG if metafunc.config.getoption("--faults", default="short") == "long" else SHORT
        metafunc.parametrize("outage", list(outages.values()), ids=list(outages))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """Servers of this module's own, which it may kill; as the settings of who starts them."""
    config = Config(home=tmp_path_factory.mktemp("servers"), cache=download_cache(), addresses={})
    try:
        embedded.start(config)
        yield config
    finally:
        embedded.remove(config)


@pytest.fixture
def own(home: Config, tmp_path: Path) -> Iterator[World]:
    """A deployment on them, with a database and topics of its own."""
    addresses, networks = embedded.start(home).addresses, tmp_path / "networks.toml"
    with deployment(
        addresses, tmp_path / "home", networks_file=networks, session_timeout_s=SESSION_TIMEOUT_S
    ) as config:
        made = World(config)
        yield made
        made.close()


@pytest.mark.timeout(1200)
def test_servers_that_go_away_in_the_middle_cost_time_and_nothing_else(
    home: Config, own: World, outage: Outage, long: bool, summary: Summary, pytestconfig: pytest.Config
) -> None:
    away_s = outage.away_s or (pytestconfig.getoption("--away") if long else BROKER_AWAY_S)
    log = written(seed=SEED, network=NETWORK, events=30_000 if long else 12_000, logs=50)
    with supervised(own.config) as workers:
        workers.exits_max = 1_000
        workers.until(lambda: committed(own) >= 0, "the workers to hold their partitions", HOLD_S)
        feeder = Feeder(own.write, own.encoded(log.records), over_s=12.0)
        feeder.start()
        see_work(own, workers, records=200)
        with away(home, outage.servers, outage.how, workers):
            waiting = "" if "postgres" in outage.servers else f", {unpublished(own)} rows of the journal to announce"
            workers.comes_true(lambda: False, within_s=away_s)
        back_s = see_work(own, workers, records=1)
        workers.until(lambda: not feeder.is_alive() and caught_up(own)(), "everything to come through", 180)
        assert feeder.error is None

    assert all(code > 0 for _, code in workers.exits), workers.exits
    count = require_exactly_once(own, log.chain)
    told = f"{' and '.join(outage.servers)} {outage.how.name} for {away_s:.0f} s{waiting}"
    summary.add(
        told, f"at work {back_s:.1f} s after; {len(workers.exits)} restarts; {count.records} announced in order"
    )
    print(f"seed {SEED}: {summary.rows[-1]}")


@pytest.mark.timeout(400)
def test_a_registry_that_is_away_stops_no_worker_that_runs_or_starts(
    home: Config, own: World, summary: Summary
) -> None:
    log = written(seed=SEED, network=NETWORK, events=10_000, logs=50)
    with supervised(own.config) as workers:
        workers.until(lambda: committed(own) >= 0, "the workers to hold their partitions", HOLD_S)
        feeder = Feeder(own.write, own.encoded(log.records), over_s=12.0)
        feeder.start()
        see_work(own, workers, records=100)
        with away(home, ("registry",), signal.SIGKILL, workers):
            see_work(own, workers, records=100)
            assert workers.exits == []
            workers.kill("first")
            see_work(own, workers, records=100)
        workers.until(lambda: not feeder.is_alive() and caught_up(own)(), "everything to come through", 180)
        assert feeder.error is None

    assert workers.exits == []
    require_exactly_once(own, log.chain)
    summary.add("registry SIGKILL, a worker killed", "it was started without the registry, and all went on")
