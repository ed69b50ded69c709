"""Records out: librdkafka, idempotent, never dropping, every partition named by us."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as RdKafkaProducer

from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable
from ft.streams.kafka.admin import CLIENTS
from ft.streams.kafka.topics import RECORD_BYTES_MAX

Headers = list[tuple[str, str | bytes | None]]
OnOffset = Callable[[int], None]
"""Called with the record's offset, on whatever thread polls."""
_POLL_S: Final = 0.02
_CONNECTS_S: Final = 0.02


def settings(config: Config) -> dict[str, Any]:
    """What every ft producer runs with (architecture: what a dying process sent is a prefix of what it meant to)."""
    return {
        **config.kafka_client,
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,  # with a timeout librdkafka drops a record and sends the next
        "compression.type": "zstd",
        "compression.level": 1,  # half the time of the default level for three percent more bytes
        "message.max.bytes": RECORD_BYTES_MAX,
        "batch.size": 1 << 20,
        "linger.ms": 5,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 512 * 1024,
        # Attempts to connect are errors (3), twenty a second; what is left is heard at the next poll.
        "log_level": 2,
        "logger": CLIENTS,
    }


def opened(configured: dict[str, Any]) -> RdKafkaProducer:
    """A producer of librdkafka that has had a moment to connect.

    Asked to send at once it would look for a broker that gives it its producer id, find none yet, and look again
    half a second later. A broker that is slower, or away, costs that half second and nothing else.
    """
    producer = RdKafkaProducer(configured)
    producer.poll(_CONNECTS_S)
    return producer


class Refusal:
    """The first record that Kafka refused. librdkafka holds on to what it calls back: if that were the producer itself,
    its threads and connections would outlive whoever let go of it."""

    def __init__(self) -> None:
        self.error: BrokerError | None = None

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """librdkafka's report of one record."""
        if error is not None and self.error is None:
            self.error = BrokerError(f"record for {message.topic()}[{message.partition()}] refused: {error.str()}")

    def landed(self, error: KafkaError | None, message: Message, on_offset: OnOffset) -> None:
        """The same of a record whose offset is wanted."""
        self.delivered(error, message)
        offset = message.offset()
        if error is None and offset is not None:
            on_offset(offset)

    def fatal(self, error: Any) -> None:
        """librdkafka's report of an error of the whole producer."""
        if error.fatal() and self.error is None:
            self.error = BrokerError(f"Kafka: {error.str()}")


class Producer:
    """One process's records. ``offsets=True`` reports where each record landed, at some cost a record."""

    def __init__(self, config: Config, *, offsets: bool = False) -> None:
        self._refusal = Refusal()
        self._rd = opened(
            settings(config) | {"delivery.report.only.error": not offsets, "on_delivery": self._refusal.delivered}
        )

    def send(
        self,
        topic: str,
        partition: int,
        value: bytes,
        headers: Headers | None = None,
        key: bytes | None = None,
        on_offset: OnOffset | None = None,
    ) -> None:
        """Enqueue one record. ``on_offset`` needs ``offsets=True``. Raises BrokerError for a record no broker takes."""
        extra: dict[str, Any] = {}
        if on_offset is not None:
            extra["on_delivery"] = partial(self._refusal.landed, on_offset=on_offset)
        while True:
            try:
                self._rd.produce(topic, value, key, partition, headers=headers, **extra)
                self._rd.poll(0)
                return
            except BufferError:
                self._rd.poll(_POLL_S)
            except KafkaException as exc:
                raise BrokerError(f"record for {topic}[{partition}] of {len(value)} bytes refused: {exc}") from exc

    async def send_and_wait(self, topic: str, partition: int, value: bytes, headers: Headers | None = None) -> int:
        """Send one record and return its offset once it is acknowledged. Needs ``offsets=True``."""
        landed: list[int] = []
        self.send(topic, partition, value, headers, on_offset=landed.append)
        await self.flush_acknowledged()
        if not landed:
            raise BrokerError(f"record for {topic}[{partition}]: expected an offset, got none; is offsets=True set?")
        return landed[0]

    async def flush_acknowledged(self, timeout_s: float | None = None) -> None:
        """Return once everything sent so far is acknowledged.

        Waits for ever by default: the broker's absence is not a loss. Raises BrokerError for a record that was
        refused, BrokerUnavailable if ``timeout_s`` passed first.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        self._rd.poll(0)
        while len(self._rd):
            await asyncio.to_thread(self._rd.flush, _POLL_S)
            if deadline is not None and loop.time() > deadline and len(self._rd):
                raise BrokerUnavailable(f"Kafka: {len(self._rd)} records are not acknowledged after {timeout_s} s")
        self._rd.poll(0)
        if self._refusal.error is not None:
            refused, self._refusal.error = self._refusal.error, None
            raise refused

    def abandon(self) -> None:
        """Drop what is queued here and not yet sent: for a process that lost its partitions."""
        self._rd.purge(in_queue=True, in_flight=False, blocking=False)
        self._rd.poll(0)
        self._refusal.error = None
