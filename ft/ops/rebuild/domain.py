"""ownership_changed, from its first record -> a domain's tables beside those that are served, which they then replace.

1. a second consumer for each of its subscribers, with fence rows of its own, reads from the first record into shadow
   tables, and announces nothing: it was announced when it happened
2. once they have read the topic, they take over (``takeover``): in one transaction that keeps everybody else out, they
   read what the live consumers have read since, and change the tables
The live consumers go on all the time, before and after. Whatever happens to this process, what is served is whole.
``project`` is rebuilt as a domain is.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Final

import psycopg

from ft.config import Config
from ft.errors import MalformedRecord, OffsetMismatch
from ft.ops.rebuild import takeover
from ft.ops.rebuild.progress import Progress, Report
from ft.ops.rebuild.shadow import Connection, Shadow
from ft.ops.rebuild.takeover import Kept
from ft.schemas import domains
from ft.schemas.changes import Change
from ft.schemas.events import OwnershipChanged, from_record
from ft.sql import session
from ft.sql.queries import LIVE, load
from ft.sql.session import connect_writer, process_name, translated
from ft.streams.deployment.comparing import require_one, stored_deployment
from ft.streams.deployment.identity import Deployment, require_same
from ft.streams.deployment.identity_check import begins
from ft.streams.deployment.provision import partitions_of
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.message import Message
from ft.streams.kafka.topic_admin import topic_identities
from ft.streams.kafka.topics import Topics
from ft.streams.worker import fence
from ft.streams.worker.announcing import Unsent
from ft.streams.worker.fence import Claim, Move
from ft.streams.worker.hop import process
from ft.streams.worker.subscriber import LostRecords, Subscriber, Subscription

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
    """As :func:`rebuild`, everything that ``project`` keeps."""
    return await rebuild(config, takeover.PROJECT, report)


async def rebuild(config: Config, kept: Kept, report: Report) -> Rebuilt:
    """Rebuild everything that the subscribers keep, and serve it.

    Raises RebuildRuns, LostRecords where the topic does not begin with its first record, what the subscribers raise,
    DatabaseUnavailable, BrokerUnavailable; until it returns the old tables are served.
    """
    topic = Topics(config.topic_prefix).ownership_changed
    began = await asyncio.to_thread(stored_deployment, config)
    await asyncio.to_thread(require_one, config)
    partitions = range(await asyncio.to_thread(partitions_of, config))
    with Schemas(config) as schemas, Shadow(config, kept.name) as shadow, ExitStack() as stack:
        if shadow.left_over:
            report(f"deleted what {len(shadow.left_over)} unfinished rebuilds had left")
        whole = [stack.enter_context(BoundedReader(config, topic, partitions)) for _ in kept.subscribers]
        work = _Rebuild(config, kept, began, shadow, schemas, whole, report)
        try:
            return await work.run()
        finally:
            await work.stop()


class _Rebuild:
    """One run, in its shadow."""

    def __init__(
        self,
        config: Config,
        kept: Kept,
        began: Deployment | None,
        shadow: Shadow,
        schemas: Schemas,
        whole: Sequence[BoundedReader],
        report: Report,
    ) -> None:
        self._kept = kept
        self._began = began
        self._shadow = shadow
        self._report = report
        self._readers = [
            _Reader(config, schemas, subscriber, each, report)
            for subscriber, each in zip(kept.subscribers, whole, strict=True)
        ]

    async def stop(self) -> None:
        for reader in self._readers:
            await reader.hop.stop()

    async def run(self) -> Rebuilt:
        """Fill, then take over."""
        for reader in self._readers:
            await reader.claim(self._began)
            reader.check_live(self._shadow.conn)
            await reader.fill(reader.ends())
        takeover.analyze(self._shadow.conn, self._kept, self._shadow.generation)
        for tries in count(1):
            for reader in self._readers:
                await reader.fill(reader.ends())
            locked_s = await self._try_to_take_over(LOCK_TIMEOUTS_S[tries % len(LOCK_TIMEOUTS_S)])
            if locked_s is not None:
                records = sum(reader.progress.done for reader in self._readers)
                return Rebuilt(records=records, tries=tries, locked_s=locked_s)
            if tries % _TELL_TRIES == 0:
                self._report(
                    f"complete, and waits to take over: readers or the live consumer were in the way {tries} times"
                )
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("unreachable")

    async def _try_to_take_over(self, lock_timeout_s: float) -> float | None:
        """Seconds that it took, or None: somebody was in the way, or a live consumer is too far ahead."""
        conn, began = self._shadow.conn, time.monotonic()
        complete = False
        try:
            with conn.transaction():
                now = Deployment.of_row(conn.execute(load("deployment", LIVE)["in_force"]).fetchone())
                require_same(self._began, now)
                takeover.keep_others_out(conn, self._kept, lock_timeout_s)
                until = time.monotonic() + LOCKED_S
                filled = [await reader.fill(reader.live_ends(conn), LOCKED_RECORDS, until) for reader in self._readers]
                complete = all(filled)
                if not complete:
                    raise psycopg.Rollback
                takeover.swap(conn, self._kept, self._shadow.generation, self._readers[0].whole.topic)
        except psycopg.errors.LockNotAvailable:
            return None
        except psycopg.Error as exc:
            raise translated(exc) from exc
        return time.monotonic() - began if complete else None


class _Reader:
    """A second consumer for one subscriber."""

    def __init__(
        self,
        config: Config,
        schemas: Schemas,
        subscriber: type[Subscriber[Change]],
        whole: BoundedReader,
        report: Report,
    ) -> None:
        self._codec = schemas.reader("ownership_changed")
        announced = {topic: schemas.reader(topic) for topic in domains.announced()}
        self.hop = Subscription(config, process_name(), subscriber(), self._codec, announces=lambda: Unsent(announced))
        self.whole = whole
        self.progress = Progress(what="ownership_changed")
        self._config = config
        self._report = report
        self._claims: dict[int, Claim] = {}
        self._firsts: dict[int, int] = {}
        """Partition -> offset of its first record."""
        self._log = ("", "")

    def get(self, topic: str, partition: int) -> Claim | None:
        """The claim, as the loop of every agent asks for it."""
        return self._claims.get(partition)

    def check_live(self, conn: Connection) -> None:
        """Raises OffsetMismatch where the live consumer is beyond the log."""
        ends = self.ends()
        for partition, offset in self.live_ends(conn).items():
            if offset > ends[partition]:
                raise OffsetMismatch(
                    f"next offset of {self.hop.consumer} of {self.whole.topic}-{partition}: expected at most "
                    f"{ends[partition]}, the end of the log, got {offset}. Records are missing: restore the topic "
                    "before a rebuild."
                )

    def ends(self) -> dict[int, int]:
        """Partition -> the offset behind its last record."""
        return {partition: end for partition, (_, end) in self.whole.bounds().items()}

    async def claim(self, began: Deployment | None) -> None:
        """Begin at the first records. Raises LostRecords, OtherDeployment where ``began`` is not in force any more."""
        topic = self.whole.topic
        begin = begins(self._config, topic)
        self._firsts = {partition: first for partition, (first, _) in self.whole.bounds().items()}
        for partition, first in self._firsts.items():
            if first > (expected := begin.get(partition, 0)):
                raise LostRecords(
                    f"{topic}-{partition}: expected the log to begin at offset {expected}, got {first}. Records were "
                    f"deleted: restore the topic before what {self.hop.consumer} keeps can be rebuilt from it."
                )
        identity = topic_identities(self._config, [topic])[topic]
        self._log = (identity.cluster_id, identity.topic_id)
        conn = await connect_writer(self._config, application="ft rebuild claims")
        try:
            for partition in self.whole.partitions:
                claim = self._claims[partition] = await fence.claim(
                    conn,
                    consumer=self.hop.consumer,
                    topic=topic,
                    partition=partition,
                    owner=process_name(),
                    cluster_id=identity.cluster_id,
                    topic_id=identity.topic_id,
                    began=began,
                )
                await _begin_at(conn, claim, self._firsts[partition])
        except psycopg.Error as exc:
            raise translated(exc) from exc
        finally:
            await conn.close()

    async def fill(self, ends: Mapping[int, int], most: int = BATCH_RECORDS, until: float = math.inf) -> bool:
        """Process every record below ``ends``, ``most`` at a time; False if the clock passed ``until`` before that.

        What the hop leaves over of a block comes again with what follows it, and alone in the end.
        """
        claims, firsts = self._claims, self._firsts
        places = [(max(ends[p], claim.next_offset), firsts[p]) for p, claim in claims.items() if p in ends]
        self.progress.total = sum(end - first for end, first in places)
        starts = {partition: claim.next_offset for partition, claim in claims.items()}
        left: list[Message] = []
        for read in self.whole.read(starts, ends, most):
            for message in read:
                if message.offset == firsts[message.partition]:
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
        return all(claims[partition].next_offset >= end for partition, end in ends.items())

    def _tell_progress(self) -> None:
        firsts = self._firsts
        self.progress.done = sum(claim.next_offset - firsts[partition] for partition, claim in self._claims.items())
        self._report(self.progress)

    def _check_first(self, message: Message) -> None:
        try:
            first = from_record(OwnershipChanged, self._codec.decode(message.value))
        except MalformedRecord:
            return  # the hop puts it aside
        if first.prev_seq > 0:
            raise LostRecords(
                f"{message.topic}-{message.partition}: expected the first record to follow none, got one that follows "
                f"seq {first.prev_seq}. Records are missing: restore the topic before anything can be rebuilt."
            )

    def live_ends(self, conn: Connection) -> dict[int, int]:
        """How far the live consumer has read of this very log; its fence rows stay locked in a transaction."""
        return {
            row.partition: row.next_offset
            for row in takeover.fences(conn, self.hop.consumer, LIVE, self.whole.topic)
            if row.partition in self._claims and (row.cluster_id, row.topic_id) == self._log
        }


async def _begin_at(conn: session.Connection, claim: Claim, first: int) -> None:
    """The claim's next offset is that of the topic's first record."""
    await fence.move_fence(conn, [Move(claim=claim, next_offset=first, next_seq=claim.next_seq)])
    await conn.commit()
    claim.next_offset = first
