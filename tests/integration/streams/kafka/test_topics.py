"""Topics and the producer against the real broker."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import Consumer, NewTopic

from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable, ConfigError
from ft.networks import load_networks
from ft.streams.deployment.provision import admit, prepare
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics, topic_identities, verify_topics
from ft.streams.kafka.topics import RECORD_BYTES_MAX, Topics


@pytest.fixture
def admin(config: Config) -> AdminClient:
    return AdminClient(config.kafka_client)


def settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found = admin.describe_configs([resource])[resource].result(10)
    return {name: entry.value for name, entry in found.items()}


def test_topics_are_created_once_with_their_settings(config: Config, admin: AdminClient) -> None:
    topics = Topics(config.topic_prefix)

    assert topics.raw("polygon") in create_topics(config, ["polygon"], 8)
    assert create_topics(config, ["polygon"], 8) == []
    raw, normalized = settings_of(admin, topics.raw("polygon")), settings_of(admin, topics.normalized)
    assert (raw["retention.ms"], raw["max.message.bytes"], raw["cleanup.policy"]) == ("-1", "67108864", "delete")
    assert normalized["retention.ms"] == str(30 * 86_400_000)
    counts = {name: len(t.partitions) for name, t in admin.list_topics(timeout=10).topics.items()}
    assert (counts[topics.raw("polygon")], counts[topics.normalized], counts[topics.dead_letter]) == (1, 8, 1)


def test_another_number_of_partitions_is_refused(config: Config, admin: AdminClient) -> None:
    name = Topics(config.topic_prefix).ownership_changed
    admin.create_topics([NewTopic(name, 3, 1)])[name].result(10)

    with pytest.raises(ConfigError, match=r"expected 8 partitions .* got 3"):
        create_topics(config, [], 8)


def test_missing_topics_are_refused_with_the_remedy(config: Config) -> None:
    with pytest.raises(ConfigError, match="Run `ft migrate`"):
        verify_topics(config, ["polygon"], 8)


def test_a_topic_made_anew_under_its_name_has_another_identity(config: Config, admin: AdminClient) -> None:
    name = f"{config.topic_prefix}again"
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
    before = topic_identities(config, [name])[name]
    admin.delete_topics([name])[name].result(10)
    _create_when_gone(admin, name)

    after = topic_identities(config, [name])[name]
    assert (before.cluster_id == after.cluster_id, before.topic_id == after.topic_id) == (True, False)


def _create_when_gone(admin: AdminClient, name: str) -> None:
    for _ in range(200):
        try:
            admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
            return
        except Exception as exc:
            if "already exists" not in str(exc):
                raise
    raise AssertionError(f"{name} did not go away")


def test_prepare_twice_changes_nothing(config: Config) -> None:
    first, second = prepare(config), prepare(config)

    assert (first.partitions, bool(first.topics)) == (8, True)
    assert (second.migrations, second.topics) == ([], [])


def test_a_network_added_later_gets_its_topic_and_its_reference_row(config: Config, tmp_path: Path) -> None:
    prepare(config)
    (tmp_path / "more.toml").write_text("[later]\nchain_id = 7\nstart_block = 3\n")
    later = load_networks(tmp_path / "more.toml")["later"]

    admit(config, later)
    admit(config, later)

    verify_topics(config, ["later"], 8)
    with psycopg.connect(config.postgres) as conn:
        row = conn.execute("SELECT chain_id, start_block FROM ref.networks WHERE network = 'later'").fetchone()
    assert row == (7, 3)


def test_a_network_is_not_admitted_to_a_database_that_is_not_migrated(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP SCHEMA system CASCADE")

    with pytest.raises(ConfigError, match="Run `ft migrate`"):
        admit(config, load_networks()["polygon"])


async def test_a_record_lands_where_it_was_sent_and_says_its_offset(config: Config) -> None:
    create_topics(config, [], 8)
    topic = Topics(config.topic_prefix).normalized
    producer = Producer(config, offsets=True)

    offsets = [await producer.send_and_wait(topic, 5, b"x", [("position", b"1")]) for _ in range(3)]

    assert offsets == [0, 1, 2]
    consumer = Consumer({**config.kafka_client, "group.id": config.topic_prefix})
    assert consumer.get_watermark_offsets(TopicPartition(topic, 5), timeout=10) == (0, 3)
    consumer.close()


async def test_a_record_near_the_limit_passes_the_shipped_settings_and_a_larger_one_is_refused(config: Config) -> None:
    create_topics(config, ["polygon"], 8)
    topic = Topics(config.topic_prefix).raw("polygon")
    producer = Producer(config, offsets=True)
    noise = bytes(range(256)) * 4096

    assert await producer.send_and_wait(topic, 0, noise * 60) == 0
    with pytest.raises(BrokerError, match="refused"):
        producer.send(topic, 0, b"x" * (RECORD_BYTES_MAX + 1))


async def test_a_broker_that_is_away_is_waited_for_up_to_the_given_time(config: Config) -> None:
    producer = Producer(replace(config, addresses={"FT_KAFKA": "127.0.0.1:1"}))
    producer.send("t", 0, b"x")

    with pytest.raises(BrokerUnavailable, match="not acknowledged"):
        await producer.flush_acknowledged(timeout_s=0.3)
    producer.abandon()
