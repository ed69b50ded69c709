"""A deployment names itself in its database and on its topic; who is pointed at two that differ is refused."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from ft.cli.status_attention import asked
from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable
from ft.networks import load_networks
from ft.ops.rebuild.ledger import rebuild_ledger
from ft.ops.verify.run import Listener, verify
from ft.sql.session import process_name
from ft.streams.deployment import guard as guard_module
from ft.streams.deployment.comparing import Same, require_one
from ft.streams.deployment.guard import Guard, beside
from ft.streams.deployment.identity import BELIEVED, OtherDeployment
from ft.streams.deployment.preflight import verify as facts
from ft.streams.deployment.provision import admit, prepare
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topic_admin import delete_topics, topic_names
from ft.streams.kafka.topics import Topics
from tests.deployments import with_fresh_database
from tests.topic_ends import read_all


@pytest.fixture
def deployed(config: Config) -> Config:
    prepare(config)
    return config


@pytest.fixture
def empty(config: Config) -> Iterator[Config]:
    """The same settings with another database, an empty one."""
    with with_fresh_database(config) as beside:
        yield beside


def rows(config: Config, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(config.postgres) as conn:
        return conn.execute(query.encode()).fetchall()


def said(config: Config) -> list[dict[str, Any]]:
    topic = Topics(config.topic_prefix).deployment
    with Schemas(config) as schemas:
        codec = schemas.codec("deployment", topic)
        return [codec.decode(message.value) for message in read_all(config, topic, 0)]


def test_a_rebuild_under_another_prefix_names_the_prefix_before_it_looks_for_topics(deployed: Config) -> None:
    elsewhere = replace(deployed, topic_prefix=f"{deployed.topic_prefix}x.")

    with pytest.raises(OtherDeployment, match="FT_TOPIC_PREFIX is likely wrong"):
        rebuild_ledger(elsewhere, [], lambda said: None, keep=False, level_s=1.0)


def test_the_first_migration_names_the_deployment_in_database_and_topic(deployed: Config) -> None:
    ((name, prefix, announced),) = rows(deployed, "SELECT id::text, topic_prefix, announced FROM system.deployment")
    (record,) = said(deployed)

    assert (record["id"], record["topic_prefix"], record["partitions"]) == (name, deployed.topic_prefix, 8)
    assert (prefix, announced) == (deployed.topic_prefix, True)
    assert "polygon" in record["networks"]
    assert record["schema_ids"][f"{Topics(deployed.topic_prefix).normalized}-value"] > 0
    assert require_one(deployed) == "one"


def test_status_says_what_is_not_of_one_deployment(deployed: Config) -> None:
    assert list(asked(deployed)) == []

    (other,) = asked(replace(deployed, topic_prefix="other."))

    assert other.reason == "identity"
    assert "FT_TOPIC_PREFIX is likely wrong" in other.detail


def test_what_runs_notices_once_it_has_found_it_three_times_in_a_row(deployed: Config) -> None:
    rows(deployed, "UPDATE system.deployment SET epoch = 1 RETURNING 1")
    guard = Guard(deployed)

    for _ in range(BELIEVED - 1):
        guard.look()
    with pytest.raises(OtherDeployment, match="Kafka likely holds an older state"):
        guard.look()


async def test_an_ingestion_that_began_before_a_restore_is_told_so(
    deployed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "LOOK_S", 0.05)

    async def work() -> None:
        rows(deployed, "UPDATE system.deployment SET epoch = 1 RETURNING 1")
        await asyncio.Event().wait()

    with pytest.raises(OtherDeployment, match=r"began in epoch 0 of .* got epoch 1 of .*: start it again"):
        await beside(deployed, work())


async def test_what_an_ingestion_does_ends_where_it_is_out_of_place(
    deployed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "LOOK_S", 0.05)
    rows(deployed, "UPDATE system.deployment SET epoch = 1 RETURNING 1")
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(OtherDeployment):
        await beside(deployed, work())
    assert ended.is_set()


@pytest.mark.parametrize(("seen_at", "lives"), [("now() - interval '1 hour'", True), ("'epoch'", False)])
def test_a_follower_that_waits_for_the_broker_is_seen_and_one_that_has_let_go_is_not(
    deployed: Config, monkeypatch: pytest.MonkeyPatch, seen_at: str, lives: bool
) -> None:
    def away(*_: object) -> None:
        raise BrokerUnavailable("no broker")

    monkeypatch.setattr(Same, "look", away)
    rows(
        deployed,
        "INSERT INTO ingest.leases (network, claim_offset, topic_id, owner, seen_at)"
        f" VALUES ('polygon', 1, 't', '{process_name()}', {seen_at}) RETURNING 1",
    )

    Guard(deployed, follows="polygon").look()

    assert rows(deployed, "SELECT seen_at > now() - interval '1 minute' FROM ingest.leases") == [(lives,)]


async def test_what_another_kafka_refuses_is_told_by_its_reason(deployed: Config) -> None:
    async def work() -> None:
        delete_topics(deployed, [name for name in topic_names(deployed) if name.startswith(deployed.topic_prefix)])
        raise BrokerError("record refused: unknown partition")

    with pytest.raises(OtherDeployment, match="Kafka has likely lost its data"):
        await beside(deployed, work())


async def test_what_a_broker_refuses_is_told_as_it_is_where_all_is_in_place(deployed: Config) -> None:
    async def work() -> None:
        raise BrokerError("record refused: too large")

    with pytest.raises(BrokerError, match="too large"):
        await beside(deployed, work())


async def test_what_an_ingestion_comes_to_is_told(deployed: Config) -> None:
    async def work() -> int:
        return 7

    assert await beside(deployed, work()) == 7


def test_migrating_again_says_nothing_twice(deployed: Config) -> None:
    prepare(deployed)

    assert len(said(deployed)) == 1


def test_a_deployment_of_an_earlier_version_is_named_and_goes_on(deployed: Config) -> None:
    rows(deployed, "DELETE FROM system.deployment RETURNING 1")
    delete_topics(deployed, [Topics(deployed.topic_prefix).deployment])
    rows(
        deployed,
        "INSERT INTO system.partition_owner (consumer, topic, partition, cluster_id) VALUES"
        f" ('ledger', '{Topics(deployed.topic_prefix).normalized}', 0,"
        " (SELECT coalesce(max(cluster_id), '') FROM system.partition_owner)) RETURNING 1",
    )

    prepare(deployed)

    assert require_one(deployed) == "one"


def test_another_prefix_on_the_same_database_is_refused_by_whatever_runs(deployed: Config) -> None:
    other = replace(deployed, topic_prefix=f"{deployed.topic_prefix}x.")
    network = load_networks(None)["polygon"]

    for run in (prepare, facts, lambda c: admit(c, network), lambda c: verify(c, wait_s=0, listener=Listener())):
        with pytest.raises(OtherDeployment, match=r"FT_TOPIC_PREFIX is likely wrong: set it to"):
            run(other)

    assert [name for name in topic_names(deployed) if name.startswith(other.topic_prefix)] == []
    assert require_one(deployed) == "one"


def test_an_empty_second_database_under_the_same_topics_is_refused_without_harm(
    deployed: Config, empty: Config
) -> None:
    before = topic_names(deployed)

    with pytest.raises(OtherDeployment, match=r"FT_POSTGRES is likely wrong.*choose another FT_TOPIC_PREFIX") as caught:
        prepare(empty)

    assert "delete" not in str(caught.value)
    assert all(command in str(caught.value) for command in ("`ft restore --from DIR`", "`ft reset --keep raw`"))
    assert topic_names(deployed) == before
    assert rows(empty, "SELECT nspname FROM pg_namespace WHERE nspname IN ('ref', 'ledger', 'system')") == []
    assert require_one(deployed) == "one"


def test_a_second_deployment_with_a_prefix_and_a_database_of_its_own_shares_the_broker(
    deployed: Config, empty: Config
) -> None:
    own = replace(empty, topic_prefix=f"{empty.topic_prefix}y.")

    prepare(own)

    assert require_one(own) == require_one(deployed) == "one"
    rows(own, f"UPDATE system.deployment SET topic_prefix = '{deployed.topic_prefix}' RETURNING 1")
    with pytest.raises(OtherDeployment, match=r"are those of deployment .* expected the same"):
        require_one(replace(own, topic_prefix=deployed.topic_prefix))


def test_a_kafka_that_lost_its_data_is_not_taken_for_a_new_one(deployed: Config) -> None:
    names = [name for name in topic_names(deployed) if name.startswith(deployed.topic_prefix)]
    delete_topics(deployed, names)

    for run in (prepare, facts):
        with pytest.raises(OtherDeployment, match="Kafka has likely lost its data"):
            run(deployed)

    assert [name for name in topic_names(deployed) if name.startswith(deployed.topic_prefix)] == []


def test_a_migration_that_was_cut_off_before_its_topic_said_so_goes_on(deployed: Config) -> None:
    rows(deployed, "UPDATE system.deployment SET announced = false RETURNING 1")
    delete_topics(deployed, [Topics(deployed.topic_prefix).deployment])

    prepare(deployed)

    assert require_one(deployed) == "one"
    assert len(said(deployed)) == 1


def test_an_older_database_is_told_from_the_epoch_of_its_topic(deployed: Config) -> None:
    rows(deployed, "UPDATE system.deployment SET epoch = 1 RETURNING 1")

    with pytest.raises(OtherDeployment, match="Kafka likely holds an older state"):
        require_one(deployed)
