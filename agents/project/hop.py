"""ownership_changed -> projections: what the API lists and counts, kept from the topic alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ft.agents.ownership import NO_FLOOR
from ft.agents.project import projection
from ft.agents.project.projection import FINALITY, Told
from ft.agents.project.store import store
from ft.config import Config
from ft.errors import FtError, MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import SCHEMA_VERSION, OwnershipChanged, from_record
from ft.schemas.standards import HOLDING
from ft.sql.queries import load
from ft.streams.checkpoint import Claim, Connection, Move, Writer
from ft.streams.hop import Batch, Message
from ft.streams.metrics import EVENTS_PROCESSED

MALFORMED: Final = "malformed_record"
"""Reason of a dead letter whose seq nobody knows (project.sql asks for it by name)."""
_TEXT_MAX: Final = 256  # characters, as the ledger's
_BIGINT_FITS: Final = 2**62  # and so does a little more
_INT_MAX: Final = 2**31 - 1
_TIME_END: Final = 4_102_444_800  # 2100-01-01, as the journal


class LostRecords(FtError):
    """A record names a predecessor that was never read: going on would make every count wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that cannot be projected; it becomes a dead letter and the others go on."""

    reason: str
    error: str
    network: str = ""
    seq: int | None = None
    """None: unknown, so what the next record says of its predecessor cannot be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One message and what it says."""

    message: Message
    prev_seq: int
    said: OwnershipChanged | Refused


class Project:
    """The hop. Guarantee: each record takes effect once, in one transaction with the offset. Parallel by partition.

    A batch, in order:
    1. decode; what cannot be read is a dead letter
    2. drop repeats by seq; stop (LostRecords) where a record's predecessor was never read; one whose predecessor is
       older than the last read is nobody's repeat, and a dead letter
    3. read the stored rows of the keys touched, fold, write what changed in key order
    4. copy the head from records of kind finality; keep the floor (``ownership.floor_after``) for the next batch
    5. move the fence: next offset, and the last seq seen + 1
    """

    consumer = "project"

    def __init__(self, config: Config, owner: str, codec: Codec) -> None:
        self._writer = Writer(config, owner, application="ft project")
        self._codec = codec

    async def start(self) -> None:
        """Connect. Raises DatabaseUnavailable."""
        await self._writer.connection()

    async def stop(self) -> None:
        await self._writer.close()

    async def process(self, batch: Batch) -> None:
        """Commit the batch whole. Raises LostRecords, and what :meth:`Writer.commit` raises."""
        read = {partition: [self._read(m) for m in messages] for partition, messages in batch.by_partition().items()}

        async def work(conn: Connection) -> Sequence[Move]:
            moves, told = [], []
            for partition, records in read.items():
                claim = batch.claims[partition]
                followed = await _follow(conn, claim, records)
                told += await _take_floors(conn, partition, followed.fresh)
                await _write_heads(conn, partition, (r for r in followed.fresh if r.kind == FINALITY))
                await _write_dead_letters(conn, followed.refused)
                end = records[-1].message.offset + 1
                moves.append(Move(claim=claim, next_offset=end, next_seq=followed.next_seq))
            await store(conn, told)
            return moves

        await self._writer.commit(work)
        EVENTS_PROCESSED.labels(agent=self.consumer).inc(len(batch.messages))

    def _read(self, message: Message) -> Read:
        try:
            change = from_record(OwnershipChanged, self._codec.decode(message.value))
        except MalformedRecord as exc:
            return Read(message=message, prev_seq=-1, said=Refused(reason=MALFORMED, error=str(exc)))
        return Read(message=message, prev_seq=change.prev_seq, said=refusal_of(change) or change)


def refusal_of(change: OwnershipChanged) -> Refused | None:
    """Why a record cannot be projected, or None. An unknown word is put aside, not guessed.

    1. a schema version, kind, op or standard that this code does not know
    2. a number, time or text that the tables could not hold
    """

    def refused(reason: str, expected: str, got: object) -> Refused:
        network = change.network if _is_text(change.network) else ""
        error = f"expected {expected}, got {got!r:.{_TEXT_MAX}}"
        return Refused(reason=reason, error=error, network=network, seq=change.seq)

    if not 0 < change.seq <= _BIGINT_FITS:
        error = f"seq: expected a position in the journal, got {change.seq}"
        return Refused(reason=MALFORMED, error=error, network=change.network if _is_text(change.network) else "")
    if change.schema_version != SCHEMA_VERSION:
        return refused("unknown_schema_version", str(SCHEMA_VERSION), change.schema_version)
    if change.kind != FINALITY and change.kind not in projection.KINDS:
        return refused("unknown_kind", "mint, transfer, burn or finality", change.kind)
    texts = (change.network, change.contract, change.from_account, change.to_account, change.block_hash)
    if not all(map(_is_text, texts)) or not change.network:
        return refused("unfit_value", f"texts of at most {_TEXT_MAX} characters", texts)
    if not 0 <= change.block_time < _TIME_END:
        return refused("unfit_value", "a block time before 2100, in unix seconds", change.block_time)
    heights = (change.block_number, change.position, change.safe, change.finalized)
    if not all(-1 <= height <= _BIGINT_FITS for height in heights):
        return refused("unfit_value", "block number, position, safe and finalized of at least -1", heights)
    if change.kind == FINALITY:
        return None
    if not 0 <= change.log_index <= _INT_MAX or not 0 <= change.sub_index <= _INT_MAX:
        got = (change.log_index, change.sub_index)
        return refused("unfit_value", f"log_index and sub_index from 0 to {_INT_MAX}", got)
    if change.op not in projection.SIGN:
        return refused("unknown_op", "apply or revert", change.op)
    if change.standard not in HOLDING:
        return refused("unknown_standard", ", ".join(HOLDING), change.standard)
    if not _is_uint(change.token_id) or not _is_uint(change.quantity):
        return refused("unfit_value", "token id and quantity as decimal numbers", (change.token_id, change.quantity))
    return None


def _is_text(text: str) -> bool:
    return len(text) <= _TEXT_MAX and "\0" not in text


def _is_uint(text: str) -> bool:
    return len(text) <= 78 and text.isascii() and text.isdecimal() and (text[0] != "0" or text == "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Followed:
    """A partition's records as they follow each other."""

    fresh: list[OwnershipChanged]
    refused: list[Read]
    next_seq: int


