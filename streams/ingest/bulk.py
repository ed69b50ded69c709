"""source -> raw: ``ft ingest --bulk``. A range of final blocks into months that get the API's indexes afterwards.

1. the job's row is opened, or taken up again: from here on the publisher is held back, and new months are made bare
2. the blocks are appended as any backfill appends them
3. once Kafka has acknowledged them, the row says up to which raw offset they lie; a worker does the rest

A process that dies leaves its job open, and the publisher held back, until the same range is asked for again or the
job is abandoned.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from ft.config import Config
from ft.errors import FtError
from ft.networks import Network
from ft.sql.queries import load
from ft.sql.session import again, connect_writer
from ft.stopping import Stopping
from ft.streams.ingest.backfill import Backfill, Progress
from ft.streams.ingest.raw_log import PARTITION, RawLog
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.kafka.topic_admin import end_of
from ft.streams.kafka.topics import Topics
from ft.streams.sources import Source, SourceError

SEEN_S: Final = 5.0
"""How often a process says that it still fills its job."""
_LAST_SAID_S: Final = 1.0
"""How long the last word of a process may take."""
_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
log = structlog.get_logger(__name__)


class BulkRefused(FtError):
    """The range cannot be filled in bulk; the message says what can."""


class JobGone(FtError):
    """The job was closed by somebody else while this process filled it; what it appended stays in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An open job: blocks ``first`` to ``last``. ``resumed``: a process began it before this one."""

    id: int
    first: int
    last: int
    resumed: bool = False


class BulkJobs:
    """The jobs of one network in Postgres. Passing errors are tried again for half a minute."""

    def __init__(self, config: Config, network: str) -> None:
        self._config = config
        self._network = network

    async def filling(self) -> list[Job]:
        """Jobs that are not written yet, the oldest first."""
        rows = await self._run("filling_jobs", network=self._network)
        return [Job(id=row[0], first=row[1], last=row[2], resumed=True) for row in rows]

    async def open(self, first: int, last: int, from_time: int, to_time: int) -> Job:
        """A new job; the times of its first and last block in unix seconds."""
        rows = await self._run(
            "open_job",
            network=self._network,
            first=first,
            last=last,
            from_time=min(from_time, to_time),
            to_time=max(from_time, to_time),
        )
        return Job(id=rows[0][0], first=first, last=last)

    async def written(self, job: Job, *, abandoned: bool = False) -> None:
        """Say that everything of the job is in the raw log: it ends where the log ends now. Raises JobGone."""
        topic = Topics(self._config.topic_prefix).raw(self._network)
        end = await asyncio.to_thread(end_of, self._config, topic, PARTITION)
        if not await self._run("written", id=job.id, raw_end=end - 1, abandoned=abandoned):
            raise JobGone(f"{self._network}: bulk job {job.id} was closed meanwhile")

    async def abandon(self, first: int | None, last: int | None) -> list[Job]:
        """Close the unfinished jobs (None: whatever the block) with what was written of them; returns them."""
        chosen = [job for job in await self.filling() if first in (None, job.first) and last in (None, job.last)]
        for job in chosen:
            await self.written(job, abandoned=True)
        return chosen

    @asynccontextmanager
    async def alive(self, job: Job) -> AsyncIterator[None]:
        """Inside, the job's row says now and then that somebody fills it."""
        ended = asyncio.Event()

        async def say() -> None:
            while not ended.is_set():
                try:
                    await self._run("seen", id=job.id)
                except FtError as exc:
                    log.warning("bulk job cannot be marked as alive", job=job.id, error=str(exc))
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), SEEN_S)

        saying = asyncio.create_task(say(), name="bulk job alive")
        try:
            yield
        finally:
            ended.set()
            await asyncio.wait({saying}, timeout=_LAST_SAID_S)  # cancelled while it opens, a connection stays open
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)

    async def _run(self, name: str, **values: object) -> list[tuple[Any, ...]]:
        """In a transaction of its own; the rows, or one empty row a row changed. Raises DatabaseError."""

        async def once() -> list[tuple[Any, ...]]:
            async with await connect_writer(self._config, application="ft ingest --bulk") as conn:
                cursor = await conn.execute(load("bulk")[name], values)
                return await cursor.fetchall() if cursor.description else [()] * cursor.rowcount

        return await again(once, _PAUSES_S)


class Bulk:
    """One process's bulk backfill of one network."""

    def __init__(
        self,
        network: Network,
        source: Source,
        raw: RawLog,
        tail: UnfinalizedBlocks,
        jobs: BulkJobs,
        stopping: Stopping,
        progress: Progress | None = None,
    ) -> None:
        self._network = network
        self._source = source
        self._raw = raw
        self._tail = tail
        self._jobs = jobs
        self._stopping = stopping
        self._progress = progress or Progress()

    async def run(self, first: int | None, last: int | None) -> Job:
        """Open or take up the job of blocks ``first`` (None: start block) to ``last`` (None: the highest final one).

        Raises BulkRefused for blocks that are not final, Stopped (the job stays open), JobGone, FinalityContradicted,
        SourceError, BrokerError, DatabaseError.
        """
        marks = await self._stopping.unless(self._source.marks())
        job = await self._taken_up(first, last) or await self._opened(first, last, marks.finalized)
        name = f"bulk:{self._network.slug}:{job.first}-{job.last}:{job.id}"
        begin = max(job.first, await self._tail.cursor(name) or 0)
        log.info("bulk job is open: announcing waits", network=self._network.slug, job=job.id, block=begin)
        async with self._jobs.alive(job):
            if begin <= job.last:
                backfill = Backfill(self._source, self._raw, self._tail, name, self._stopping, self._progress)
                await backfill.run(begin, job.last, marks)
            await self._jobs.written(job)
        return job

    async def _taken_up(self, first: int | None, last: int | None) -> Job | None:
        for job in await self._jobs.filling():
            if first in (None, job.first) and last in (None, job.last):
                return job
        return None

    async def _opened(self, first: int | None, last: int | None, finalized: int) -> Job:
        lowest = await self._tail.lowest_unfinal()
        final = finalized if lowest is None else min(finalized, lowest - 1)
        start = max(self._network.start_block, 0) if first is None else first
        end = final if last is None else last
        if not start <= end <= final:
            raise BulkRefused(
                f"{self._network.slug}: --bulk takes final blocks only: expected --from and --to up to {final}, got "
                f"{start} to {end}. `ft ingest {self._network.slug} --follow` brings what lies above."
            )
        return await self._jobs.open(start, end, await self._time(start), await self._time(end))

    async def _time(self, height: int) -> int:
        async for block in self._stopping.until(self._source.blocks(height, height)):
            return block.time
        self._stopping.check()
        raise SourceError(f"{self._network.slug}: block {height}: no provider has it")
