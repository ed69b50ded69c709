"""A deployment names itself in its database and on its topic; who is pointed at two that differ is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from ft.cli import replace as replace_command
from ft.cli.status_attention import asked
from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable, DatabaseError
from ft.networks import load_networks
from ft.ops.rebuild import ledger as second_ledger
from ft.ops.rebuild import takeover
from ft.ops.rebuild.domain import rebuild_project
from ft.ops.rebuild.ledger import rebuild_ledger
from ft.ops.recovery.session import drop_schemas
from ft.ops.verify.run import NOT_COMPARED, Listener, verify
from ft.sql.session import process_name
from ft.streams.deployment import guard as guard_module
from ft.streams.deployment.comparing import Same, require_one
from ft.streams.deployment.guard import Guard, beside
from ft.streams.deployment.identity import BELIEVED, OtherDeployment
from ft.streams.deployment.preflight import verify as facts
from ft.streams.deployment.provision import prepare
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import opened, settings
from ft.streams.kafka.topic_admin import delete_topics, topic_ids, topic_names
from ft.streams.kafka.topics import Topics
from tests.deployments import with_fresh_database
from tests.integration.streams.deployment import starting
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
    topics = Topics(deployed.topic_prefix).records(load_networks(deployed.networks_file))

    assert record["topic_ids"] == topic_ids(deployed, topics)
    assert record["topic_ids"].keys() == topics.keys()
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


def emptied(config: Config) -> None:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        drop_schemas(conn)


def test_a_follower_whose_database_is_emptied_says_whose_the_topics_are(deployed: Config) -> None:
    guard = Guard(deployed, follows="polygon")
    guard.look()
    emptied(deployed)

    for _ in range(BELIEVED - 1):
        guard.look()
    with pytest.raises(OtherDeployment, match="FT_POSTGRES is likely wrong"):
        guard.look()


@pytest.mark.parametrize("error", [psycopg.errors.UndefinedTable("no"), DatabaseError("no")], ids=["driver's", "ours"])
async def test_what_an_emptied_database_refuses_is_told_by_its_reason(deployed: Config, error: Exception) -> None:
    async def work() -> None:
        emptied(deployed)
        raise error

    with pytest.raises(OtherDeployment, match="FT_POSTGRES is likely wrong"):
        await beside(deployed, work())


async def test_what_the_driver_says_is_told_as_ours_where_all_is_in_place(deployed: Config) -> None:
    async def work() -> None:
        raise psycopg.errors.UndefinedTable("no such table")

    with pytest.raises(DatabaseError, match="no such table"):
        await beside(deployed, work())


def restored(config: Config) -> None:
    """As far as a process that runs can tell."""
    rows(config, "UPDATE system.deployment SET epoch = epoch + 1 RETURNING 1")


_START_AGAIN = r"began in epoch 0 .*: start it again"


async def test_a_replacement_of_blocks_ends_where_the_database_is_restored_meanwhile(
    deployed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_module, "LOOK_S", 0.05)

    async def work() -> int:
        restored(deployed)
        await asyncio.Event().wait()
        return 0

    with pytest.raises(OtherDeployment, match=_START_AGAIN):
        await replace_command._guarded(deployed, work())


async def test_projections_that_were_made_anew_are_not_served_where_the_database_is_restored_meanwhile(
    deployed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "analyze", lambda *_: restored(deployed))

    with pytest.raises(OtherDeployment, match=_START_AGAIN):
        await rebuild_project(deployed, lambda said: None)


def test_a_second_ledger_is_not_compared_with_one_that_is_restored_meanwhile(
    deployed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Working:
        def look(self) -> None:
            restored(deployed)

    monkeypatch.setattr(guard_module, "LOOK_S", 0)
    monkeypatch.setattr(second_ledger, "_worker", lambda *_: nullcontext(Working()))

    with pytest.raises(OtherDeployment, match=_START_AGAIN):
        rebuild_ledger(deployed, [], lambda said: None, keep=False, level_s=1.0)


def test_what_is_proven_of_a_database_that_is_restored_meanwhile_is_not_told(
    deployed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(on_check=lambda check: restored(deployed) if check.name == "subscriber" else None)

    with pytest.raises(OtherDeployment, match=_START_AGAIN):
        verify(deployed, wait_s=0, listener=listener)


def test_a_proof_without_topics_says_that_identity_was_not_compared(deployed: Config) -> None:
    with_topics = starting.verify(deployed)
    without = verify(replace(deployed, topic_prefix="other."), wait_s=0, listener=Listener(), topics=False)

    assert [NOT_COMPARED in report.notes for report in (with_topics, without)] == [False, True]


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


@pytest.mark.parametrize("value", [None, b"nonsense"])
def test_what_the_topic_said_is_said_again_where_somebody_deletes_it(deployed: Config, value: bytes | None) -> None:
    (record,) = said(deployed)
    guard = Guard(deployed)
    guard.look()
    topic, producer = Topics(deployed.topic_prefix).deployment, opened(settings(deployed))
    producer.produce(topic, value, record["id"].encode(), 0)
    assert producer.flush(15) == 0

    assert require_one(deployed) == "one"
    for _ in range(3):
        guard.look()

    before, between, again = (message.value for message in read_all(deployed, topic, 0))
    assert (before, between) == (again, value)
    prepare(deployed)
    assert len(list(read_all(deployed, topic, 0))) == 3


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

    for run in (prepare, facts, starting.ingest, starting.verify):
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