async def _follow(conn: Connection, claim: Claim, records: Sequence[Read]) -> _Followed:
    """The records of a partition that are new, those for dead letters, and the next seq. Raises LostRecords."""
    fresh: list[OwnershipChanged] = []
    refused = [record for record in records if isinstance(record.said, Refused)]
    last_seq = claim.next_seq - 1
    before: Read | None = None
    for record in records:
        said, previous, before = record.said, before, record
        if said.seq is None or said.seq <= last_seq:
            continue
        if record.prev_seq < last_seq and last_seq > 0:  # taken, it would make the true ones look like repeats
            if isinstance(said, OwnershipChanged):
                refused.append(replace(record, said=_stray(said, last_seq)))
            continue
        if record.prev_seq > last_seq > 0 and not await _follows_unreadable(conn, record.message, previous):
            raise LostRecords(
                f"{claim.topic}-{claim.partition}, offset {record.message.offset}: expected a record that follows seq "
                f"{last_seq}, got seq {said.seq} that follows {record.prev_seq}. Records are missing from the topic: "
                "restore it, or rebuild the projections from a whole one."
            )
        last_seq = said.seq
        if isinstance(said, OwnershipChanged):
            fresh.append(said)
    return _Followed(fresh=fresh, refused=refused, next_seq=last_seq + 1)


def _stray(said: OwnershipChanged, last_seq: int) -> Refused:
    error = f"expected a record that follows seq {last_seq}, got seq {said.seq} that follows {said.prev_seq}"
    return Refused(reason="out_of_order", error=error, network=said.network, seq=said.seq)


async def _follows_unreadable(conn: Connection, message: Message, previous: Read | None) -> bool:
    if previous is not None:
        return previous.said.seq is None
    values = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    row = await (await conn.execute(load("project")["unreadable_before"], values)).fetchone()
    return bool(row and row[0])


async def _take_floors(conn: Connection, partition: int, records: Sequence[OwnershipChanged]) -> list[Told]:
    """The partition's events with the floor of each; where the floors stand afterwards is stored."""
    cursor = await conn.execute(load("project")["read_floors"], {"partition": partition}, prepare=True)
    stored: dict[str, int] = dict(await cursor.fetchall())
    floors = stored.copy()  # of an earlier life too: it counts for nothing before the first retraction sets it anew
    told = projection.with_floors(records, floors)
    for network, floor in sorted(floors.items()):
        if floor != stored.get(network, NO_FLOOR):
            values = {"partition": partition, "network": network, "floor": floor}
            await conn.execute(load("project")["write_floor"], values)
    return told


async def _write_heads(conn: Connection, partition: int, records: Iterable[OwnershipChanged]) -> None:
    for network, said in sorted({record.network: record for record in records}.items()):
        values = {
            "partition": partition,
            "network": network,
            "position": said.position,
            "head_number": said.block_number,
            "head_hash": said.block_hash,
            "head_time": said.block_time,
            "safe": said.safe,
            "finalized": said.finalized,
        }
        await conn.execute(load("project")["write_head"], values)


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
