"""One chunk's records: each through the chain's rule, what follows sent, what stays in the unit of work."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, Generic, assert_never

import structlog

from ft.errors import MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import SCHEMA_VERSION, RawBlock, from_record
from ft.schemas.proofs import joined
from ft.schemas.times import clamped
from ft.streams.kafka.message import Message
from ft.streams.worker.chain_reader.canonical import (
    REPLACE,
    Appended,
    Block,
    Chain,
    Claimed,
    Finalized,
    Ignored,
    Outcome,
    OutOfPlace,
    Repeated,
    Reverted,
)
from ft.streams.worker.chain_reader.reader import Decoded, Reading, S
from ft.streams.worker.chain_reader.sender import Sender
from ft.streams.worker.chain_reader.unit_of_work import UnitOfWork
from ft.streams.worker.room import REVERT_EVENTS

log = structlog.get_logger(__name__)

_THREAD_BYTES: Final = 4 * 1024 * 1024
"""A block from this size on is decoded outside of the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What is no raw record of the network: a dead letter once its turn comes."""

    reason: str
    error: str


@dataclass(slots=True, kw_only=True)
class Fold(Generic[S]):
    """One chunk's way through the rule: what it changes is in ``chain`` and ``unit``, what follows is sent."""

    reading: Reading[S]
    chain: Chain
    unit: UnitOfWork
    sender: Sender[S]

    def read(self, message: Message, codec: Codec) -> RawBlock | Unreadable:
        """The record, or why there is none."""
        try:
            record = from_record(RawBlock, codec.decode(message.value))
        except MalformedRecord as exc:
            return Unreadable(reason="malformed", error=str(exc))
        if record.schema_version != SCHEMA_VERSION:
            error = f"schema_version: expected {SCHEMA_VERSION}, got {record.schema_version}: update this worker"
            return Unreadable(reason="unknown_schema_version", error=error)
        if record.network != self.reading.network:
            error = f"network: expected {self.reading.network}, whose topic this is, got {record.network!r:.100}"
            return Unreadable(reason="other_network", error=error)
        return record

    async def take(self, message: Message, record: RawBlock | Unreadable) -> int:
        """Take one record through the rule and send what follows. Returns how many events that is."""
        if isinstance(record, Unreadable):
            self.sender.refuse(message, record.reason, record.error, self.unit)
            self.chain.position = message.offset
            return 0
        before = self.unit.events
        outcome = await self._step(message, record)
        return REVERT_EVENTS if isinstance(outcome, Reverted) else self.unit.events - before

    async def _step(self, message: Message, record: RawBlock) -> Outcome:
        outcome = self.chain.step(replace(record, time=clamped(record.time)), message.offset)
        if not isinstance(outcome, Reverted) or outcome.reason == REPLACE:
            self.unit.end_reorg()
        match outcome:
            case Appended(block=block, late=late):
                await self._append(block, record, message)
                if late:
                    self.unit.come_late(block, message.offset)
            case Reverted(block=block, reason=reason):
                self.unit.retract(block, message.offset)
                if reason == REPLACE or not block.is_proven():
                    self.unit.come_late(block, message.offset)
                self.unit.reorg_depth += reason != REPLACE
                self.sender.revert(message, block, self.chain.marks(), reason)
            case Finalized(blocks=blocks):
                for block in blocks:
                    self.unit.put(block)
            case Repeated(block=block, better_proof=True):
                await self._note_proof(block, record, message)
            case OutOfPlace(reason=reason, error=error):
                self.sender.refuse(message, reason, error, self.unit)
            case Ignored() | Claimed() | Repeated():
                log.debug("no change", network=record.network, op=record.op, block=record.height, offset=message.offset)
            case _:
                assert_never(outcome)
        return outcome

    async def _append(self, block: Block, record: RawBlock, message: Message) -> None:
        marks, known_quarantined = self.chain.marks(), len(self.unit.quarantine)
        try:
            decoded = await self._decode(record, message.offset)
        except MalformedRecord as exc:
            self.sender.quarantine(
                message, block, self.unit, reason="malformed", error=str(exc), payload=message.value or b""
            )
            self.sender.quiet(message, marks, ())
            digest = block_digest({}, -1)
        else:
            digest = block_digest(self._send(decoded, block, message), len(decoded.quarantined))
        self.sender.report(message, block, self.unit.quarantine[known_quarantined:])
        block = replace(block, digest=digest)
        self.chain.note(block)
        self.unit.put(block)
        self.unit.appended.append(block.number)
        self.unit.cover(block, message.offset)

    def _send(self, decoded: Decoded[S], block: Block, message: Message) -> dict[int, str]:
        """Send a block's slices, and quarantine what could not be read; returns the slices' digests."""
        for each in decoded.quarantined:
            self.sender.quarantine(
                message,
                block,
                self.unit,
                reason="mismatch",
                error=each.reason,
                payload=each.log,
                contract=each.contract,
                tx_hash=each.tx_hash,
                log_index=each.log_index,
                topic0=each.topic0,
            )
        self._keep(decoded, block)
        self.unit.events += sum(map(len, decoded.slices.values()))
        return self.sender.append(message, block, self.chain.marks(), decoded.slices, self.unit)

    def _keep(self, decoded: Decoded[S], block: Block) -> None:
        if decoded.kept:
            self.unit.kept[block.number, block.hash] = decoded.kept

    async def _note_proof(self, block: Block, record: RawBlock, message: Message) -> None:
        """A canonical block came again, better proven: the same content raises its proof, another one is a letter."""
        try:
            decoded = await self._decode(record, message.offset)
        except MalformedRecord as exc:
            self.sender.refuse(message, "malformed", str(exc), self.unit)
            return
        digests = {partition: self.reading.events.digest(part) for partition, part in decoded.slices.items()}
        digest = block_digest(digests, len(decoded.quarantined))
        if (digest, clamped(record.time)) != (block.digest, block.time):
            error = (
                f"append of {block.number}: proof {record.proof}: expected content {block.digest} at {block.time}, "
                f"got {digest} at {record.time}. "
                f"`ft replace {record.network} --from {block.number} --to {block.number}` takes what is better proven."
            )
            self.sender.refuse(message, "content_differs", error, self.unit)
            return
        proven = replace(block, proof=record.proof, reasons=joined(record.reasons))
        self._keep(decoded, block)
        self.chain.note(proven)
        self.unit.put(proven)
        self.unit.cover(proven, message.offset)

    async def _decode(self, record: RawBlock, offset: int) -> Decoded[S]:
        events, partitions = self.reading.events, self.sender.partitions
        if sum(len(part.bytes) for part in record.parts) < _THREAD_BYTES:
            return events.decode(record, offset, partitions)
        return await asyncio.to_thread(events.decode, record, offset, partitions)


def block_digest(digests: Mapping[int, str], quarantined: int) -> str:
    """One digest of a block: of its slices' digests by partition, and of how many logs are quarantined."""
    text = ",".join(f"{partition}:{value}" for partition, value in sorted(digests.items()))
    return blake2b(f"{text};{quarantined}".encode(), digest_size=16).hexdigest()
