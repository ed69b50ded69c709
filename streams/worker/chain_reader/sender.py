"""The records that follow from one raw record: slices, reverts, watermarks, quarantine, dead letters."""

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic

import structlog

from ft.schemas.codec import Codec
from ft.schemas.events import DeadLetter, to_record
from ft.streams.kafka.message import Message
from ft.streams.kafka.producer import Headers, Producer
from ft.streams.worker.chain_reader.canonical import Block, Marks
from ft.streams.worker.chain_reader.envelope import Envelope
from ft.streams.worker.chain_reader.reader import Reading, S
from ft.streams.worker.chain_reader.unit_of_work import UnitOfWork
from ft.telemetry.tracing import HEADER

log = structlog.get_logger(__name__)

SLICE_BYTES_MAX: Final = 32 * 1024 * 1024
"""What makes a slice larger is quarantined: half of what a record may have."""
LETTER_BYTES_MAX: Final = 32 * 1024 * 1024
"""A dead letter on Kafka names the place of a larger payload instead of holding it; its row in Postgres has it."""
ERROR_MAX: Final = 1000
"""Characters of what is said about a record."""
QUIET_BLOCKS_MAX: Final = 256
"""A partition that got nothing for so many blocks gets a watermark, though the batch goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Where dead letters and what is quarantined go, beside their rows."""

    quarantine: str
    dead_letter: str
    quarantine_codec: Codec
    dead_letter_codec: Codec


