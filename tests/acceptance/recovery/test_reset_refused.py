"""What a reset does not do: delete what is not proven to be its own, or what nobody could read again."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from ft.config import Config
from ft.ops.recovery import reset
from ft.ops.recovery.session import alone
from ft.streams.deployment.comparing import stored_id
from ft.streams.kafka.topic_admin import delete_records
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.acceptance.hostile.lives import Databases, lived_on, lived_through, raw_log, topics_of
from tests.acceptance.recovery.commands import ft

pytestmark = pytest.mark.timeout(400)
_SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('system', 'ledger', 'ft_reset')"
_SAYS = {
    "SET cluster_id = 'another-cluster'": "expected that Kafka, got cluster",
    "SET epoch = 1": "Kafka likely holds an older state",
    "SET id = gen_random_uuid()": "FT_POSTGRES is likely wrong",
}


def asked(config: Config, query: str) -> Any:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        return (conn.execute(query.encode()).fetchone() or (None,))[0]


def test_topics_are_deleted_only_by_a_database_that_names_their_kafka_and_their_epoch(
    world: World, databases: Databases
) -> None:
    before = topics_of(world.config)
    for said, expected in _SAYS.items():
        other = databases.copy()
        with psycopg.connect(other.postgres, autocommit=True) as conn:
            conn.execute(f"UPDATE system.deployment {said}".encode())
        for keep in ("nothing", "raw"):
            told = ft(other, "reset", "--keep", keep, "--confirm", stored_id(other) or "", code=1)
            assert expected in told
            assert "Nothing was changed" in told
        assert asked(other, _SCHEMAS) == 2
    assert topics_of(world.config) == before


def test_topics_that_a_worker_of_another_database_reads_stay(world: World, databases: Databases) -> None:
    copy = databases.copy()
    with supervised(world.config, ("only",)) as workers, world.connect() as conn:
        workers.until(lambda: world.claims <= claimed(conn), "a worker that reads", 60)

        told = ft(copy, "reset", "--confirm", stored_id(copy) or "", code=1)

        assert "workers read the topics" in told
        assert f"(group {world.config.topic_prefix}ft)" in told
    assert asked(copy, _SCHEMAS) == 2


def claimed(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("SELECT count(*) FROM system.partition_owner WHERE owner <> ''").fetchone()
    return 0 if row is None else int(row[0])


def test_raw_topics_that_lack_their_first_records_are_not_read_again(world: World) -> None:
    log = raw_log(5)
    lived_through(world, world.encoded(log.records))
    before = topics_of(world.config)
    delete_records(world.config, {(world.raw, 0): 3})

    said = ft(world.config, "reset", "--keep", "raw", "--confirm", stored_id(world.config) or "", code=1)

    assert f"{world.raw} begins at offset 3" in said
    assert "`ft reannounce`" in said
    assert topics_of(world.config) == before
    require_exactly_once(world, log.chain)


def test_a_reset_asks_for_the_id_where_nobody_can_type_it(world: World) -> None:
    said = ft(world.config, "reset", code=2)

    assert "expected the deployment's id to be typed, or --confirm ID" in said
    assert asked(world.config, _SCHEMAS) == 2


class Died(Exception):
    """In the place of a kill."""


@pytest.mark.parametrize("step", ["migrate", "create_topics", "put_origins", "say_it"])
def test_a_reset_that_is_ended_anywhere_is_gone_on_with_by_the_same_command_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    log = raw_log(5)
    if step == "migrate":
        lived_through(world, world.encoded(log.records))
    deployment = stored_id(world.config) or ""

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched, alone(world.config) as conn:
        patched.setattr(reset, step, die)
        found = reset.plan(world.config, conn, "raw")
        with pytest.raises(Died):
            reset.reset(world.config, conn, "raw", found, lambda said: None)

    schemas = asked(world.config, _SCHEMAS)
    assert "the same command goes on with it" in ft(world.config, "reset", "--keep", "raw", "--dry-run")
    assert "expected that command" in ft(world.config, "reset", "--confirm", deployment, code=1)
    assert "`ft reset --keep raw`" in ft(world.config, "reannounce", code=1)
    assert "`ft reset --keep raw`" in ft(world.config, "migrate", code=1)
    elsewhere = replace(world.config, topic_prefix=f"{world.config.topic_prefix}x.")
    assert "FT_TOPIC_PREFIX, FT_KAFKA or FT_POSTGRES" in ft(elsewhere, "reset", "--keep", "raw", code=1)
    assert asked(world.config, _SCHEMAS) == schemas

    assert "emptied. Workers read" in ft(world.config, "reset", "--keep", "raw")

    assert stored_id(world.config) == deployment
    if step == "migrate":
        lived_on(world, log)
        require_exactly_once(world, log.chain)
        assert asked(world.config, f"SELECT count(*) FROM ingest.blocks WHERE network = '{NETWORK}'") > 0
