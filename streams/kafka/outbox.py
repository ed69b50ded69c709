"""Records out without a gap: after a record that the broker refuses, nothing more is sent.

An ordinary idempotent producer drops the refused record and sends the next one; a subscriber would see a loss that
no later record can mend. With librdkafka's gapless guarantee the refusal is fatal for the producer instead.
"""

import asyncio
from contextlib import suppress
from typing import Final

from confluent_kafka import KafkaException

from ft.config import Config
from ft.errors import BrokerError
from ft.streams.kafka.producer import Headers, Refusal, opened, settings

_POLL_S: Final = 0.02


class Outbox:
    """One producer's life: the first refusal ends it. Open another one to go on."""

    def __init__(self, config: Config) -> None:
        self._refusal = Refusal()
        self._rd = opened(
            settings(config)
            | {
                "enable.gapless.guarantee": True,
                "delivery.report.only.error": True,
                "on_delivery": self._refusal.delivered,
                "error_cb": self._refusal.fatal,
            }
        )
        self.send_count = 0

    def send(self, topic: str, partition: int, value: bytes, headers: Headers | None = None) -> None:
        """Enqueue one record. Raises BrokerError for a record, or after a record, that is refused for good."""
        self.send_count += 1
        try:
            while True:
                try:
                    self._rd.produce(topic, value, None, partition, headers=headers)
                    break
                except BufferError:
                    self._rd.poll(_POLL_S)
            if not self.send_count & 0x3F:
                self._rd.poll(0)
                self._check()
        except KafkaException as exc:
            raise BrokerError(f"record for {topic}[{partition}] of {len(value)} bytes refused: {exc}") from exc

    async def flush(self) -> None:
        """Return once everything sent is acknowledged; waits for ever for a broker that is away. Raises BrokerError."""
        try:
            self._rd.poll(0)
            while len(self._rd):
                self._check()
                await asyncio.to_thread(self._rd.flush, _POLL_S)
            self._rd.poll(0)
        except KafkaException as exc:
            raise BrokerError(f"record refused: {exc}") from exc
        self._check()

    def close(self) -> None:
        """Drop what is not acknowledged."""
        self._rd.purge(in_queue=True, in_flight=True, blocking=False)
        with suppress(KafkaException):
            self._rd.poll(0)

    def _check(self) -> None:
        if self._refusal.error is not None:
            raise self._refusal.error
