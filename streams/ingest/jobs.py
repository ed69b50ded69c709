"""source -> raw: the jobs of ``ft ingest``. A range, which ends; or following, which does not.

A range is split at finality (and below the lowest row of the tail): below it is a backfill, above it is claimed and
treated as the follower does.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import TypeVar

import structlog

from ft.errors import FtError
from ft.networks import Network
from ft.stopping import Stopped, Stopping
from ft.streams.ingest.backfill import Backfill, Progress
from ft.streams.ingest.better import Again
from ft.streams.ingest.follower import FORKS_MAX, Follower
from ft.streams.ingest.raw_log import RawLog
from ft.streams.ingest.reconcile import check_final
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.ingest.waiting import Waiting
from ft.streams.sources import Marks, Source, SourceError, SourceUnavailable, SourceUnripe

POLL_S = (0.25, 2.0)
"""Shortest and longest pause between two looks at the head; half a block time in between."""
_DOUBT_EVERY_S = 30.0
_CURSOR_EVERY_S = 2.0
_MISSING_TRIES = 4
_PORTION = 2_000
T = TypeVar("T")
log = structlog.get_logger(__name__)


class RangeRefused(FtError):
    """The range lies above the head; nothing was claimed or written."""


class Ingest:
    """One process's work on one network."""

    def __init__(
        self,
        network: Network,
        source: Source,
        raw: RawLog,
        tail: UnfinalizedBlocks,
        owner: str,
        stopping: Stopping,
        progress: Progress | None = None,
    ) -> None:
        self._network = network
        self._source = source
        self._raw = raw
        self._tail = tail
        self._owner = owner
        self._stopping = stopping
        self._progress = progress or Progress()
        self._log = log.bind(network=network.slug)
        self._again = Again(network.proof, time.monotonic)
        self._trouble: SourceError | None = None

    async def range(self, first: int, last: int | None) -> int:
        """Ingest ``first`` to ``last`` (None: the node's head) and return the last height.

        Raises RangeRefused before anything is claimed, Stopped, LeaseLost, FinalityContradicted, SourceError,
        BrokerError, DatabaseError.
        """
        job = f"range:{self._network.slug}:{first}-{'' if last is None else last}"
        marks = await self._marks()
        end = marks.head if last is None else last
        if end < 0:
            raise SourceError(f"{self._network.slug}: no provider says what its head is. Give --to.")
        if 0 <= marks.head < max(first, end):
            raise RangeRefused(
                f"{self._network.slug}: expected --from and --to up to the head, block {marks.head}, "
                f"got {first} to {end}. Nothing was written: give blocks that are there, or `ft ingest "
                f"{self._network.slug} --follow`, which goes on with every new block."
            )
        backfill = Backfill(self._source, self._raw, self._tail, job, self._stopping, self._progress)
        at = await self._resumed(job, first, end)
        while at <= (split := min(end, await self._final_below(marks))):
            await backfill.run(at, split, marks)
            at = split + 1
            marks = await self._marks()
        if at <= end:
            await backfill.agrees(0, at - 1)
            with self._chain() as chain:
                try:
                    await chain.claim(marks, backfill.last and replace(backfill.last, final=True))
                    await chain.finalize(marks)
                    await self._reach(chain, at, end, marks)
                finally:
                    await self._tail.let_go()
        await self._tail.save_cursor(job, end + 1, marks)
        return end

    async def follow(self, first: int | None) -> None:
        """Catch up from ``first`` (None: from where following stopped, else from the finalized block), then follow.

        A block that no provider gives or proves is waited for. Ends only by an exception: Stopped, LeaseLost,
        FinalityContradicted, BrokerError, DatabaseError, SourceError (before it has begun).
        """
        job = f"follow:{self._network.slug}"
        marks = await self._when_there(self._marks)
        await self._when_there(lambda: self._agrees_to_log(marks))
        with self._chain() as chain:
            try:
                start = await self._start(job, first, marks)
                await self._tail.save_cursor(job, start, marks)
                await self._keep_on(chain, job, start, marks)
            finally:
                await self._tail.let_go()

    async def _keep_on(self, chain: Follower, job: str, following: int, marks: Marks) -> None:
        """``following``: first height that is not in the log; what the tail holds above it is not asked for again."""
        doubted = saved = time.monotonic()
        poll_s = min(POLL_S[1], max(POLL_S[0], self._network.block_time_s / 2))
        waiting = Waiting(self._tail, job)
        while True:
            before = following
            self._trouble = None
            try:
                if not chain.is_claimed:
                    await chain.claim(marks)
                marks = await self._marks()
                following = await self._step(chain, following, marks)
                await self._prove_better(chain, marks)
            except SourceError as exc:
                self._trouble = exc
            now = time.monotonic()
            if before != following or now - saved > _CURSOR_EVERY_S:
                saved = now
                await self._tail.save_cursor(job, following, marks)
                if chain.written is not None:
                    self._progress.next_height = chain.written + 1
                self._progress.report(self._progress)
            if chain.is_claimed and now - doubted > _DOUBT_EVERY_S:
                doubted = now
                await self._doubt(chain, marks)
            if self._trouble is not None:
                if chain.is_claimed:
                    await chain.alive()
                with self._progress.waits.on("provider"):
                    await self._stopping.sleep(await waiting.for_block(following, self._trouble))
                continue
            await waiting.no_longer()
            if before == following:
                await chain.alive()
                with self._progress.waits.on("head"):
                    await self._stopping.unless(self._source.wait_for_head(poll_s))

    async def _doubt(self, chain: Follower, marks: Marks) -> None:
        """Claim anew where what was appended and read did not become canonical."""
        if heights := await self._tail.doubtful():
            row = chain.rows.get(heights[0])
            offset = None if row is None else row.offset
            self._log.warning("blocks did not become canonical, claiming anew", block=heights[0], offset=offset)
            await chain.alive()  # unless somebody else has claimed
            with suppress(SourceError):  # what is not settled then is settled by the next step
                await chain.claim(marks)

    async def _prove_better(self, chain: Follower, marks: Marks) -> None:
        """A few blocks that others may prove better by now; where nobody answers, later."""
        for row in self._again.due(list(chain.rows.values())):
            if row.height > marks.finalized and chain.rows.get(row.height) == row:
                try:
                    await chain.prove_better(row, marks)
                except SourceUnripe as exc:
                    self._again.ripens(row, exc.stands_s)
                except SourceError:
                    continue

    async def _step(self, chain: Follower, following: int, marks: Marks) -> int:
        """1. what became final, 2. a reorg that made the chain no longer, 3. what is new. Returns what follows it.

        A block that cannot be had is kept in mind: what follows it is returned all the same.
        """
        if chain.unsettled:
            await chain.settle(marks, every_row=True)
        await chain.finalize(marks)
        if marks.head < following and not await chain.top_stands(marks):
            await chain.settle(marks)
        if chain.reverted is not None:
            following, chain.reverted = min(following, chain.reverted), None
        if marks.head < following:
            return following
        # In portions, so that finality and the cursor move on a long way up.
        last = min(marks.head, following + _PORTION - 1)
        try:
            fits = await chain.extend(following, last, marks)
        except SourceError as exc:
            self._trouble, fits = exc, True
        if not fits:
            if not await chain.settle(marks, misfit=True):
                self._trouble = self._out_of_place()
            return following
        return last + 1 if chain.lacking is None else chain.lacking

    async def _reach(self, chain: Follower, first: int, last: int, marks: Marks) -> None:
        """Bring the log to ``last``. Raises SourceError where no provider has so much."""
        for attempt in range(_MISSING_TRIES):
            for retry in count():
                if await chain.extend(first, last, marks):
                    break
                if not await chain.settle(marks, misfit=True):
                    if retry >= FORKS_MAX:
                        raise self._out_of_place()
                    await self._stopping.sleep(min(0.2 * retry, 2.0))
            if chain.lacking is None:
                return
            first = chain.lacking
            await self._stopping.sleep(2.0**attempt / 2)
            marks = await self._marks()
        raise SourceError(f"{self._network.slug}: block {first}: no provider has it (head {marks.head})")

    def _out_of_place(self) -> SourceError:
        return SourceError(
            f"{self._network.slug}: a provider's next block does not fit the log, and most of them say that the log is "
            "right"
        )

    async def _start(self, job: str, first: int | None, marks: Marks) -> int:
        cursor = await self._tail.cursor(job)
        if first is not None:
            return first if cursor is None else max(first, cursor)
        if cursor is not None:
            return cursor
        return max(self._network.start_block, marks.finalized, 0)

    async def _resumed(self, job: str, first: int, last: int) -> int:
        """Where a range that was interrupted goes on; one that was finished begins again."""
        cursor = await self._tail.cursor(job)
        if cursor is None or not first < cursor <= last:
            return first
        self._log.info("resumed", job=job, block=cursor)
        return cursor

    async def _final_below(self, marks: Marks) -> int:
        lowest = await self._tail.lowest_unfinal()
        return marks.finalized if lowest is None else min(marks.finalized, lowest - 1)

    async def _agrees_to_log(self, marks: Marks) -> None:
        """Before anything is written: the node has the highest block that the log has as final."""
        if final := await self._tail.known_final(0, max(marks.head, 0), 1):
            check_final(self._network.slug, final, await self._stopping.unless(self._source.hashes(list(final), final)))

    async def _when_there(self, work: Callable[[], Awaitable[T]]) -> T:
        """Of a follower that starts: it waits for providers that are away."""
        while True:
            try:
                return await work()
            except SourceUnavailable as exc:
                self._log.warning("no provider answers", error=str(exc))
                self._stopping.check()

    async def _marks(self) -> Marks:
        with self._progress.waits.on("provider"):
            return await self._stopping.unless(self._source.marks())

    def _chain(self) -> Follower:
        return Follower(self._source, self._raw, self._tail, self._owner, self._stopping, self._progress)


__all__ = ["Ingest", "Stopped"]
