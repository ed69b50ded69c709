"""Where a partition ends, and all that is in it, asked by a test's own consumer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ft.config import Config
from ft.streams.kafka.message import Message
from ft.streams.kafka.passing import passes

_WITHIN_S: Final = 15.0
_AGAIN_S: Final = 0.1
_AT_ONCE: Final = 1000


@contextmanager
def reader(config: Config) -> Iterator[Consumer]:
    """A consumer that joins no group and commits nothing."""
    consumer = Consumer(
        {
            **config.kafka_client,
            "group.id": "reader",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "log_level": 2,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def end_of(consumer: Consumer, topic: str, partition: int = 0) -> int:
    """The offset behind the last record. Brokers may not know or lead a topic yet that was just made: asked again."""
    deadline = time.monotonic() + _WITHIN_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_WITHIN_S)[1])
        except KafkaException as exc:
            error = exc.args[0]
            if time.monotonic() > deadline or not (passes(error) or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART):
                raise
            time.sleep(_AGAIN_S)


def read_all(config: Config, topic: str, partition: int = 0, *, anew: bool = False) -> list[Message]:
    """Every record of a partition, from offset 0 to where it ends now; none may be missing. ``anew``: but for those
    before its first one, as of topics whose records were announced once more."""
    with reader(config) as consumer:
        end, first = end_of(consumer, topic, partition), 0
        if anew:
            first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_WITHIN_S)
        consumer.assign([TopicPartition(topic, partition, first)])
        found: list[Message] = []
        while len(found) < end - first:
            came = consumer.consume(min(_AT_ONCE, end - first - len(found)), timeout=_WITHIN_S)
            assert came, f"{topic} [{partition}] ends at {end}, and of {len(found)} records on nothing comes"
            found += map(_message, came)
        assert [message.offset for message in found] == list(range(first, end))
        return found


def _message(read: Any) -> Message:
    assert read.error() is None, read.error()
    return Message(
        topic=read.topic(),
        partition=read.partition(),
        offset=read.offset(),
        value=read.value(),
        headers=dict(read.headers() or ()),
    )
