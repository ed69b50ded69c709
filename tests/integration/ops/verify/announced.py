"""The journal of ``proven`` announced on real topics, and the same topics again with something done to them."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import psycopg

from ft.agents.publish.announcements import TOPICS, Topic
from ft.agents.publish.publisher import Publisher
from ft.config import Config
from ft.schemas.codec import Codec
from ft.streams.checkpoint import Claim
from ft.streams.producer import Producer
from ft.streams.schema_ids import Schemas
from ft.streams.topics import Topics, create_topics
from ft.streams.whole import WholeTopic
from tests.integration.ledger.harness import TOPIC, LedgerHarness
from tests.integration.ops.verify.proven import PARTITIONS, execute

Doctor = Callable[[list[bytes]], list[bytes]]
"""What is on a partition -> what shall be on it."""


def codecs(config: Config) -> dict[Topic, Codec]:
    """The codecs of the topics, under their own names."""
    names = Topics(config.topic_prefix)
    with Schemas(config) as schemas:
        return {topic: schemas.codec(topic, getattr(names, topic)) for topic in TOPICS}


async def announce(config: Config) -> None:
    """Have the publisher announce the journal; its ledger's topic then has the deployment's name."""
    create_topics(config, [], PARTITIONS)
    harness = await LedgerHarness.open(config, owner="announcing", partitions=PARTITIONS)
    publisher = Publisher(config, _Claims(harness), codecs(config), topic=TOPIC)
    try:
        while await publisher.round():
            pass
    finally:
        await publisher.stop()
        await harness.close()
    own_topic(config)


class _Claims:
    def __init__(self, harness: LedgerHarness) -> None:
        self._harness = harness

    def held(self, _consumer: str) -> list[Claim]:
        return list(self._harness.claims.values())


def own_topic(config: Config) -> None:
    """The ledger's harness reads a topic without a prefix; the fence is told otherwise."""
    name = Topics(config.topic_prefix).normalized
    execute(config, f"UPDATE system.partition_owner SET topic = '{name}' WHERE consumer = 'ledger'")


async def doctored(config: Config, doctors: Mapping[tuple[Topic, int], Doctor]) -> Config:
    """Topics under another prefix with the same records, but for some partitions of topics."""
    fresh = replace(config, topic_prefix=f"t{secrets.token_hex(4)}.")
    create_topics(fresh, [], PARTITIONS)
    producer = Producer(config)
    for name in TOPICS:
        for number in range(PARTITIONS):
            values = read(config, name, number)
            doctor = doctors.get((name, number))
            for value in doctor(values) if doctor else values:
                producer.send(getattr(Topics(fresh.topic_prefix), name), number, value)
    await producer.flush_acknowledged(30)
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "UPDATE system.partition_owner SET topic = %s || substr(topic, %s)",
            (fresh.topic_prefix, len(config.topic_prefix) + 1),
        )
    return fresh


def read(config: Config, topic: Topic, partition: int) -> list[bytes]:
    """The values on a partition."""
    with WholeTopic(config, getattr(Topics(config.topic_prefix), topic), [partition]) as whole:
        found = whole.read({partition: 0}, {partition: whole.bounds()[partition][1]}, 1000)
        return [message.value or b"" for messages in found for message in messages]


def changed(codec: Codec, value: bytes, **fields: Any) -> bytes:
    """The record with other fields."""
    return codec.encode(codec.decode(value) | fields)
