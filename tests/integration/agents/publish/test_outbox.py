"""After a record that the broker refuses nothing more is sent."""

import asyncio
import secrets
from contextlib import suppress

import pytest
from confluent_kafka import KafkaException

from ft.config import Config
from ft.errors import BrokerError
from ft.streams.kafka.outbox import Outbox
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from tests.integration.agents.publish.limits import limit
from tests.topic_ends import read_all


@pytest.fixture
def topic(config: Config) -> str:
    create_topics(config, [], 1)
    name = Topics(config.topic_prefix).ownership_changed
    limit(config, name, 2_000)
    return name


def values(config: Config, topic: str) -> list[bytes | None]:
    return [record.value for record in read_all(config, topic)]


async def test_what_follows_a_refused_record_is_not_sent(config: Config, topic: str) -> None:
    outbox = Outbox(config)
    outbox.send(topic, 0, b"before")
    await outbox.flush()
    outbox.send(topic, 0, secrets.token_bytes(10_000))
    async with asyncio.timeout(20):
        while outbox._refusal.error is None:
            with suppress(KafkaException):
                await asyncio.to_thread(outbox._rd.poll, 0.05)

    with suppress(BrokerError):
        outbox.send(topic, 0, b"after")
    with pytest.raises(BrokerError):
        await outbox.flush()
    with suppress(KafkaException):
        await asyncio.to_thread(outbox._rd.flush, 5)

    assert values(config, topic) == [b"before"]
    outbox.close()


async def test_what_was_sent_is_acknowledged_in_order(config: Config, topic: str) -> None:
    outbox = Outbox(config)
    sent = [str(number).encode() for number in range(300)]
    for value in sent:
        outbox.send(topic, 0, value)

    await outbox.flush()

    assert values(config, topic) == sent
    outbox.close()
