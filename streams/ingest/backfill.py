"""source -> raw, below finality: a range of final blocks, without a lease, as fast as the provider answers.

1. blocks come proven and in order; each must be the parent of the next, and what the log has as final
2. appended with lease 0; every so many blocks all are acknowledged, and only then the cursor moves
3. while a follower lives, only as long as less than two seconds of records lie unread before the ledger
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ft.stopping import Stopping
from ft.streams.ingest.limiting import Waits
from ft.streams.ingest.raw_log import NO_LEASE, RawLog
from ft.streams.ingest.reconcile import Row, check_final
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.kafka.backpressure import Backpressure
from ft.streams.sources import Block, Marks, Source, SourceError

ACKNOWLEDGE_BLOCKS = 64
ACKNOWLEDGE_BYTES = 32 << 20
BESIDE_FOLLOWER_BLOCKS = 8
_KNOWN_AHEAD = 5_000
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """What a job has done since it began. ``report`` is called after every acknowledgement."""

    report: Callable[["Progress"], None] = field(default=lambda _: None)
    blocks: int = 0
    logs: int = 0
    bytes: int = 0
    next_height: int = 0
    """What follows the block last written; 0: none was."""
    waits: Waits = field(default_factory=Waits)

    def add(self, block: Block) -> None:
        self.blocks += 1
        self.logs += block.logs
        self.bytes += block.size


class Backfill:
    """One range of final blocks."""

    def __init__(
        self, source: Source, raw: RawLog, tail: UnfinalizedBlocks, job: str, stopping: Stopping, progress: Progress
    ) -> None:
        self.last: Row | None = None
        """The highest block that was appended."""
        self._source = source
        self._raw = raw
        self._tail = tail
        self._job = job
        self._stopping = stopping
        self._progress = progress
        self._backpressure = Backpressure(time.monotonic)
        self._beside = False
        self._beside_asked = float("-inf")
        self._log = log.bind(network=raw.network)

    async def run(self, first: int, last: int, marks: Marks) -> None:
        """Append ``first`` to ``last``, all of them. Raises FinalityContradicted, SourceError, BrokerError."""
        await self.agrees(first, last)
        known: dict[int, str] = {}
        known_to, waiting, size, expected = first - 1, 0, 0, first
        await self._follower()
        blocks = self._stopping.until(self._source.blocks(first, last))
        async for block in self._progress.waits.each("provider", blocks):
            if block.height > known_to:
                known_to = min(last, block.height + _KNOWN_AHEAD - 1)
                known = await self._tail.known_final(block.height, known_to, _KNOWN_AHEAD)
            self._check(block, known)
            self._raw.append(block, marks, lease=NO_LEASE, covers_from=first, starts_range=block.height == first)
            self.last = Row(height=block.height, hash=block.hash, parent=block.parent_hash)
            self._progress.add(block)
            waiting, size, expected = waiting + 1, size + block.size, block.height + 1
            if waiting >= (BESIDE_FOLLOWER_BLOCKS if self._beside else ACKNOWLEDGE_BLOCKS) or size >= ACKNOWLEDGE_BYTES:
                await self._acknowledged(expected, marks)
                waiting = size = 0
                with self._progress.waits.on("ledger"):
                    await self._room()
        await self._acknowledged(expected, marks)
        self._stopping.check()
        if expected <= last:
            raise SourceError(f"{self._raw.network}: block {expected}: no provider has it (head {marks.head})")

    async def agrees(self, first: int, last: int) -> None:
        """Before anything is written: the node has the highest of these that the log has as final."""
        final = await self._tail.known_final(first, last, 1)
        if final:
            check_final(self._raw.network, final, await self._stopping.unless(self._source.hashes(list(final), final)))

    def _check(self, block: Block, known: dict[int, str]) -> None:
        if (final := known.get(block.height)) is not None:
            check_final(self._raw.network, {block.height: final}, {block.height: block.hash})
        below = self.last
        if below is not None and below.height == block.height - 1 and below.hash != block.parent_hash:
            raise SourceError(
                f"{self._raw.network}: block {block.height} of {block.provider}: expected parent {below.hash}, "
                f"which was appended as final, got {block.parent_hash}: the providers do not agree on the chain"
            )

    async def _acknowledged(self, next_height: int, marks: Marks) -> None:
        with self._progress.waits.on("kafka"):
            await self._raw.acknowledged()
        with self._progress.waits.on("postgres"):
            await self._tail.save_cursor(self._job, next_height, marks)
        self._progress.next_height = next_height
        self._progress.report(self._progress)

    async def _follower(self) -> None:
        """Whether one lives, asked every few seconds."""
        if time.monotonic() - self._beside_asked >= 3.0:
            self._beside = await self._tail.follower_lives()
            self._beside_asked = time.monotonic()

    async def _room(self) -> None:
        """Wait while the ledger is behind and a follower lives."""
        warned = time.monotonic()
        while True:
            await self._follower()
            if not self._beside or self._stopping.asked:
                return
            position = await self._tail.ledger_position(self._raw.topic)
            if position is None:
                return
            self._backpressure.observe(position, self._raw.last_offset)
            if self._backpressure.may_append(position, self._raw.last_offset):
                return
            if time.monotonic() - warned > 30.0:
                warned = time.monotonic()
                unread = self._raw.last_offset - position
                self._log.warning("backfill waits for the ledger, a follower lives", unread=unread, job=self._job)
            await self._stopping.sleep(0.1)
