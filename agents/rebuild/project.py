"""ownership_changed, from its first record -> projections beside those that are served, which they then replace.

1. a second consumer, with fence rows of its own, runs ``Project`` from the first record into shadow tables
2. once it has read the topic, it takes over (``takeover``): in one transaction that keeps everybody else out, it reads
   what the live consumer has read since, and changes the tables
The live consumer goes on all the time, before and after. Whatever happens to this process, what is served is whole.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import psycopg

from ft.agents.project.hop import LostRecords, Project
from ft.agents.rebuild import takeover
from ft.agents.rebuild.progress import Progress, Report
from ft.agents.rebuild.shadow import Shadow
from ft.config import Config
from ft.errors import MalformedRecord, OffsetMismatch
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged, from_record
from ft.sql.queries import LIVE
from ft.streams import checkpoint
from ft.streams.belonging import begins
from ft.streams.checkpoint import Claim, Move, process_name
from ft.streams.deployment import require_one
from ft.streams.hop import Message, process
from ft.streams.prepare import partitions_of
from ft.streams.schema_ids import Schemas
from ft.streams.topics import Topics, topic_identities
from ft.streams.whole import WholeTopic

BATCH_RECORDS: Final = 2000
LOCKED_RECORDS: Final = 500
LOCKED_S: Final = 2.0
"""How long everybody waits, at most, for the rest to be read, in batches of so many; else the takeover is put off."""
LOCK_TIMEOUTS_S: Final = (0.5, 0.5, 3.0)
"""How long each try may keep readers of the projections waiting behind it. The last is longer than Postgres takes to
send autovacuum away."""
_PAUSE_S: Final = 0.2
_TELL_TRIES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of it. ``locked_s``: how long the projections could not be read."""

    records: int
    tries: int
    locked_s: float


async def rebuild_project(config: Config, report: Report) -> Rebuilt:
    """Rebuild everything that ``project`` keeps, and serve it.

    Raises RebuildRuns, LostRecords where the topic does not begin with its first record, what ``Project`` raises,
    DatabaseUnavailable, BrokerUnavailable; until it returns the old projections are served.
    """
    topic = Topics(config.topic_prefix).ownership_changed
    partitions = range(await asyncio.to_thread(partitions_of, config))
    await asyncio.to_thread(require_one, config)
    with Schemas(config) as schemas, Shadow(config, "project") as shadow:
        if shadow.left_over:
            report(f"deleted what {len(shadow.left_over)} unfinished rebuilds had left")
        codec = schemas.reader("ownership_changed")
        with WholeTopic(config, topic, partitions) as whole:
            work = _Rebuild(config, shadow, whole, codec, report)
            try:
                return await work.run()
            finally:
                await work.hop.stop()


