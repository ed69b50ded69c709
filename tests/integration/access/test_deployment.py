"""A whole deployment of which each server asks for a login, over TLS."""

from dataclasses import replace
from pathlib import Path

from ft.config import Config
from ft.kafka_security import KafkaSecurity
from ft.sql.migrate import migrate
from tests.certificates import Authority
from tests.integration.access import broker, guarded
from tests.integration.access.broker import StrictKafka
from tests.integration.access.conftest import at
from tests.integration.access.database import StrictPostgres
from tests.integration.access.guarded import Guarded
from tests.integration.normalize.rawtopic import NETWORK, appends, claim, open_raw
from tests.integration.worker.workers import WorkerProcess
from tests.synthetic.chain import Chain

HELD = "SELECT contract, token_id::bigint, account, quantity::bigint FROM projection.ownership_view"


async def test_owners_come_through_every_login(
    config: Config,
    kafka: StrictKafka,
    postgres: StrictPostgres,
    registry: Guarded,
    authority: Authority,
    tmp_path: Path,
) -> None:
    login = KafkaSecurity(
        protocol="SASL_SSL", ca=authority.file, mechanism="SCRAM-SHA-512", username=broker.USER,
        password=broker.PASSWORD,
    )  # fmt: skip
    strict = at(
        replace(config, partitions=3, session_timeout_s=6.0),
        FT_KAFKA=kafka.sasl_ssl,
        **login.environ(),
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
        worker = WorkerProcess(raw.config, tmp_path / "worker.log", "normalize,ledger,publisher,project", {})
        try:
            held = dict(chain.ownership.held)
            await raw.until(lambda: {row[:3]: row[3] for row in raw.rows(HELD)} == held, within_s=60)
            assert worker.terminate() == 0
        finally:
            worker.kill()
