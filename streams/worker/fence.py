"""Where a consumer stands: offsets in Postgres, claimed by one process at a time, moved with their effects.

1. On assign a process claims a partition: the epoch rises, unless this very process owns it already. A process that
   began before a restore is given none: what it would announce is of the time before.
2. Every transaction of a batch ends by moving the fence; no row moved means that somebody else owns the partition.
3. A commit whose reply was lost is decided by reading the fence again, never by trying again.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg

from ft.config import Config
from ft.errors import DatabaseUnavailable, Fenced, OffsetMismatch
from ft.sql.queries import LIVE, load
from ft.sql.session import TRANSACTION_S, Connection, connect_writer, translated
from ft.streams.deployment.identity import Deployment, require_same

TRANSACTION_MAX_S: Final = 160
"""Longest transaction of a process that needs longer, as it has found out by trying."""
CALM_S: Final = 300.0
"""How long after the last one that was given up for its length transactions may take no longer than others."""


class Superseded(Fenced):
    """This process holds the partition under a newer claim: the batch in hand is dropped and read again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Claim:
    """The right to write one partition of a consumer. Moves on with every commit."""

    consumer: str
    topic: str
    partition: int
    epoch: int
    next_offset: int
    """First offset whose effects are not in Postgres."""
    next_seq: int
    """ledger: next journal seq; others: last seq seen + 1."""
    topic_id: str = ""
    """Kafka's id of the topic that the offsets belong to."""
    held: bool = True
    """False once the group took the partition away: what is in hand for it is dropped."""
    times: int = 1
    """How often the group gave it to this process, under the same epoch."""

    def key(self) -> dict[str, object]:
        return {"consumer": self.consumer, "topic": self.topic, "partition": self.partition}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a transaction leaves a claim: the first offset and the next seq after it."""

    claim: Claim
    next_offset: int
    next_seq: int


async def claim(
    conn: Connection, *, consumer: str, topic: str, partition: int, owner: str, cluster_id: str, topic_id: str,
    began: Deployment | None = None,
) -> Claim:  # fmt: skip
    """Take the partition for ``owner``, a process that began in the deployment ``began``, and commit.

    Raises OtherDeployment where that is not in force any more, OffsetMismatch if the partition's offsets belong to
    another Kafka log.
    """
    sql = load("fence")
    key: dict[str, Any] = {"consumer": consumer, "topic": topic, "partition": partition}
    async with conn.transaction():
        now = Deployment.of_row(await (await conn.execute(load("deployment", LIVE)["in_force"])).fetchone())
        require_same(began, now)
        await conn.execute(sql["add_row"], {**key, "deployment_epoch": 0 if now is None else now.epoch})
        row = await (await conn.execute(sql["lock_row"], key)).fetchone()
        assert row is not None
        _check_identity(f"{consumer} of {topic}-{partition}", stored=(row[4], row[5]), found=(cluster_id, topic_id))
        taken = {**key, "owner": owner, "cluster_id": cluster_id, "topic_id": topic_id}
        row = await (await conn.execute(sql["take_row"], taken)).fetchone()
        assert row is not None
    return Claim(
        consumer=consumer,
        topic=topic,
        partition=partition,
        epoch=row[0],
        next_offset=row[1],
        next_seq=row[2],
        topic_id=topic_id,
    )


async def skip_to(conn: Connection, held: Claim, offset: int) -> None:
    """Let the claim go on at a later offset, and commit. Raises Fenced."""
    await move_fence(conn, [Move(claim=held, next_offset=offset, next_seq=held.next_seq)])
    await conn.commit()
    held.next_offset = offset


def _check_identity(what: str, *, stored: tuple[str, str], found: tuple[str, str]) -> None:
    if stored not in (("", ""), found):
        raise OffsetMismatch(
            f"offsets of {what}: expected cluster {stored[0]} and topic id {stored[1]}, got {found[0]} and {found[1]}. "
            "Point FT_KAFKA at the cluster that the database was filled from, or, if that lost its "
            "topics, `ft reannounce` makes them anew."
        )


def check_bounds(held: Claim, *, earliest: int, end: int) -> None:
    """Refuse a claim whose next offset is outside of the log. Raises OffsetMismatch."""
    if earliest <= held.next_offset <= end:
        return
    raise OffsetMismatch(
        f"next offset of {held.consumer} of {held.topic}-{held.partition}: expected {earliest} to {end}, the bounds of "
        f"the log, got {held.next_offset}. Records are missing: restore the topic."
    )


async def move_fence(conn: Connection, moves: Iterable[Move]) -> None:
    """Move fences inside the caller's transaction. Raises Fenced for the first that does not move."""
    sql, moves = load("fence"), list(moves)
    async with conn.pipeline():
        moved = [await conn.execute(sql["move"], _from_to(move)) for move in moves]
    for move, cursor in zip(moves, moved, strict=True):
        if cursor.rowcount != 1:
            held = move.claim
            raise Fenced(f"{held.consumer} of {held.topic}-{held.partition}: epoch {held.epoch} no longer holds it")


def _from_to(move: Move) -> dict[str, Any]:
    held = move.claim
    return {
        **held.key(),
        "epoch": held.epoch,
        "from_offset": held.next_offset,
        "from_seq": held.next_seq,
        "to_offset": move.next_offset,
        "to_seq": move.next_seq,
    }


