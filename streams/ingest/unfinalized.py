"""Source: what it remembers in Postgres. Its unfinalized blocks under its lease, and how far each job has come.

Every write to ``ingest.tail`` first moves the lease's row: a process whose claim is no longer the last changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

from ft.config import Config
from ft.errors import DatabaseUnavailable
from ft.schemas.proofs import apart, joined
from ft.sql.queries import load
from ft.sql.session import Connection, again, connect_writer
from ft.streams.ingest.raw_log import LeaseLost
from ft.streams.ingest.reconcile import Row
from ft.streams.sources import Block, Marks
from ft.streams.sources.limits import backoff_s
from ft.telemetry.outage import DATABASE

T = TypeVar("T")
_LONGEST_PAUSE_S = 5.0
"""Between two tries while Postgres is away: who follows waits for it as long as it takes."""
_ERROR_MAX = 2_000


class UnfinalizedBlocks:
    """One network's rows. Passing errors of Postgres are tried again for a minute or two: any write may be repeated."""

    def __init__(self, config: Config, network: str, topic_id: str, owner: str) -> None:
        self._config = config
        self._sql = load("ingest")
        self._key = {"network": network, "topic_id": topic_id, "owner": owner}
        self._claim: int | None = None
        self._conn: Connection | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._conn is not None:
            await self._conn.close()

    async def take(self, claim: int) -> None:
        """Register a claim, and disbelieve the rows that it leaves in doubt. Raises LeaseLost if a later one is."""

        async def work(conn: Connection) -> None:
            moved = await self._one(conn, "other_topic")
            if (await conn.execute(self._sql["take_lease"], {**self._key, "claim": claim})).rowcount != 1:
                raise LeaseLost(f"{self._key['network']}: a claim after ours at offset {claim} is registered already")
            values = {**self._key, "claim": claim, "all": moved is not None and moved[0]}
            await conn.execute(self._sql["disbelieve"], values)

        await self._run(work)
        self._claim = claim

    async def let_go(self) -> None:
        """Say that this process follows no longer; harmless without a lease, and where Postgres is away."""
        if self._claim is not None:
            values = {**self._key, "claim": self._claim}
            with suppress(DatabaseUnavailable):
                await self._run(lambda conn: conn.execute(self._sql["let_go"], values), insists=False)

    async def seen(self) -> None:
        """Say that this process still follows. Raises LeaseLost."""
        await self._write([])

    async def is_outdated(self) -> bool:
        """Whether a restore left the tail older than the log."""
        found = await self._read("is_outdated")
        return bool(found and found[0][0])

    async def refill(self) -> bool:
        """Make an outdated tail anew from what normalize has read, once that has read our claim; False: it has not.

        Raises LeaseLost.
        """
        claim = self._claim
        if claim is None or (await self._read("normalized_position"))[0][0] < claim:
            return False
        networks = {"networks": [self._key["network"]], "in_log": True}
        recovery = load("recovery")

        async def work(conn: Connection) -> None:
            if (await conn.execute(self._sql["hold_lease"], {**self._key, "claim": claim})).rowcount != 1:
                raise LeaseLost(f"{self._key['network']}: a claim after ours at offset {claim} is registered")
            for name in ("clear_tail", "refill_tail", "refilled"):
                await conn.execute(recovery[name], networks)

        await self._run(work)
        return True

    async def rows(self) -> list[Row]:
        """The tail, ascending."""
        found = await self._read("tail")
        names = ("height", "hash", "parent", "offset", "final", "proof", "logs")
        return [
            Row(**dict(zip(names, known, strict=True)), reasons=apart(reasons), content=content)
            for *known, reasons, content in found
        ]

    async def add(self, blocks: Iterable[Block]) -> None:
        """Before they are appended. Raises LeaseLost."""
        await self._write(
            (
                "add_row",
                {"height": block.height, "hash": block.hash, "parent": block.parent_hash, "proof": block.proof}
                | {"reasons": joined(block.reasons), "content": block.content, "logs": block.logs},
            )
            for block in blocks
        )

    async def acknowledge(self, rows: Iterable[Row]) -> None:
        """After they are in the log. Raises LeaseLost."""
        await self._write(
            ("acknowledge", {"height": row.height, "hash": row.hash, "offset": row.offset}) for row in rows
        )

    async def better(self, row: Row) -> None:
        """After the row's block was appended again, better proven. Raises LeaseLost."""
        values = {"height": row.height, "hash": row.hash, "proof": row.proof, "reasons": joined(row.reasons)}
        await self._write([("better", values)])

    async def doubt_from(self, height: int) -> None:
        """Before these are reverted. Raises LeaseLost."""
        await self._write([("doubt_from", {"height": height})])

    async def drop_from(self, height: int) -> None:
        """After these are reverted. Raises LeaseLost."""
        await self._write([("drop_from", {"height": height}), ("pull_cursor", {"height": height})])

    async def mark_final(self, row: Row) -> None:
        """Before the log says it. Raises LeaseLost."""
        await self._write([("mark_final", {"height": row.height, "hash": row.hash})])

    async def anchor(self, row: Row) -> None:
        """After a block was appended as final: the tail stands on it. Raises LeaseLost."""
        values = {"height": row.height, "hash": row.hash, "parent": row.parent, "offset": row.offset}
        await self._write([("anchor", values), ("drop_below", {})])

    async def drop_below(self) -> None:
        """After the log says that a row is final: those below it go. Raises LeaseLost."""
        await self._write([("drop_below", {})])

    async def doubtful(self) -> list[int]:
        """Heights that were appended and read, and did not become canonical."""
        return [row[0] for row in await self._read("doubtful")]

    async def lowest_unfinal(self) -> int | None:
        """The height that a backfill stays below; None: there is none."""
        found = await self._read("lowest_unfinal")
        return None if found[0][0] is None else int(found[0][0])

    async def known_final(self, first: int, last: int, limit: int) -> dict[int, str]:
        """Final blocks in the log at these heights, the highest first, at most ``limit``."""
        return dict(await self._read("known_final", first=first, last=last, limit=limit))

    async def save_cursor(self, job: str, next_height: int, marks: Marks) -> None:
        """Everything of the job below ``next_height`` is acknowledged by Kafka."""
        head = marks.head if marks.head >= 0 else None
        values = {**self._key, "job": job, "next_height": next_height, "node_head": head, "node_time": marks.time}
        await self._run(lambda conn: conn.execute(self._sql["save_cursor"], values))

    async def waits(self, job: str, height: int, error: str) -> None:
        """The job cannot go on before this block comes; what the providers say of it."""
        values = {**self._key, "job": job, "height": height, "error": error[:_ERROR_MAX].replace("\x00", "")}
        await self._run(lambda conn: conn.execute(self._sql["waits"], values))

    async def waits_no_longer(self, job: str) -> None:
        """It came."""
        await self._run(lambda conn: conn.execute(self._sql["waits_no_longer"], {**self._key, "job": job}))

    async def cursor(self, job: str) -> int | None:
        """The job's ``next_height``, if it ever ran."""
        found = await self._read("cursor", job=job)
        return int(found[0][0]) if found else None

    async def follower_lives(self) -> bool:
        """Whether another process follows this network."""
        return bool((await self._read("follower_lives"))[0][0])

    async def ledger_position(self, topic: str) -> int | None:
        """Raw offset up to which the ledger has applied everything; None: nobody reads this network yet."""
        found = (await self._read("ledger_position", topic=topic))[0][0]
        return None if found is None else int(found)

    async def _write(self, statements: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """The fence first, then each statement, in one transaction."""
        todo = list(statements)

        async def work(conn: Connection) -> None:
            if (await conn.execute(self._sql["hold_lease"], {**self._key, "claim": self._claim})).rowcount != 1:
                raise LeaseLost(f"{self._key['network']}: a claim after ours at offset {self._claim} is registered")
            for name, values in todo:
                await conn.execute(self._sql[name], {**self._key, **values})

        await self._run(work)

    async def _read(self, name: str, **values: object) -> Sequence[tuple[Any, ...]]:
        async def work(conn: Connection) -> Sequence[tuple[Any, ...]]:
            return await (await conn.execute(self._sql[name], {**self._key, **values})).fetchall()

        return await self._run(work)

    async def _one(self, conn: Connection, name: str) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = await (await conn.execute(self._sql[name], self._key)).fetchone()
        return row

    async def _run(self, work: Callable[[Connection], Awaitable[T]], *, insists: bool = True) -> T:
        """In a transaction of its own, again after a passing error, however often. Raises DatabaseError; also
        DatabaseUnavailable where it does not insist."""

        async def once() -> T:
            if self._conn is None or self._conn.closed:
                self._conn = await connect_writer(self._config, application="ft ingest")
            async with self._conn.transaction():
                return await work(self._conn)

        def tell(attempt: int, error: DatabaseUnavailable) -> None:
            DATABASE.away(error)

        attempts = count() if insists else ()
        found = await again(once, (backoff_s(attempt, longest_s=_LONGEST_PAUSE_S) for attempt in attempts), tell)
        DATABASE.back()
        return found
