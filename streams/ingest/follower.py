"""source -> raw, above finality: claim, settle what changed while nobody looked, then extend block by block.

What is written counts once the log was read back up to it without another claim; only then the tail says so.
1. the tail gets a row, 2. the append is sent, 3. acknowledged and read back, 4. the row gets its offset
1. rows to be reverted lose their offset, 2. the reverts are sent, 3. acknowledged and read back, 4. the rows go
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import takewhile
from types import MappingProxyType
from typing import Self

import structlog

from ft.schemas.proofs import worth
from ft.schemas.unbroken import stretches
from ft.stopping import Stopping
from ft.streams.ingest.backfill import Progress
from ft.streams.ingest.raw_log import NO_LEASE, RawLog
from ft.streams.ingest.reconcile import Fit, Plan, Row, anchor, finalizable, fit, missing, reconcile, tops, unfinal
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.sources import Block, Marks, Source, SourceError

CHUNK_BLOCKS = 16
FINAL_BLOCKS = 64
CHUNK_BYTES = 32 << 20
FORKS_MAX = 20
_PROBE = 64
_TELL_EVERY_S = 60.0
_LOOK_AGAIN_S = 0.2
log = structlog.get_logger(__name__)


class Follower:
    """The upper end of one network's log, held under a claim. Use as a context manager; begin with :meth:`claim`."""

    def __init__(
        self, source: Source, raw: RawLog, tail: UnfinalizedBlocks, owner: str, stopping: Stopping, progress: Progress
    ) -> None:
        self.rows: dict[int, Row] = {}
        self.lacking: int | None = None
        """After :meth:`extend`: the first height that no provider had; None: it had all."""
        self.reverted: int | None = None
        """The lowest height that was reverted since somebody last set this to None."""
        self.unsettled = True
        """The log may still differ from the node: :meth:`claim` and :meth:`settle` did not come to their end."""
        self._source = source
        self._raw = raw
        self._tail = tail
        self._owner = owner
        self._stopping = stopping
        self._progress = progress
        self._lease = -1
        self._open = ExitStack()
        self._log = log.bind(network=raw.network)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def is_claimed(self) -> bool:
        """Whether it was taken over; somebody else may have claimed it since."""
        return self._lease >= 0

    @property
    def written(self) -> int | None:
        """The highest block that is known to be in the log."""
        return max((height for height, row in self.rows.items() if row.final or row.offset is not None), default=None)

    async def claim(self, marks: Marks, below: Row | None = None) -> None:
        """Take the network over, then make the log agree with the node. Raises LeaseLost, FinalityContradicted.

        ``below``: the highest block that this process has appended as final, to stand on.
        """
        await self._agrees_to_anchor()
        self._open.close()
        self.unsettled = True
        self._lease = await self._raw.claim(self._owner)
        self._watch = self._open.enter_context(self._raw.watch(self._lease))
        await self._tail.take(self._lease)
        if await self._tail.is_outdated():
            await self._refilled()
        self.rows = {row.height: row for row in await self._tail.rows()}
        self._log.info("claimed", lease=self._lease, tail=len(self.rows))
        await self._finish_finalizing(marks)
        if below is not None and below.height not in self.rows:
            self.rows[below.height] = below
            await self._stand_on([below])
        await self.settle(marks, every_row=True)

    async def settle(self, marks: Marks, *, every_row: bool = False, misfit: bool = False) -> bool:
        """Revert what the node denies, append what it has instead; returns whether there was anything of the kind.

        ``misfit``: a block that follows does not fit, so that where the provider that is asked denies nothing, another
        one has another chain: all are asked. Raises FinalityContradicted, SourceError.
        """
        self.unsettled, changed = True, False
        for attempt in range(FORKS_MAX):
            plan = await self._plan(every_row=every_row)
            if misfit and not (changed or plan.reverts or plan.appends):
                plan = await self._plan(everyone=True)
            changed = changed or bool(plan.reverts or plan.appends)
            if plan.reverts:
                await self._revert(plan.reverts, marks)
            if not plan.appends or await self._again(plan.appends, marks):
                self.unsettled = False
                return changed
            self._log.info("chain moved while settling", attempt=attempt)
            await self._stopping.sleep(min(0.2 * attempt, 2.0))
        raise SourceError(f"{self._raw.network}: the providers' chains still disagree after {FORKS_MAX} tries")

    async def extend(self, first: int, last: int, marks: Marks) -> bool:
        """Append what is missing at these heights, as far as the node has it. False: a block does not fit the tail.

        Raises SourceError for a block that cannot be had, ``lacking``, after all below it were appended.
        """
        self.lacking = None
        for low, high in missing(self.rows, first, last):
            if not await self._stretch(low, high, marks):
                return False
        return True

    async def finalize(self, marks: Marks) -> None:
        """Say what has become final, if the node still agrees to it."""
        ends = finalizable(list(self.rows.values()), marks.finalized)
        if not ends:
            return
        says = await self._stopping.unless(self._ask_hashes(ends, everyone=True))
        if any(says[row.height] not in (None, row.hash) for row in ends):
            await self.settle(marks, every_row=True, misfit=True)
            return
        known = list(takewhile(lambda row: says[row.height] is not None, ends))
        if known:
            await self._tail.mark_final(known[-1])
            self.rows[known[-1].height] = replace(known[-1], final=True)
            await self._say_final(known, marks)

    async def prove_better(self, row: Row, marks: Marks) -> None:
        """Ask for a block of the log again. Raises SourceError, SourceUnripe where what is told now has to stand.

        1. better proven and otherwise the same: appended again, for its proof; 2. better proven, and it says something
        else, or as well proven with more logs: reverted with all above it, so that :meth:`extend` appends what is
        there; 3. else nothing.
        """
        async for block in self._stopping.until(self._source.blocks(row.height, row.height)):
            now, before = worth(block.proof, block.reasons), worth(row.proof, row.reasons)
            is_fuller = now == before and block.logs > row.logs >= 0
            if block.hash != row.hash or block.height <= marks.finalized or not (now > before or is_fuller):
                break
            how = {"block": row.height, "proof": block.proof, "reasons": sorted(block.reasons), "logs": block.logs}
            if block.content != row.content:
                self._log.warning("better proven or fuller, it says something else", **how)
                above = [each for each in reversed(unfinal(list(self.rows.values()))) if each.height >= row.height]
                await self._revert(above, marks)
                break
            self._raw.append(block, marks, lease=self._lease, covers_from=row.height, starts_range=False)
            await self._sealed()
            proven = replace(row, proof=block.proof, reasons=block.reasons)
            await self._tail.better(proven)
            self.rows[row.height] = proven
            self._log.info("better proven", **how)

    async def top_stands(self, marks: Marks) -> bool:
        """Whether the node still has the highest of our blocks that it can: a reorg need not lengthen the chain."""
        height = max((height for height in self.rows if marks.head < 0 or height <= marks.head), default=None)
        if height is None:
            return True
        says = await self._stopping.unless(self._ask_hashes([self.rows[height]]))
        return says[height] in (None, self.rows[height].hash)

    async def alive(self) -> None:
        """Nobody else may have claimed, also while nothing happens. Raises LeaseLost."""
        await self._watch.clear_now()
        await self._tail.seen()

    async def _refilled(self) -> None:
        """After a restore the tail is what normalize comes to, once it has read the log up to our claim."""
        told = -_TELL_EVERY_S
        while not await self._tail.refill():
            if (now := time.monotonic()) - told >= _TELL_EVERY_S:
                told = now
                self._log.warning("waits for normalize to read the log after a restore", offset=self._lease)
            with self._progress.waits.on("normalize"):
                await self._stopping.sleep(_LOOK_AGAIN_S)
            await self.alive()

    async def _agrees_to_anchor(self) -> None:
        """Before anything is written: the node knows the block that this network stands on."""
        standing = anchor(await self._tail.rows())
        if standing is not None:
            says = await self._stopping.unless(self._ask_hashes([standing]))
            reconcile(self._raw.network, [standing], says)

    async def _finish_finalizing(self, marks: Marks) -> None:
        """A row was marked final, and we died before the rows below it went: say it again."""
        standing = anchor(list(self.rows.values()))
        if standing is not None and min(self.rows) < standing.height:
            await self._say_final(tops([row for row in self.rows.values() if row.height <= standing.height]), marks)

    async def _say_final(self, ends: Sequence[Row], marks: Marks) -> None:
        """In the log, one record a stretch; then the rows below the highest go."""
        for row in ends:
            self._raw.finalize(row, marks, lease=self._lease)
        await self._sealed()
        await self._tail.drop_below()
        self.rows = {height: row for height, row in self.rows.items() if height >= ends[-1].height}

    async def _plan(self, *, every_row: bool = False, everyone: bool = False) -> Plan:
        says = await self._node_says(every_row, everyone)
        return reconcile(self._raw.network, list(self.rows.values()), says)

    async def _node_says(self, every_row: bool, everyone: bool) -> dict[int, str | None]:
        """The node's hashes at the tail's heights; from the top down to one it agrees to, where all below is linked."""
        rows = sorted(self.rows.values(), key=lambda row: row.height, reverse=True)
        if every_row:
            return dict(await self._stopping.unless(self._ask_hashes(rows, everyone=everyone)))
        says: dict[int, str | None] = {}
        size = _PROBE
        while rows:
            asked, rows = rows[:size], rows[size:]
            says |= await self._stopping.unless(self._ask_hashes(asked, everyone=everyone))
            lowest = asked[-1]
            if says[lowest.height] == lowest.hash and self._linked_below(lowest.height):
                return {**{row.height: row.hash for row in rows}, **says}
            size *= 4
        return says

    async def _ask_hashes(self, rows: Sequence[Row], *, everyone: bool = False) -> Mapping[int, str | None]:
        """What the node has where these rows are. ``everyone``: no provider's word alone is taken for it."""
        known = {row.height: row.hash for row in rows}
        with self._progress.waits.on("provider"):
            return await self._source.hashes(list(known), known, everyone=everyone)

    def _linked_below(self, height: int) -> bool:
        at = height
        while (below := self.rows.get(at - 1)) is not None and below.hash == self.rows[at].parent:
            at -= 1
        return at == min(self.rows)

    async def _revert(self, reverts: Sequence[Row], marks: Marks) -> None:
        lowest = reverts[-1].height
        await self._tail.doubt_from(lowest)
        for row in reverts:
            self._raw.revert(row, marks, lease=self._lease)
        await self._sealed()
        await self._tail.drop_from(lowest)
        self.rows = {height: row for height, row in self.rows.items() if height < lowest or row.final}
        self.reverted = lowest if self.reverted is None else min(lowest, self.reverted)
        self._log.warning(
            "reorg", depth=len(reverts), block=lowest, top=reverts[0].height, hash=reverts[-1].hash,
            offset=self._raw.last_offset,
        )  # fmt: skip

    async def _again(self, heights: Sequence[int], marks: Marks) -> bool:
        """Append these heights, whether their rows are still there or not. False: the chain moved meanwhile."""
        waiting = {height: self.rows.pop(height) for height in heights if height in self.rows}
        try:
            for first, last in stretches(heights):
                if not await self._stretch(first, last, marks, waiting):
                    return False
        finally:
            for height, row in waiting.items():
                self.rows.setdefault(height, row)
        return all(self.rows[height].offset is not None for height in waiting)

    async def _stretch(
        self, first: int, last: int, marks: Marks, expected: Mapping[int, Row] = MappingProxyType({})
    ) -> bool:
        """Append these heights as far as the node has them. ``expected``: rows that a block must be, if it is there."""
        chunk: list[tuple[Block, bool]] = []
        size, covers_from, fits, following = 0, first, True, first
        trouble: SourceError | None = None
        blocks = _until_trouble(self._stopping.until(self._source.blocks(first, last)))
        async for block in self._progress.waits.each("provider", blocks):
            if isinstance(block, SourceError):
                trouble = block
                break
            how = self._fit(block, expected)
            if how is Fit.FORKED:
                fits = False
                break
            if how is Fit.STARTS_RANGE:
                covers_from = block.height
            self.rows[block.height] = _row(block)
            chunk.append((block, how is Fit.STARTS_RANGE))
            size += block.size
            following = block.height + 1
            if len(chunk) >= (CHUNK_BLOCKS if block.height > marks.finalized else FINAL_BLOCKS) or size >= CHUNK_BYTES:
                await self._append(chunk, covers_from, marks, expected)
                chunk, size = [], 0
        await self._append(chunk, covers_from, marks, expected)
        self._stopping.check()
        if trouble is not None:
            self.lacking = following
            raise trouble
        if fits and following <= last and self.lacking is None:
            self.lacking = following
        return fits

    def _fit(self, block: Block, expected: Mapping[int, Row]) -> Fit:
        row = expected.get(block.height)
        if row is not None and row.hash != block.hash:
            return Fit.FORKED
        return fit(self.rows, block.height, block.hash, block.parent_hash)

    async def _append(
        self, chunk: Sequence[tuple[Block, bool]], covers_from: int, marks: Marks, expected: Mapping[int, Row]
    ) -> None:
        """Final blocks need no row and no lease; the last of them becomes what the tail stands on.

        An expected one keeps its row though it is final by now: rows below it may have to become final first.
        """
        if not chunk:
            return
        with_row = {block.height for block, _ in chunk if block.height > marks.finalized or block.height in expected}
        with self._progress.waits.on("postgres"):
            await self._tail.add(block for block, _ in chunk if block.height in with_row)
        offsets: dict[int, int] = {}
        for block, starts in chunk:
            self._raw.append(
                block,
                marks,
                lease=NO_LEASE if block.height <= marks.finalized else self._lease,
                covers_from=covers_from,
                starts_range=starts,
                on_offset=partial(offsets.__setitem__, block.height),
            )
        await self._sealed()
        for block, _ in chunk:
            self._progress.add(block)
        landed = [replace(self.rows[block.height], offset=offsets[block.height]) for block, _ in chunk]
        self.rows |= {row.height: row for row in landed}
        with self._progress.waits.on("postgres"):
            await self._stand_on([row for row in landed if row.height not in with_row])
            await self._tail.acknowledge(row for row in landed if row.height in with_row)
        self._progress.next_height = landed[-1].height + 1
        self._progress.report(self._progress)

    async def _stand_on(self, final: Sequence[Row]) -> None:
        """Of blocks that were appended as final, remember the highest, unless a row below waits to be finalized."""
        if not final:
            return
        heights = {row.height for row in final}
        kept = {height: row for height, row in self.rows.items() if height not in heights}
        standing = anchor(list(kept.values()))
        waiting = any(row.height < final[0].height for row in unfinal(list(kept.values())))
        if not waiting and (standing is None or standing.height < final[-1].height):
            row = replace(final[-1], final=True)
            await self._tail.anchor(row)
            kept = {height: other for height, other in kept.items() if not other.final} | {row.height: row}
        self.rows = kept

    async def _sealed(self) -> None:
        """What was sent is in the log, and nobody else's claim before it. Raises LeaseLost."""
        with self._progress.waits.on("kafka"):
            await self._raw.acknowledged()
            await self._watch.clear_up_to(self._raw.last_offset)


def _row(block: Block) -> Row:
    return Row(
        height=block.height,
        hash=block.hash,
        parent=block.parent_hash,
        proof=block.proof,
        reasons=block.reasons,
        content=block.content,
        logs=block.logs,
    )


async def _until_trouble(blocks: AsyncIterator[Block]) -> AsyncIterator[Block | SourceError]:
    """The blocks, and at their end the error that ends them: what came before it is to be appended first."""
    try:
        async for block in blocks:
            yield block
    except SourceError as exc:
        yield exc