Work: TypeAlias = Callable[[Connection], Awaitable[Sequence[Move]]]
"""Does a batch's effects in the open transaction and says where each claim moves. Runs again after a passing error."""


class Writer:
    """One connection on which transactions are committed together with the fence."""

    def __init__(self, config: Config, owner: str, *, application: str = "ft") -> None:
        self._config = config
        self._owner = owner
        self._application = application
        self._conn: Connection | None = None
        self._limit_s = TRANSACTION_S
        """Longest transaction: doubled by one that was given up for its length. What needs it is tried again between
        others that are quick: so it stays for a while."""
        self._raised_at = 0.0
        """By the monotonic clock."""

    @property
    def takes_longer(self) -> bool:
        """Whether a transaction may take longer than most, as one has lately."""
        return self._limit_s > TRANSACTION_S

    async def connection(self) -> Connection:
        """The open connection, reconnected if it was lost. Raises DatabaseUnavailable."""
        if self._conn is None or self._conn.closed:
            self._conn = await connect_writer(self._config, application=self._application, transaction_s=self._limit_s)
        return self._conn

    async def close(self) -> None:
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """The connection for queries outside of a batch; no transaction is left open. Raises as :meth:`commit`."""
        conn = await self.connection()
        try:
            yield conn
            await conn.rollback()
        except psycopg.Error as exc:
            await self._give_up(conn)
            raise translated(exc) from exc
        except BaseException:
            await self._give_up(conn)
            raise

    async def commit(self, work: Work) -> None:
        """Run ``work``, move the fence, commit; then move the claims.

        Raises DatabaseUnavailable (nothing was written: try again), DatabaseError, Superseded (drop the batch),
        Fenced (another process owns the partition: stop).
        """
        conn = await self.connection()
        moves: Sequence[Move] = ()
        began = time.monotonic()
        try:
            moves = await work(conn)
            await move_fence(conn, moves)
        except psycopg.Error as exc:
            if time.monotonic() - began >= self._limit_s:  # whatever the error says: it may be just a lost connection
                self._limit_s, self._raised_at = min(2 * self._limit_s, TRANSACTION_MAX_S), time.monotonic()
            await self._give_up(conn)
            raise translated(exc) from exc
        except Fenced:
            await self._give_up(conn)
            await self._settle(moves)
            return
        except BaseException:
            await self._give_up(conn)
            raise
        try:
            await conn.commit()
        except psycopg.Error as exc:
            await self._give_up(conn)
            await self._settle(moves, cause=exc)
            return
        except BaseException:  # cancelled: what became of the commit is for the next reader of the fence to find out
            await conn.close()
            raise
        _apply(moves)
        now = time.monotonic()
        if self.takes_longer and now - self._raised_at >= CALM_S and now - began < TRANSACTION_S / 2:
            self._limit_s = TRANSACTION_S
            await conn.close()

    async def _give_up(self, conn: Connection) -> None:
        """Roll back; a connection that cannot even do that, or is mid-query, is thrown away."""
        try:
            await conn.rollback()
        except psycopg.Error:
            await conn.close()

    async def _settle(self, moves: Sequence[Move], cause: psycopg.Error | None = None) -> None:
        """Read the fence again: the moves happened (a lost reply), or did not (raise what that means)."""
        conn = await self.connection()
        states = []
        try:
            for move in moves:
                cursor = await conn.execute(load("fence")["read_row"], move.claim.key())
                states.append(await cursor.fetchone())
            await conn.rollback()
        except psycopg.Error as exc:
            raise translated(exc) from exc
        verdicts = {_verdict(move, row, self._owner) for move, row in zip(moves, states, strict=True)}
        if verdicts == {"moved"}:
            _apply(moves)
        elif "fenced" in verdicts:
            raise Fenced(f"{_names(moves)}: another process owns the partition now; this one must stop writing it")
        elif "superseded" in verdicts:
            raise Superseded(f"{_names(moves)}: this process holds a newer claim, or none")
        else:
            for move, row in zip(moves, states, strict=True):
                assert row is not None
                move.claim.next_offset, move.claim.next_seq = row[1], row[2]
            raise DatabaseUnavailable(f"{_names(moves)}: not committed, the batch is tried again ({cause})") from cause


def _verdict(move: Move, row: tuple[Any, ...] | None, owner: str) -> str:
    """moved | unmoved (or moved elsewhere under the same claim) | superseded | fenced."""
    held = move.claim
    if row is None:
        return "fenced"
    epoch, next_offset, next_seq, holder = row
    if epoch == held.epoch:
        return "moved" if (next_offset, next_seq) == (move.next_offset, move.next_seq) else "unmoved"
    return "superseded" if holder == owner or not held.held else "fenced"


def _apply(moves: Iterable[Move]) -> None:
    for move in moves:
        move.claim.next_offset = move.next_offset
        move.claim.next_seq = move.next_seq


def _names(moves: Iterable[Move]) -> str:
    return ", ".join(f"{m.claim.consumer} of {m.claim.topic}-{m.claim.partition} epoch {m.claim.epoch}" for m in moves)
