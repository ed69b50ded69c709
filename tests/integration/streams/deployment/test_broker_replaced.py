"""The broker is another process at another address, with the same cluster's topics: everything goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ft.config import KAFKA_JVM, Config
from ft.embedded import ports
from ft.embedded.kafka import Kafka
from ft.embedded.places import Places
from ft.embedded.progress import Quiet
from ft.streams.deployment.comparing import require_one
from ft.streams.deployment.guard import Guard
from ft.streams.deployment.preflight import verify as worker_starts
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topic_admin import cluster_id
from tests.deployments import download_cache
from tests.integration.access.conftest import at
from tests.integration.streams.deployment import starting
from tests.readiness import is_ready


@contextmanager
def broker(home: Config) -> Iterator[Kafka]:
    """One that takes up the data of that home, at an address that it chooses."""
    places = Places.of(home)
    places.create()
    (places.run / "ports.json").unlink(missing_ok=True)
    chosen = ports.choose(places, frozenset({"kafka", "kafka_controller"}), lambda _: None)
    server = Kafka(places, chosen, KAFKA_JVM, Quiet())
    server.start()
    try:
        yield server
    finally:
        if process := server.process():
            server.stop(process)


@pytest.fixture
def home(tmp_path: Path) -> Config:
    return Config(home=tmp_path / "home", cache=download_cache(), addresses={})


async def test_a_broker_replaced_behind_the_same_cluster_id_is_the_same_deployment(
    config: Config, home: Config
) -> None:
    with broker(home) as first:
        before = at(config, FT_KAFKA=first.address, **first.security.environ())
        prepare(before)
        cluster = cluster_id(before)
        Guard(before).look()

    with broker(home) as second:
        now = at(config, FT_KAFKA=second.address, **second.security.environ())

        assert second.address != first.address
        assert cluster_id(now) == cluster
        assert require_one(now) == "one"
        again = prepare(now)
        assert (again.migrations, again.topics) == ([], [])
        worker_starts(now)
        starting.ingest(now)
        Guard(now).look()
        assert await is_ready(now)
