"""source -> raw: a network's raw log. Writes its records, and reads back whether somebody else has claimed it.

Header ``traceparent`` of a block's records comes from its hash, so that every stage's trace of it is the same one.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ft.config import Config
from ft.errors import BrokerError, FtError, MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock, to_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.ingest.reconcile import Row
from ft.streams.kafka import reader_settings
from ft.streams.kafka.passing import passes
from ft.streams.kafka.producer import Headers, Producer
from ft.streams.kafka.topic_admin import topic_identities
from ft.streams.kafka.topics import Topics
from ft.streams.sources import Block, Marks
from ft.telemetry.tracing import HEADER, traceparent

PARTITION: Final = 0
NO_LEASE: Final = 0
"""Of blocks that are final at the node: nobody needs to be fenced."""
_CLAIM_BYTES_MAX: Final = 1_024
"""A block's record is larger: its header alone has a logsBloom of 514 characters."""


class LeaseLost(FtError):
    """A newer claim is in the raw log: what this process writes above finality is ignored from there on."""


class RawLog:
    """Writes ``chain.<network>.raw``. Make it with :meth:`open`."""

    def __init__(
        self, network: str, topic: str, topic_id: str, schemas: Schemas, producer: Producer, config: Config
    ) -> None:
        self.network = network
        self.topic = topic
        self.topic_id = topic_id
        self.last_offset = -1
        """Highest offset that a record of ours has landed at."""
        self._schemas = schemas
        self._codec = schemas.codec("raw_block", topic)
        self._producer = producer
        self._config = config

    def close(self) -> None:
        """Close what asks for schemas. What was not acknowledged by now is lost."""
        self._schemas.close()

    @classmethod
    async def open(cls, config: Config, network: str) -> Self:
        """Raises ConfigError where the topic does not exist, BrokerUnavailable, ServerError."""
        topic = Topics(config.topic_prefix).raw(network)

        identities = await asyncio.to_thread(topic_identities, config, [topic])
        schemas = await asyncio.to_thread(Schemas, config)
        try:
            producer = Producer(config, offsets=True)
            return await asyncio.to_thread(cls, network, topic, identities[topic].topic_id, schemas, producer, config)
        except BaseException:  # also where the caller stops waiting
            schemas.close()
            raise

    async def claim(self, owner: str) -> int:
        """Write a claim; its offset is the lease. Raises BrokerError."""
        claim = RawBlock(network=self.network, op="claim", provider=owner)
        offset = await self._producer.send_and_wait(self.topic, PARTITION, self._codec.encode(to_record(claim)))
        self._landed(offset)
        return offset

    def append(
        self,
        block: Block,
        marks: Marks,
        *,
        lease: int,
        covers_from: int,
        starts_range: bool,
        on_offset: Callable[[int], None] | None = None,
    ) -> None:
        """Enqueue a block."""
        record = RawBlock(
            network=self.network,
            op="append",
            lease=lease,
            height=block.height,
            hash=block.hash,
            parent_hash=block.parent_hash,
            time=block.time,
            finalized=marks.finalized,
            safe=marks.safe,
            covers_from=covers_from,
            starts_range=starts_range,
            proof=block.proof,
            provider=block.provider,
            parts=list(block.parts),
            reasons=sorted(block.reasons),
        )
        self._send(record, on_offset)

    def revert(self, row: Row, marks: Marks, *, lease: int, reason: str = "reorg") -> None:
        """Enqueue the retraction of a block. ``reason``: ``reorg``, or ``replace``, which may take final ones too."""
        self._send(self._about(row, "revert", marks, lease, reason=reason))

    def finalize(self, row: Row, marks: Marks, *, lease: int) -> None:
        """Enqueue that a block and its ancestors are final."""
        self._send(self._about(row, "finalize", marks, lease))

    async def acknowledged(self) -> None:
        """Return once everything enqueued is in the log. Raises BrokerError."""
        await self._producer.flush_acknowledged()

    def watch(self, claim: int) -> "ClaimWatch":
        """Reads the log from a claim on."""
        return ClaimWatch(self._config, self.topic, self._codec, claim)

    def _about(self, row: Row, op: str, marks: Marks, lease: int, reason: str = "") -> RawBlock:
        return RawBlock(
            network=self.network,
            op=op,
            lease=lease,
            height=row.height,
            hash=row.hash,
            parent_hash=row.parent,
            finalized=marks.finalized,
            safe=marks.safe,
            reason=reason,
        )

    def _send(self, record: RawBlock, on_offset: Callable[[int], None] | None = None) -> None:
        def landed(offset: int) -> None:
            self._landed(offset)
            if on_offset is not None:
                on_offset(offset)

        value = self._codec.encode(to_record(record))
        trace = traceparent(record.hash)
        headers: Headers | None = None if trace is None else [(HEADER, trace)]
        self._producer.send(self.topic, PARTITION, value, headers, on_offset=landed)

    def _landed(self, offset: int) -> None:
        self.last_offset = max(self.last_offset, offset)


class ClaimWatch(AbstractContextManager["ClaimWatch"]):
    """Reads the log behind a claim. What was written up to an offset counts if no other claim lies before it."""

    def __init__(self, config: Config, topic: str, codec: Codec, claim: int) -> None:
        self._topic = topic
        self._codec = codec
        self._claim = claim
        self._next = claim + 1
        self._consumer = Consumer(reader_settings.settings(config, f"{topic}.claims") | {"fetch.wait.max.ms": 50})
        self._consumer.assign([TopicPartition(topic, PARTITION, self._next)])

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    async def clear_up_to(self, offset: int) -> None:
        """Return once the log was read up to ``offset``. Raises LeaseLost for another claim, BrokerError."""
        while self._next <= offset:
            await asyncio.to_thread(self._read, min(64, offset + 1 - self._next), 0.2)

    async def clear_now(self) -> None:
        """Look at what is there. Raises LeaseLost."""
        await asyncio.to_thread(self._read, 64, 0.0)

    def _read(self, count: int, timeout_s: float) -> None:
        """Waits for so many records, at most so long."""
        for message in self._consumer.consume(count, timeout_s):
            if (error := message.error()) is not None:
                if passes(error):
                    continue
                raise BrokerError(f"{self._topic}: {error.str()}") from KafkaException(error)
            self._next = (message.offset() or 0) + 1
            self._look(message.offset() or 0, message.value() or b"")

    def _look(self, offset: int, value: bytes) -> None:
        if len(value) > _CLAIM_BYTES_MAX:
            return
        try:
            record = self._codec.decode(value)
        except MalformedRecord:
            return  # for the normalizer to report
        if record["op"] == "claim" and offset != self._claim:
            raise LeaseLost(
                f"{self._topic}: expected our claim at offset {self._claim} to be the last, found one of "
                f"{record['provider'] or 'another process'} at {offset}. Another `ft ingest` writes this network now: "
                f"stop it, or leave it to it."
            )
