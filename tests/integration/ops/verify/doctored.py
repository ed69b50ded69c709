"""The announced topics of ``proven`` once more, with something done to them."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import psycopg

from ft.agents.publish.announcements import TOPICS, Topic
from ft.config import Config
from ft.schemas.codec import Codec
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from tests.integration.agents.publish.announcing import messages
from tests.integration.ops.verify.proven import PARTITIONS

Doctor = Callable[[list[bytes]], list[bytes]]
"""What is on a partition -> what shall be on it."""


async def doctored(config: Config, doctors: Mapping[tuple[Topic, int], Doctor]) -> Config:
    """Topics under another prefix with the same records, but for some partitions of topics."""
    fresh = replace(config, topic_prefix=f"t{secrets.token_hex(4)}.")
    create_topics(fresh, [], PARTITIONS)
    producer = Producer(config)
    for name in TOPICS:
        for number in range(PARTITIONS):
            values = [message.value or b"" for message in messages(config, name, number)]
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


def changed(codec: Codec, value: bytes, **fields: Any) -> bytes:
    """The record with other fields."""
    return codec.encode(codec.decode(value) | fields)
