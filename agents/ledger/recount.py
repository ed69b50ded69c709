"""journal -> contradictions, counted anew: contracts that the ledger has marked, once their whole history was read.

Guarantee: a mark goes only with a count that knows every event before it; findings are those of the order of the chain,
whatever order the events came in. One worker at a time, by an advisory lock that its session holds: killed, it lets go,
and the marks stand. A round:
1. marks whose history is whole, and whose partition has all of it
2. transactions of the ledger that are under way in these partitions end: they may have seen less
3. in one snapshot the contracts are gone through in the order of the chain; what is found waits in temporary tables
4. in short transactions, which the ledger waits for: what was found is written where its block still counts, what was
   not is deleted where nobody has written it since; then the marks go, unless a newer one came

Before that it dates what the ledger could not date while months had no indexes (``ledger.undated``), whole or not: what
the journal says of a holding is written where nobody has written the row since.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import psycopg
import structlog
from psycopg import AsyncConnection, IsolationLevel

from ft.agents.columns import columns as arrays
from ft.agents.ledger.background import Rounds
from ft.agents.ledger.findings import run
from ft.config import Config
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE
from ft.sql.queries import load
from ft.sql.session import Connection, session, translated

log = structlog.get_logger(__name__)

IDLE_S: Final = 0.5
"""How often a worker looks for marks, at least; looking may take a twentieth of its time."""
CONTRACTS_AT_ONCE: Final = 50
UNDATED_AT_ONCE: Final = 500
"""Holdings of which the journal is asked, and that are written, at once."""
ROWS_AT_ONCE: Final = 5000
"""Written in one transaction, at most."""
LONG_S: Final = 2.0
"""A count that takes longer is told of."""
RESTS: Final = 5
"""Its contracts rest so many times as long."""
_LOCK: Final = 0x66740003  # any number that no other advisory lock of this database uses
_SESSION: Final = (
    "-c statement_timeout=0 -c lock_timeout=15s -c idle_in_transaction_session_timeout=5s -c work_mem=128MB -c jit=off"
    " -c timezone=UTC"
)
MARK: Final = ("network", "contract", "partition", "seq", "head", "position", "since")
"""What is known of a contract: its mark, and how far its partition has come. Order of the queries' columns."""
RULE: Final[Mapping[str, Any]] = {"single": sorted(SINGLE), "nobody": sorted(NO_ACCOUNTS)}
"""What the queries are given beside contracts."""


class Mark(NamedTuple):
    """A contract to be counted."""

    network: str
    contract: str
    partition: int
    seq: int
    head: int
    position: int
    since: int


