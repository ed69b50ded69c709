"""A topic read whole, by those who need no group: from its first record to an end that the caller names."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable
from ft.streams.kafka.fresh_topics import once_elected
from ft.streams.kafka.message import Message
from ft.streams.kafka.passing import passes
from ft.streams.kafka.reader_settings import settings

_ASK_S: Final = 15.0
_SILENCE_S: Final = 60.0
"""A broker that has records and gives none for so long is away."""
_POLL_S: Final = 0.05
"""A request for many records waits so long for more than there are."""


class BoundedReader:
    """Some partitions of one topic, read forward. Nothing is committed to Kafka. Blocking; leave it to disconnect."""

    def __init__(self, config: Config, topic: str, partitions: Iterable[int]) -> None:
        self.topic = topic
        self.partitions = tuple(partitions)
        self._config = config
        # Who is assigned another partition waits for the fetch that waits for records of the one before.
        self._consumer = Consumer(settings(config, f"{config.topic_prefix}whole") | {"fetch.wait.max.ms": 10})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Partition -> its first offset and the one behind its last. Raises BrokerUnavailable, BrokerError."""
        try:
            return once_elected(
                lambda: {
                    each: self._consumer.get_watermark_offsets(TopicPartition(self.topic, each), timeout=_ASK_S)
                    for each in self.partitions
                }
            )
        except KafkaException as exc:
            raise self._translated(exc.args[0]) from exc

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int], most: int) -> Iterator[list[Message]]:
        """The records from ``starts`` to before ``ends``, at most ``most`` at a time, each partition in its order.

        Raises BrokerUnavailable, BrokerError.
        """
        left = {partition: range(starts[partition], end) for partition, end in ends.items() if starts[partition] < end}
        if left:
            self._consumer.assign([TopicPartition(self.topic, partition, starts[partition]) for partition in left])
        heard = time.monotonic()
        while left:
            # Asked for more than there are, the client would wait for them until its timeout.
            count = min(most, sum(map(len, left.values())))
            found = [m for m in self._consumer.consume(count, timeout=_POLL_S) if self._is_wanted(m, left)]
            if found:
                heard = time.monotonic()
                yield [_message(m) for m in found]
            elif time.monotonic() - heard > _SILENCE_S:
                raise BrokerUnavailable(f"{self.topic}: expected records up to {ends}, got none for {_SILENCE_S:.0f} s")

    def _is_wanted(self, message: Any, left: dict[int, range]) -> bool:
        if message.error() is not None:
            raise self._translated(message.error())
        partition, offset = message.partition(), message.offset()
        if partition not in left:
            return False
        left[partition] = range(offset + 1, left[partition].stop)
        if not left[partition]:
            del left[partition]
        return True

    def _translated(self, error: Any) -> BrokerError:
        kind = BrokerUnavailable if passes(error) else BrokerError
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            kind = BrokerError
        return kind(f"Kafka at {self._config.kafka}, {self.topic}: {error.str()}")


def _message(message: Any) -> Message:
    return Message(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        value=message.value(),
        headers={},
    )
