"""A topic's records -> whatever a domain makes of them, exactly once: the kit of docs/adding-a-domain.md.

A domain writes a :class:`Subscriber`: what it refuses, and what it does with the rest. :class:`Subscription` is the hop
that runs it, and does everything else.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

import structlog
from psycopg import AsyncCursor
from psycopg.abc import Params

from ft.config import Config
from ft.errors import FtError
from ft.schemas.changes import FINALITY, Change, Refused
from ft.schemas.changes import read as read_change
from ft.schemas.codec import Codec
from ft.sql.queries import load, named
from ft.sql.session import Connection
from ft.streams.deployment.generations import ONLY_ONE, Generations
from ft.streams.kafka.message import Message
from ft.streams.worker import heads
from ft.streams.worker.announcing import Announcements
from ft.streams.worker.fence import Claim, Move, Superseded, Writer
from ft.streams.worker.heads import LEDGER_SAYS, may_end_block
from ft.streams.worker.hop import Batch
from ft.streams.worker.ledger_heads import Before, locked
from ft.streams.worker.timers import ended, tell_of_timer
from ft.telemetry.metrics import EVENTS_PROCESSED

log = structlog.get_logger(__name__)

_HEAD: Final = (*LEDGER_SAYS, "open_block")
REFUSED: Final = "refused"
"""Reason of a dead letter that a domain's own check is the cause of."""
_IDLE_AGAIN_S: Final = 1.0
R = TypeVar("R")


class LostRecords(FtError):
    """A record names a predecessor that was never read: going on would make every count wrong."""


@dataclass(slots=True)
class Tx:
    """The open transaction that a domain writes in; it is committed together with the offsets, or not at all."""

    conn: Connection
    partitions: Sequence[int]
    """Those of the topic that are written for."""
    now: int
    """Unix seconds, by the worker's clock, of this try. Only ``idle`` may look at it: what records come to must be the
    same whenever they are read."""
    announcements: Announcements

    async def execute(self, query: str, params: Params | None = None) -> AsyncCursor[Any]:
        """Run a statement that names the domain's tables with their schema.

        A rebuild runs the same code on tables beside those that are served, whose names this puts in their place; what
        is run by ``conn`` itself goes to those that are served. Raises psycopg.Error.
        """
        return await self.conn.execute(named(query).encode(), params, prepare=True)

    def announce(self, topic: str, route_key: str, record: Mapping[str, Any]) -> None:
        """Send a record, once the transaction is committed; its partition is that of ``route_key``.

        ``topic``: without prefix, one that the domain declares. ``record``: without seq and prev_seq. Raises
        SchemaError for another topic; the transaction fails with it for a record that does not fit its schema.
        """
        self.announcements.add(topic, route_key, record)


class Subscriber(Generic[R]):
    """What a domain makes of the records of ``ledger.ownership_changed``. One instance a worker."""

    consumer: ClassVar[str]
    """Its name in ``system.partition_owner``, metrics and logs; it never changes."""
    records_max: ClassVar[int] = 4_000
    """Records of one transaction, at most, but for a block that has more. A transaction may take ten seconds, and wait
    for :meth:`apply` between two statements for five."""
    idle_s: ClassVar[float | None] = None
    """How often :meth:`idle` is called; None: never."""

    def check(self, record: R) -> str | None:
        """Why a record cannot be taken (a whole sentence: what was expected, what came), or None. It becomes a dead
        letter, and those after it go on. Pure."""
        return None

    async def apply(self, tx: Tx, records: Sequence[R]) -> None:
        """Write the effects of ``records``: each of them comes once, those of a partition in order. One of op revert
        takes back exactly what the one of op apply with the same event id added."""
        raise NotImplementedError

    async def idle(self, tx: Tx) -> None:
        """Write what time alone brings about, for the partitions of ``tx``."""


class Read(NamedTuple):
    """One message and what it says."""

    message: Message
    prev_seq: int
    said: Change | Refused
    taken_back: bool
    """By a restore: it never happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """A partition's records as they follow each other."""

    last_seq: int
    """Of what was read before."""
    fresh: list[Change]
    refused: list[Read]
    next_seq: int


