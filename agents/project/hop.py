"""ownership_changed -> projections: what the API lists and counts, kept from the topic alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import structlog

from ft.agents.project import heads as project_heads
from ft.agents.project.heads import LEDGER_SAYS, PartitionHead, whole_until
from ft.agents.project.ledger_heads import lock, waiting
from ft.agents.project.projection import events_of
from ft.agents.project.said import Change, Refused, read
from ft.agents.project.store import store
from ft.config import Config
from ft.errors import FtError
from ft.schemas.codec import Codec
from ft.sql.queries import load
from ft.streams.checkpoint import Claim, Connection, Move, Writer
from ft.streams.generations import ONLY_ONE, Generations
from ft.streams.hop import Batch, Message
from ft.streams.metrics import EVENTS_PROCESSED

log = structlog.get_logger(__name__)
_HEAD = (*LEDGER_SAYS, "open_block")


class LostRecords(FtError):
    """A record names a predecessor that was never read: going on would make every count wrong."""


class Read(NamedTuple):
    """One message and what it says."""

    message: Message
    prev_seq: int
    said: Change | Refused
    taken_back: bool
    """By a restore: it never happened."""


class Project:
    """The hop. Guarantee: each record takes effect once, in one transaction with the offset. Parallel by partition.

    A batch, in order:
    1. decode; what cannot be read is a dead letter
    2. drop what a restore took back (``generations``), and repeats by seq; stop (LostRecords) where a record's
       predecessor was never read; one whose predecessor is older than the last read is nobody's repeat, and a dead
       letter
    3. read the stored rows of the keys touched, fold, write what changed in key order
    4. say of which block the projections are the state now (``heads``)
    5. move the fence: next offset, and the last seq seen + 1
    A transaction ends where a block ends; what follows in the batch waits for the rest of its block. Of a block that is
    larger than a batch, the head says so until it is whole.
    """

    consumer = "project"

    def __init__(self, config: Config, owner: str, codec: Codec, generations: Generations = ONLY_ONE) -> None:
        self._generations = generations
        self._restored = generations.present > 0
        """Most deployments never were: their records need no look."""
        self._writer = Writer(config, owner, application="ft project")
        self._codec = codec

    async def start(self) -> None:
        """Connect. Raises DatabaseUnavailable."""
        await self._writer.connection()

    async def stop(self) -> None:
        await self._writer.close()

    async def process(self, batch: Batch) -> None:
        """Commit the batch, but for a block that is not whole. Raises LostRecords and what Writer.commit raises."""
        by_partition = batch.by_partition().items()
        found = {partition: _whole(list(map(self._read, messages))) for partition, messages in by_partition}
        refused: list[Read] = []

        async def work(conn: Connection) -> Sequence[Move]:
            await lock(conn, found)
            moves: list[Move] = []
            partitions: dict[int, _Followed] = {}
            refused.clear()  # it may be another try
            for partition, records in found.items():
                claim = batch.claims[partition]
                followed = await _follow(conn, claim, [record for record in records if not record.taken_back])
                partitions[partition] = followed
                await _write_dead_letters(conn, followed.refused)
                refused.extend(followed.refused)
                end = records[-1].message.offset + 1
                moves.append(Move(claim=claim, next_offset=end, next_seq=followed.next_seq))
            await _move_heads(conn, partitions)
            await store(conn, events_of(chain.from_iterable(followed.fresh for followed in partitions.values())))
            return moves

        await self._writer.commit(work)
        EVENTS_PROCESSED.labels(agent=self.consumer).inc(sum(map(len, found.values())))
        _tell(refused)

    def _read(self, message: Message) -> Read:
        said, prev_seq = read(self._codec, message.value)
        taken_back = (
            self._restored
            and isinstance(said, Change)
            and self._generations.is_void(said.generation, message.partition, said.seq)
        )
        return Read(message, prev_seq, said, taken_back)


def _whole(records: list[Read]) -> list[Read]:
    """A partition's records up to the last whole block; all of them where there is none."""
    changes = [r.said if isinstance(r.said, Change) and not r.taken_back else None for r in records]
    return records[: whole_until(changes) or len(records)]


def _tell(refused: Iterable[Read]) -> None:
    """Log what was put aside, once it is in Postgres."""
    for record in refused:
        if isinstance(record.said, Refused):
            message, said = record.message, record.said
            at = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
            log.error("dead letter", network=said.network, **at, reason=said.reason, error=said.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """A partition's records as they follow each other."""

    last_seq: int
    """Of what was read before."""
    fresh: list[Change]
    refused: list[Read]
    next_seq: int


async def _follow(conn: Connection, claim: Claim, records: Sequence[Read]) -> _Followed:
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
        if record.prev_seq > last_seq > 0 and not await _follows_unreadable(conn, record.message, previous):
            raise LostRecords(
                f"{claim.topic}-{claim.partition}, offset {record.message.offset}: expected a record that follows seq "
                f"{last_seq}, got seq {said.seq} that follows {record.prev_seq}. Records are missing from the topic: "
                "restore it, or rebuild the projections from a whole one."
            )
        last_seq = said.seq
        if isinstance(said, Change):
            fresh.append(said)
    return _Followed(last_seq=claim.next_seq - 1, fresh=fresh, refused=refused, next_seq=last_seq + 1)


def _stray(said: Change, last_seq: int) -> Refused:
    error = f"expected a record that follows seq {last_seq}, got seq {said.seq} that follows {said.prev_seq}"
    return Refused(reason="out_of_order", error=error, network=said.network, seq=said.seq)


async def _follows_unreadable(conn: Connection, message: Message, previous: Read | None) -> bool:
    if previous is not None:
        return previous.said.seq is None
    values = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    row = await (await conn.execute(load("project")["unreadable_before"], values)).fetchone()
    return bool(row and row[0])


async def _move_heads(conn: Connection, partitions: Mapping[int, _Followed]) -> None:
    """Of which blocks the projections are the state, after each partition's records."""
    sql = load("project")
    cursor = await conn.execute(sql["heads"], {"partitions": list(partitions)}, prepare=True)
    before: dict[int, dict[str, PartitionHead]] = {partition: {} for partition in partitions}
    for partition, network, *values in await cursor.fetchall():
        before[partition][network] = PartitionHead(**dict(zip(_HEAD, values, strict=True)))
    said = await waiting(conn, partitions)
    async with conn.pipeline():
        for partition, f in partitions.items():
            ledger = {network: told for network, told in said[partition].items() if told.after > f.last_seq}
            after = project_heads.after(before[partition], f.fresh, ledger, f.next_seq - 1)
            for network, head in sorted(after.items()):
                values = {name: getattr(head, name) for name in _HEAD}
                await conn.execute(sql["write_head"], {"partition": partition, "network": network, **values})


async def _write_dead_letters(conn: Connection, records: Iterable[Read]) -> None:
    for record in records:
        if isinstance(record.said, Refused):
            message, said = record.message, record.said
            values = {
                "topic": message.topic,
                "partition": message.partition,
                "offset": message.offset,
                "network": said.network,
                "reason": said.reason,
                "error": said.error.replace("\0", "\\0"),
                "payload": message.value or b"",
            }
            await conn.execute(load("project")["add_dead_letter"], values)