class _Rebuild:
    """One run, in its shadow."""

    def __init__(self, config: Config, shadow: Shadow, whole: WholeTopic, codec: Codec, report: Report) -> None:
        self.hop = Project(config, process_name(), codec)
        self._config = config
        self._shadow = shadow
        self._whole = whole
        self._codec = codec
        self._report = report
        self._claims: dict[int, Claim] = {}
        self._firsts: dict[int, int] = {}
        """Partition -> offset of its first record."""
        self._log = ("", "")
        self._progress = Progress(what="ownership_changed")

    def get(self, topic: str, partition: int) -> Claim | None:
        """The claim, as the loop of every agent asks for it."""
        return self._claims.get(partition)

    async def run(self) -> Rebuilt:
        """Fill, then take over."""
        await self._claim()
        self._check_live(self._live_ends(), self._ends())
        await self._fill(self._ends())
        takeover.analyze(self._shadow.conn, self._shadow.generation)
        for tries in count(1):
            await self._fill(self._ends())
            locked_s = await self._try_to_take_over(LOCK_TIMEOUTS_S[tries % len(LOCK_TIMEOUTS_S)])
            if locked_s is not None:
                return Rebuilt(records=self._progress.done, tries=tries, locked_s=locked_s)
            if tries % _TELL_TRIES == 0:
                self._report(
                    f"complete, and waits to take over: readers or the live consumer were in the way {tries} times"
                )
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("unreachable")

    def _check_live(self, live: Mapping[int, int], ends: Mapping[int, int]) -> None:
        for partition, offset in live.items():
            if offset > ends[partition]:
                raise OffsetMismatch(
                    f"next offset of project of {self._whole.topic}-{partition}: expected at most {ends[partition]}, "
                    f"the end of the log, got {offset}. Records are missing: restore the topic before a rebuild."
                )

    def _ends(self) -> dict[int, int]:
        return {partition: end for partition, (_, end) in self._whole.bounds().items()}

    async def _claim(self) -> None:
        topic = self._whole.topic
        begin = begins(self._config, topic)
        self._firsts = {partition: first for partition, (first, _) in self._whole.bounds().items()}
        for partition, first in self._firsts.items():
            if first > (expected := begin.get(partition, 0)):
                raise LostRecords(
                    f"{topic}-{partition}: expected the log to begin at offset {expected}, got {first}. Records were "
                    "deleted: restore the topic before the projections can be rebuilt from it."
                )
        identity = topic_identities(self._config, [topic])[topic]
        self._log = (identity.cluster_id, identity.topic_id)
        conn = await checkpoint.connect_writer(self._config, application="ft rebuild claims")
        try:
            for partition in self._whole.partitions:
                claim = self._claims[partition] = await checkpoint.claim(
                    conn,
                    consumer=self.hop.consumer,
                    topic=topic,
                    partition=partition,
                    owner=process_name(),
                    cluster_id=identity.cluster_id,
                    topic_id=identity.topic_id,
                )
                await _begin_at(conn, claim, self._firsts[partition])
        except psycopg.Error as exc:
            raise checkpoint.translated(exc) from exc
        finally:
            await conn.close()

    async def _fill(self, ends: Mapping[int, int], most: int = BATCH_RECORDS, until: float = math.inf) -> bool:
        """Process every record below ``ends``, ``most`` at a time; False if the clock passed ``until`` before that.

        What the hop leaves over of a block comes again with what follows it, and alone in the end.
        """
        progress = self._progress
        claims, firsts = self._claims, self._firsts
        progress.total = sum(max(ends[p], claim.next_offset) - firsts[p] for p, claim in claims.items() if p in ends)
        starts = {partition: claim.next_offset for partition, claim in self._claims.items()}
        left: list[Message] = []
        for read in self._whole.read(starts, ends, most):
            for message in read:
                if message.offset == self._firsts[message.partition]:
                    self._check_first(message)
            messages = [*left, *read]
            await process(messages, self.hop, self)
            left = [message for message in messages if message.offset >= claims[message.partition].next_offset]
            self._tell_progress()
            if time.monotonic() > until:
                break
        else:
            await process(left, self.hop, self)
            self._tell_progress()
        return all(self._claims[partition].next_offset >= end for partition, end in ends.items())

    def _tell_progress(self) -> None:
        firsts = self._firsts
        self._progress.done = sum(claim.next_offset - firsts[partition] for partition, claim in self._claims.items())
        self._report(self._progress)

    def _check_first(self, message: Message) -> None:
        try:
            first = from_record(OwnershipChanged, self._codec.decode(message.value))
        except MalformedRecord:
            return  # the hop puts it aside
        if first.prev_seq > 0:
            raise LostRecords(
                f"{message.topic}-{message.partition}: expected the first record to follow none, got one that follows "
                f"seq {first.prev_seq}. Records are missing: restore the topic before the projections can be rebuilt."
            )

    async def _try_to_take_over(self, lock_timeout_s: float) -> float | None:
        """Seconds that it took, or None: somebody was in the way, or the live consumer is too far ahead."""
        conn, began = self._shadow.conn, time.monotonic()
        complete = False
        try:
            with conn.transaction():
                takeover.keep_others_out(conn, lock_timeout_s)
                complete = await self._fill(self._live_ends(), LOCKED_RECORDS, time.monotonic() + LOCKED_S)
                if not complete:
                    raise psycopg.Rollback
                takeover.swap(conn, self._shadow.generation, self._whole.topic)
        except psycopg.errors.LockNotAvailable:
            return None
        except psycopg.Error as exc:
            raise checkpoint.translated(exc) from exc
        return time.monotonic() - began if complete else None

    def _live_ends(self) -> dict[int, int]:
        """How far the live consumer has read of this very log; its fence rows stay locked in a transaction."""
        return {
            fence.partition: fence.next_offset
            for fence in takeover.fences(self._shadow.conn, LIVE, self._whole.topic)
            if fence.partition in self._claims and (fence.cluster_id, fence.topic_id) == self._log
        }


async def _begin_at(conn: checkpoint.Connection, claim: Claim, first: int) -> None:
    """The claim's next offset is that of the topic's first record."""
    await checkpoint.move_fence(conn, [Move(claim=claim, next_offset=first, next_seq=claim.next_seq)])
    await conn.commit()
    claim.next_offset = first