class Recounter:
    """Counts marked contracts. Every method may be called again after any error, by any process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._conn: Connection | None = None
        self.looked_s = 0.0
        """How long the last round looked for marks."""
        self._resting: dict[tuple[str, str], float] = {}
        """Contracts that took long -> when they may be counted again; others are not to wait for them."""

    async def close(self) -> None:
        """Close the connection; what was found and is not written is found again."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def round(self) -> bool:
        """Count some contracts. Returns whether more can be counted now. Raises DatabaseUnavailable, DatabaseError."""
        try:
            began, conn = time.monotonic(), await self._connection()
            self._resting = {key: until for key, until in self._resting.items() if until > began}
            marked = [row for row in await run(conn, "marked") if row[:2] not in self._resting]
            due = await self._whole(conn, marked)
            undated = (await run(conn, "has_undated"))[0][0]
            self.looked_s = time.monotonic() - began
            if not (due or undated) or not (await run(conn, "hold", {"lock": _LOCK}))[0][0]:
                return False
            try:
                more = undated and await self._date(conn)
                if due:
                    await self._count(conn, due[:CONTRACTS_AT_ONCE])
            finally:
                await run(conn, "let_go", {"lock": _LOCK})
            return more or len(due) > CONTRACTS_AT_ONCE
        except psycopg.Error as exc:
            await self.close()
            raise translated(exc) from exc

    async def _date(self, conn: Connection) -> bool:
        """Date some holdings. Returns whether others wait that nobody has written meanwhile."""
        began, looked_at = time.monotonic(), await self._look_at_undated(conn)
        async with conn.transaction():
            await conn.execute("SET LOCAL transaction_timeout = '20s'")
            await run(conn, "lock_all_partitions")
            await run(conn, "write_telling")
        log.info("holdings are dated", holdings=looked_at, seconds=round(time.monotonic() - began, 2))
        return looked_at == UNDATED_AT_ONCE

    async def _look_at_undated(self, conn: Connection) -> int:
        """In one snapshot. Returns how many it looked at."""
        await run(conn, "clear_telling")
        cursor = await conn.execute(load("findings")["keep_telling"], {"most": UNDATED_AT_ONCE}, prepare=False)
        return cursor.rowcount

    async def _count(self, conn: Connection, due: Sequence[Mark]) -> None:
        began, partitions = time.monotonic(), sorted({mark.partition for mark in due})
        async with self._locked(conn, partitions):
            pass
        counted = await self._look(conn, due)
        healed = await self._write(conn, counted, partitions)
        seconds = round(time.monotonic() - began, 2)
        if seconds > LONG_S:
            self._resting |= {mark[:2]: time.monotonic() + RESTS * seconds for mark in counted}
        told = log.info if healed or seconds > LONG_S else log.debug
        told("contracts are counted again", contracts=len(counted), findings_healed=healed, seconds=seconds)

    async def _look(self, conn: Connection, due: Sequence[Mark]) -> list[Mark]:
        """Step 3. Returns what was counted."""
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        try:
            async with conn.transaction():
                await run(conn, "clear_room")
                marks = await self._whole(conn, await run(conn, "still_marked", _contracts(due)))
                if marks:
                    for query in ("keep_contradicting", "keep_healing", "keep_dating"):
                        await run(conn, query, {**_contracts(marks), **RULE})
                return marks
        finally:
            await conn.set_isolation_level(None)

    async def _write(self, conn: Connection, counted: Sequence[Mark], partitions: Sequence[int]) -> int:
        """Step 4. Returns how many findings healed."""
        healed = 0
        while True:
            async with self._locked(conn, partitions):
                (gone,) = await run(conn, "write_healing", {"most": ROWS_AT_ONCE})
                (found,) = await run(conn, "write_contradicting", {"most": ROWS_AT_ONCE})
                (dated,) = await run(conn, "write_dating", {"most": ROWS_AT_ONCE})
                healed += int(gone[1])
                if max(gone[0], found[0], dated[0]) < ROWS_AT_ONCE:
                    if counted:
                        await run(conn, "counted", arrays(MARK, counted))
                    return healed

    @asynccontextmanager
    async def _locked(self, conn: Connection, partitions: Sequence[int]) -> AsyncIterator[None]:
        """A short transaction that no transaction of the ledger in these partitions runs beside."""
        async with conn.transaction():
            await conn.execute("SET LOCAL transaction_timeout = '20s'")
            await run(conn, "lock_partitions", {"partitions": list(partitions)})
            yield

    async def _whole(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Mark]:
        """Those whose history was read whole, and applied."""
        marks = [Mark(*row) for row in rows]
        if not marks:
            return []
        told = await run(conn, "histories", arrays(MARK, marks))
        return [mark for mark, history in zip(marks, told, strict=True) if history == (True, True)]

    async def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            where = session(self._config.postgres_as("ft_writer"), _SESSION, application_name="ft recount")
            self._conn = await AsyncConnection.connect(where, autocommit=True)
            await run(self._conn, "make_room")
        return self._conn


class Recounting(Rounds):
    """Counts while the worker runs."""

    waits = "contracts wait to be counted again"
    idle_s = IDLE_S

    def __init__(self, config: Config, **kwargs: Any) -> None:
        self._recounter = Recounter(config)
        super().__init__(self._recounter, **kwargs)

    async def once(self) -> float:
        return 0.0 if await self._recounter.round() else max(IDLE_S, 20 * self._recounter.looked_s)


def _contracts(marks: Sequence[Mark]) -> dict[str, str]:
    return arrays(MARK[:3], [mark[:3] for mark in marks])