class Subscription:
    """The hop. Guarantee: each record takes effect once, in one transaction with the offset. Parallel by partition.

    A batch, in order:
    1. decode; what cannot be read, and what the subscriber refuses, is a dead letter
    2. drop what a restore took back (``generations``), and repeats by seq; stop (LostRecords) where a record's
       predecessor was never read; one whose predecessor is older than the last read is nobody's repeat, and a dead
       letter
    3. the subscriber writes the effects of the rest
    4. say of which block its tables are the state now (``heads``)
    5. move the fence: next offset, and the last seq seen + 1
    A transaction ends where a block ends; what follows in the batch waits for the rest of its block. Of a block that is
    larger than a batch, the head says so until it is whole.
    """

    def __init__(
        self, config: Config, owner: str, subscriber: Subscriber[Change], codec: Codec,
        generations: Generations = ONLY_ONE, *, held: Callable[[], Sequence[Claim]] = tuple,
        announces: Callable[[], Announcements] = Announcements, on_commit: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """``held``: the claims of the subscriber in this process, for its timer. ``announces``: makes an empty one for
        each transaction."""
        self.consumer = subscriber.consumer
        self._subscriber = subscriber
        self._generations = generations
        self._restored = generations.present > 0
        """Most deployments never were: their records need no look."""
        self._writer = Writer(config, owner, application=f"ft {self.consumer}")
        self._codec = codec
        self._held = held
        self._announces = announces
        self._on_commit = on_commit
        self._alone = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect. Raises DatabaseUnavailable."""
        await self._writer.connection()
        if self._subscriber.idle_s is not None:
            self._timer = asyncio.create_task(self._run_timer(self._subscriber.idle_s), name=f"{self.consumer} timer")

    async def stop(self) -> None:
        if self._timer is not None:
            await ended(self._timer)
        await self._writer.close()

    async def process(self, batch: Batch) -> None:
        """Commit the batch, but for a block that is not whole, in pieces of ``records_max``.

        Raises LostRecords and what Writer.commit raises.
        """
        messages, most = list(batch.messages), self._subscriber.records_max
        while messages:
            await self._process(Batch(messages=messages[:most], claims=batch.claims))
            left = [message for message in messages if message.offset >= batch.claims[message.partition].next_offset]
            if len(left) == len(messages):
                return  # the rest of a block is yet to come
            messages = left if len(messages) > most else []

    async def _process(self, batch: Batch) -> None:
        by_partition = batch.by_partition().items()
        found = {partition: _whole(list(map(self._read, messages))) for partition, messages in by_partition}
        refused: list[Read] = []

        async def work(conn: Connection) -> Sequence[Move]:
            before = await locked(conn, self.consumer, found)
            moves: list[Move] = []
            partitions: dict[int, _Followed] = {}
            refused.clear()  # it may be another try
            for partition, records in found.items():
                claim = batch.claims[partition]
                followed = await self._follow(conn, claim, [record for record in records if not record.taken_back])
                partitions[partition] = followed
                await self._write_dead_letters(conn, followed.refused)
                refused.extend(followed.refused)
                end = records[-1].message.offset + 1
                moves.append(Move(claim=claim, next_offset=end, next_seq=followed.next_seq))
            await self._move_heads(conn, partitions, before)
            fresh = list(chain.from_iterable(followed.fresh for followed in partitions.values()))
            if events := [record for record in fresh if record.kind != FINALITY]:
                tx = self._tx(conn, list(found))
                await self._subscriber.apply(tx, events)
                await tx.announcements.write(conn)
            return moves

        async with self._alone:
            await self._writer.commit(work)
        self._on_commit()
        EVENTS_PROCESSED.labels(agent=self.consumer).inc(sum(map(len, found.values())))
        self._tell(refused)

    def _read(self, message: Message) -> Read:
        """What is decoded is kept with the message, for other subscribers of the same topic in this process."""
        if message.decoded is None:
            message.decoded = read_change(self._codec, message.value)
        said, prev_seq = message.decoded
        if isinstance(said, Refused):
            return Read(message, prev_seq, said, taken_back=False)
        taken_back = self._restored and self._generations.is_void(said.generation, message.partition, said.seq)
        if said.kind != FINALITY and (error := self._subscriber.check(said)) is not None:
            said = Refused(reason=REFUSED, error=error, network=said.network, seq=said.seq)
        return Read(message, prev_seq, said, taken_back)

    async def _follow(self, conn: Connection, claim: Claim, records: Sequence[Read]) -> _Followed:
        """The records of a partition that are new, those for dead letters, and the next seq. Raises LostRecords."""
        fresh: list[Change] = []
        refused = [record for record in records if isinstance(record.said, Refused)]
        last_seq = claim.next_seq - 1
        before: Read | None = None
        for record in records:
            said, previous, before = record.said, before, record
            if said.seq is None or said.seq <= last_seq:
                continue
            if record.prev_seq < last_seq and last_seq > 0:  # taken, it would make the true ones look like repeats
                if isinstance(said, Change):
                    refused.append(record._replace(said=_stray(said, last_seq)))
                continue
            if record.prev_seq > last_seq > 0 and not await self._follows_unreadable(conn, record.message, previous):
                raise LostRecords(
                    f"{claim.topic}-{claim.partition}, offset {record.message.offset}: expected a record that follows "
                    f"seq {last_seq}, got seq {said.seq} that follows {record.prev_seq}. Records are missing from the "
                    f"topic: restore it, or rebuild what {self.consumer} keeps from a whole one."
                )
            last_seq = said.seq
            if isinstance(said, Change):
                fresh.append(said)
        return _Followed(last_seq=claim.next_seq - 1, fresh=fresh, refused=refused, next_seq=last_seq + 1)

    async def _follows_unreadable(self, conn: Connection, message: Message, previous: Read | None) -> bool:
        if previous is not None:
            return previous.said.seq is None
        values = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
        query = load("subscriber")["unreadable_before"]
        row = await (await conn.execute(query, values | {"consumer": self.consumer})).fetchone()
        return bool(row and row[0])

    async def _move_heads(
        self, conn: Connection, partitions: Mapping[int, _Followed], before: Mapping[int, Before]
    ) -> None:
        """Of which blocks the tables are the state, after each partition's records."""
        query = load("subscriber")["write_head"]
        async with conn.pipeline():
            for partition, f in partitions.items():
                at = before[partition]
                ledger = {network: told for network, told in at.said.items() if told.after > f.last_seq}
                for network, head in sorted(heads.after(at.heads, f.fresh, ledger, f.next_seq - 1).items()):
                    values = {name: getattr(head, name) for name in _HEAD}
                    where = {"consumer": self.consumer, "partition": partition, "network": network}
                    await conn.execute(query, where | values, prepare=True)

    async def _write_dead_letters(self, conn: Connection, records: Iterable[Read]) -> None:
        for record in records:
            if isinstance(record.said, Refused):
                message, said = record.message, record.said
                values = {
                    "consumer": self.consumer,
                    "topic": message.topic,
                    "partition": message.partition,
                    "offset": message.offset,
                    "network": said.network,
                    "reason": said.reason,
                    "error": said.error.replace("\0", "\\0"),
                    "payload": message.value or b"",
                }
                await conn.execute(load("subscriber")["add_dead_letter"], values)

    def _tell(self, refused: Iterable[Read]) -> None:
        """Log what was put aside, once it is in Postgres."""
        for record in refused:
            if isinstance(record.said, Refused):
                message, said = record.message, record.said
                at = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
                log.error(
                    "dead letter", consumer=self.consumer, network=said.network, **at, reason=said.reason,
                    error=said.error,
                )  # fmt: skip

    async def _run_timer(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                async with self._alone:
                    await self._idle()
            except Superseded:  # the group has given the partitions to another process
                continue
            except Exception as exc:  # noqa: BLE001 - batches go on, and are what ends a process
                tell_of_timer(self.consumer, exc)
                await asyncio.sleep(_IDLE_AGAIN_S)

    async def _idle(self) -> None:
        """Under the same fence as a batch: whoever holds the partitions no more writes nothing."""
        claims = list(self._held())
        if not claims:
            return

        async def work(conn: Connection) -> Sequence[Move]:
            tx = self._tx(conn, [claim.partition for claim in claims])
            await self._subscriber.idle(tx)
            await tx.announcements.write(conn)
            return [Move(claim=claim, next_offset=claim.next_offset, next_seq=claim.next_seq) for claim in claims]

        await self._writer.commit(work)
        self._on_commit()

    def _tx(self, conn: Connection, partitions: Sequence[int]) -> Tx:
        return Tx(conn, partitions, int(time.time()), self._announces())


def _whole(records: list[Read]) -> list[Read]:
    """A partition's records up to the last whole block; all of them where there is none."""
    for end in range(len(records), 0, -1):
        if (said := _counted(records[end - 1])) is None or may_end_block(said):
            return records[:end]
    return records


def _counted(record: Read) -> Change | None:
    return record.said if isinstance(record.said, Change) and not record.taken_back else None


def _stray(said: Change, last_seq: int) -> Refused:
    error = f"expected a record that follows seq {last_seq}, got seq {said.seq} that follows {said.prev_seq}"
    return Refused(reason="out_of_order", error=error, network=said.network, seq=said.seq)
