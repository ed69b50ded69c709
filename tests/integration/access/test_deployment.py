"""A whole deployment of which each server asks for a login, over TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ft.access.kafka_security import KafkaSecurity
from ft.config import Config
from ft.sql.migrate import migrate
from ft.streams.worker.app import group_of
from tests.certificates import Authority
from tests.integration.access import broker, guarded
from tests.integration.access.broker import StrictKafka
from tests.integration.access.conftest import at
from tests.integration.access.database import StrictPostgres
from tests.integration.access.guarded import Guarded
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, open_raw
from tests.integration.streams.worker.workers import WorkerProcess
from tests.synthetic.chain import Chain

HELD = "SELECT contract, token_id::bigint, account, quantity::bigint FROM projection.ownership_view"
ALL = "normalize,ledger,publisher,project"


@pytest.fixture
def at_kafka(config: Config, kafka: StrictKafka, authority: Authority) -> Config:
    """A deployment whose Kafka alone is strict."""
    login = KafkaSecurity(
        protocol="SASL_SSL", ca=authority.file, mechanism="SCRAM-SHA-512", username=broker.USER,
        password=broker.PASSWORD,
    )  # fmt: skip
    return at(replace(config, partitions=3, session_timeout_s=6.0), FT_KAFKA=kafka.sasl_ssl, **login.environ())


@contextmanager
def worker_of(raw: RawTopic, tmp_path: Path) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(raw.config, tmp_path / "worker.log", ALL, {})
    try:
        yield worker
    finally:
        worker.kill()


async def test_owners_come_through_every_login(
    at_kafka: Config, postgres: StrictPostgres, registry: Guarded, authority: Authority, tmp_path: Path
) -> None:
    strict = at(
        at_kafka,
        FT_POSTGRES=f"{postgres.address}?sslmode=verify-full&sslrootcert={authority.file}",
        **postgres.logins(),
        FT_SCHEMA_REGISTRY=registry.url,
        FT_SCHEMA_REGISTRY_CA=str(authority.file),
        FT_SCHEMA_REGISTRY_USERNAME=guarded.USERNAME,
        FT_SCHEMA_REGISTRY_PASSWORD=guarded.PASSWORD,
    )
    migrate(strict.postgres, strict)
    chain = Chain(seed=3, network=NETWORK, logs=20, contracts=12)
    with open_raw(strict, tmp_path) as raw:
        await raw.write(claim(), *appends(chain, 6, lease=0, first=True))
        with worker_of(raw, tmp_path) as worker:
            held = dict(chain.ownership.held)
            await raw.until(lambda: {row[:3]: row[3] for row in raw.rows(HELD)} == held, within_s=60)
            assert worker.terminate() == 0


async def test_a_worker_whose_login_loses_its_right_on_the_group_ends_and_says_why(
    at_kafka: Config, kafka: StrictKafka, tmp_path: Path
) -> None:
    with open_raw(at_kafka, tmp_path) as raw, worker_of(raw, tmp_path) as worker:
        await raw.until(lambda: raw.rows("SELECT 1 FROM system.partition_owner"), within_s=60)
        kafka.forbid_group(group_of(raw.config))

        assert worker.wait(60) == 1
        (told,) = worker.said("worker exits")
        assert told["kind"] == "NoMember"
        assert f"GroupAuthorizationFailedError: {group_of(raw.config)}" in told["error"]