class Sender(Generic[S]):
    """Sends for one network, in raw order. Nothing counts as sent before :meth:`acknowledged` returns."""

    def __init__(self, producer: Producer, reading: Reading[S], partitions: int, letters: Letters) -> None:
        self.partitions = partitions
        self._producer = producer
        self._reading = reading
        self._events = reading.events
        self._network = reading.network
        self._letters = letters
        self.reset()

    def reset(self) -> None:
        """Forget what was sent: for a new claim."""
        self._sent = dict.fromkeys(range(self.partitions), -1)
        self._quiet = dict.fromkeys(range(self.partitions), 0)

    def append(
        self, message: Message, block: Block, marks: Marks, parts: Mapping[int, S], unit: UnitOfWork
    ) -> dict[int, str]:
        """Send a block's slices, each to its partition; returns their digests.

        A slice that is too large loses the contracts that make it so, and only those.
        """
        digests, served = {}, set()
        for partition, part in parts.items():
            digests[partition] = self._events.digest(part)
            fit, too_large = self._events.fitting(part, SLICE_BYTES_MAX)
            for contract, size in too_large.items():
                self._quarantine_slice(message, block, unit, contract, size)
            if not len(fit):
                continue
            content = digests[partition] if fit is part else self._events.digest(fit)
            envelope = self._envelope("append", message.offset, partition, marks, block)
            self._send(envelope, self._events.encode(envelope, fit, content), message)
            served.add(partition)
        self.quiet(message, marks, served)
        return digests

    def revert(self, message: Message, block: Block, marks: Marks, reason: str) -> None:
        """Tell every partition that the block does not count any more."""
        for partition in range(self.partitions):
            self._tell(self._envelope("revert", message.offset, partition, marks, block, reason), message)

    def quiet(self, message: Message, marks: Marks, served: Container[int]) -> None:
        """Count a block for the partitions that got nothing of it; long silence ends in a watermark."""
        for partition in range(self.partitions):
            if partition in served:
                continue
            self._quiet[partition] += 1
            if self._quiet[partition] >= QUIET_BLOCKS_MAX and self._sent[partition] < message.offset:
                self._tell(self._envelope("watermark", message.offset, partition, marks), message)

    def tell(self, position: int, marks: Marks) -> None:
        """Send a watermark at a committed position to every partition that has seen less."""
        for partition, sent in self._sent.items():
            if sent < position:
                self._tell(self._envelope("watermark", position, partition, marks), None)

    def quarantine(
        self, message: Message, block: Block, unit: UnitOfWork, *, reason: str, error: str, payload: bytes,
        contract: str = "", tx_hash: str = "", log_index: int = -1, topic0: str = "",
    ) -> None:  # fmt: skip
        """Quarantine a log, or (no contract) the whole block: a row, and a record of its own topic. :meth:`report`
        tells of all of a block at once: one transaction can log tens of thousands."""
        where = {"block_number": block.number, "block_hash": block.hash, "contract": contract, "tx_hash": tx_hash}
        unit.quarantine.append(
            {"network": self._network, **where, "log_index": log_index, "topic0": topic0, "reason": reason}
            | {"error": _clean(error), "payload": payload, "raw_offset": message.offset}
        )
        letter = self._letter(message, reason, error, payload, **where, log_index=log_index)
        self._producer.send(self._letters.quarantine, 0, self._letters.quarantine_codec.encode(to_record(letter)))

    def report(self, message: Message, block: Block, rows: Sequence[Mapping[str, Any]]) -> None:
        """Log what was quarantined of a block: how much, and the first of it."""
        if not rows:
            return
        contracts = {row["contract"] for row in rows}
        first = {name: rows[0][name] for name in ("contract", "reason", "error")}
        log.warning(
            "quarantined", network=self._network, block=block.number, partition=message.partition,
            offset=message.offset, entries=len(rows), contracts=len(contracts), **first,
        )  # fmt: skip

    def refuse(self, message: Message, reason: str, error: str, unit: UnitOfWork) -> None:
        """Dead-letter a raw record: a row, and a record of its own topic."""
        at = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
        payload = message.value or b""
        unit.dead_letters.append(
            {"consumer": self._reading.consumer, "network": self._network, **at, "reason": reason}
            | {"error": _clean(error), "payload": payload}
        )
        letter = self._letter(message, reason, error, payload)
        self._producer.send(self._letters.dead_letter, 0, self._letters.dead_letter_codec.encode(to_record(letter)))
        log.error("dead letter", network=self._network, reason=reason, error=_clean(error), **at)

    async def acknowledged(self) -> None:
        """Return once all that was sent is acknowledged. Raises BrokerError."""
        await self._producer.flush_acknowledged()

    def _quarantine_slice(self, message: Message, block: Block, unit: UnitOfWork, contract: str, size: int) -> None:
        error = (
            f"slice: expected at most {SLICE_BYTES_MAX} bytes in all, got {size} of this contract alone, "
            f"in raw record {message.offset}"
        )
        self.quarantine(message, block, unit, reason="slice_too_large", error=error, payload=b"", contract=contract)

    def _letter(self, message: Message, reason: str, error: str, payload: bytes, **where: Any) -> DeadLetter:
        """A record that fits into its topic: one as large as a topic takes is not repeated in another."""
        if len(payload) > LETTER_BYTES_MAX:
            error = f"{_clean(error)} (its {len(payload)} bytes stand in {message.topic} at offset {message.offset})"
            payload = b""
        return DeadLetter(
            stage=self._reading.consumer,
            reason=reason,
            error=_clean(error),
            payload=payload,
            network=self._network,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            time=int(time.time()),
            **where,
        )

    def _envelope(
        self, op: str, position: int, partition: int, marks: Marks, block: Block | None = None, reason: str = ""
    ) -> Envelope:
        return Envelope(
            network=self._network, op=op, position=position, partition=partition, marks=marks, block=block,
            reason=reason,
        )  # fmt: skip

    def _tell(self, envelope: Envelope, message: Message | None) -> None:
        self._send(envelope, self._events.encode(envelope, None, ""), message)

    def _send(self, envelope: Envelope, value: bytes, message: Message | None) -> None:
        headers: Headers = [("position", str(envelope.position).encode())]
        if message is not None and HEADER in message.headers:
            headers.append((HEADER, message.headers[HEADER]))
        self._producer.send(self._reading.topic, envelope.partition, value, headers)
        self._sent[envelope.partition] = max(envelope.position, self._sent[envelope.partition])
        self._quiet[envelope.partition] = 0


def _clean(text: str) -> str:
    """The text as Postgres can hold it, and short: what is wrong with a record may be all of it."""
    return text[:ERROR_MAX].replace("\x00", "\\x00")
