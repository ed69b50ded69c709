"""A reading of its own, for a hop that is further behind than the others of its topic: :mod:`ft.streams.worker.lane`.

It reads only while there is room before the hop, and only up to where the shared reading is; then it gives way to that.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from faust.types import TP

from ft.config import Config
from ft.errors import OffsetMismatch
from ft.streams.kafka.passing import passes
from ft.streams.kafka.reader_settings import settings
from ft.streams.worker.lane import Lane
from ft.streams.worker.lanes import Apart
from ft.streams.worker.record_batches import Cut, RecordBatch, cut
from ft.telemetry import metrics
from ft.telemetry.outage import BROKER

log = structlog.get_logger(__name__)

_KEPT_KIB: Final = 16 * 1024
"""What the client fetches ahead, in KiB."""
_RECORDS: Final = 2_000
_POLL_S: Final = 0.2
"""A request for records waits so long where there are fewer."""
_AGAIN_S: Final = 1.0
"""After an error of the broker that passes."""


class Record:
    """A record as the driver of the shared reading has it."""

    __slots__ = ("headers", "offset", "partition", "timestamp", "timestamp_type", "topic", "value")

    def __init__(self, message: Any) -> None:
        self.topic = message.topic()
        self.partition = message.partition()
        self.offset = message.offset()
        self.value = message.value()
        self.headers = message.headers() or ()
        self.timestamp_type, self.timestamp = message.timestamp()


class OwnReading:
    """Of one lane: runs beside its hop, and has a client as long as a partition is apart."""

    def __init__(self, config: Config, lane: Lane, *, batch_size: int) -> None:
        """``batch_size``: records of a record batch, at most."""
        self._config = config
        self._lane = lane
        self._batch_size = batch_size
        self._consumer: Any = None
        self._at: dict[int, int] = {}
        """Partition -> the offset that the client reads next."""
        self._told: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Until it is cancelled. Raises OffsetMismatch where the log lacks what comes next, BrokerError."""
        try:
            while True:
                self._tell()
                if self._lane.apart and self._lane.has_room:
                    await self._read(self._lane.apart, self._lane.assignment)
                    continue
                if not self._lane.apart:
                    await self._close()
                self._lane.moved.clear()
                await self._lane.moved.wait()
        finally:
            await self._close()

    async def _read(self, wanted: Mapping[int, int], assignment: int) -> None:
        try:
            found = await asyncio.to_thread(self._consume, wanted)
        except KafkaException as exc:
            error = exc.args[0]
            if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                raise OffsetMismatch(
                    f"{self._lane.consumer} of {self._lane.topic}: expected records from {dict(wanted)} on, the log "
                    "has none there any more. Restore the topic, or rebuild what this consumer keeps."
                ) from exc
            if not passes(error):
                raise
            BROKER.away(exc)
            await self._close()
            await asyncio.sleep(_AGAIN_S)
            return
        for partition, records in found.items():
            fresh = self._lane.wanted(partition, assignment, records)
            for piece in cut(fresh, self._batch_size):
                tp = TP(self._lane.topic, partition)
                self._lane.offer_own(Apart(RecordBatch(tp, Cut(piece.records, assignment), 0)))

    def _consume(self, wanted: Mapping[int, int]) -> dict[int, list[Record]]:
        """The next records of the partitions, in their order. In a thread. Raises KafkaException."""
        if self._consumer is None:
            own = {"queued.max.messages.kbytes": _KEPT_KIB}
            self._consumer = Consumer(settings(self._config, f"{self._config.topic_prefix}apart") | own)
            self._at = {}
        if self._at != wanted:
            self._consumer.assign([TopicPartition(self._lane.topic, *place) for place in wanted.items()])
            self._at = dict(wanted)
        found: dict[int, list[Record]] = {}
        for message in self._consumer.consume(_RECORDS, timeout=_POLL_S):
            if message.error() is not None:
                raise KafkaException(message.error())
            record = Record(message)
            found.setdefault(record.partition, []).append(record)
            self._at[record.partition] = record.offset + 1
        return found

    def _tell(self) -> None:
        """Say which partitions are apart, where that has changed."""
        now = frozenset(self._lane.apart)
        if now == self._told:
            return
        names = {"consumer": self._lane.consumer, "topic": self._lane.topic}
        if now:
            log.warning("consumer reads apart, it is behind the others", partitions=sorted(now), **names)
        else:
            log.info("consumer reads with the others again", **names)
        metrics.PARTITIONS_APART.labels(consumer=self._lane.consumer).set(len(now))
        self._told = now

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await asyncio.to_thread(consumer.close)
