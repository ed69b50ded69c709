"""The API's door to Postgres: a pool in role ft_api, read only, every answer from one snapshot."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from ft.api.http.middleware import current_client
from ft.api.http.rows import R, of
from ft.api.http.slots import Overloaded, Slots
from ft.errors import DatabaseError, DatabaseUnavailable
from ft.telemetry.outage import DATABASE

T = TypeVar("T")
Connection = AsyncConnection[Any]

_SESSION: Final = (
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET timezone = 'UTC'",
    "SET statement_timeout = '3s'",
    "SET idle_in_transaction_session_timeout = '5s'",
)
_POOL_MAX: Final = 10
_PATIENCE_S: Final = 2.0
_LATELY_S: Final = 10.0
_WAITING_MAX: Final = 1_000


class NotMigrated(DatabaseUnavailable):
    """The database has no tables of ft yet, or not all that this version reads."""


class TooSlow(DatabaseUnavailable):
    """A query took longer than the statement timeout."""


class Database:
    """A pool that opens by itself once Postgres is there; until then reads raise DatabaseUnavailable.

    Whoever has a slot finds a connection free, or one is opened: a pool that gives none in time says that Postgres is
    away, unless it answered lately; then it is this process that has too much to do.
    """

    def __init__(self, url: str, *, pool_max: int = _POOL_MAX) -> None:
        self._pool = AsyncConnectionPool(
            url,
            open=False,
            min_size=1,
            max_size=pool_max,
            timeout=_PATIENCE_S,
            reconnect_timeout=30,
            configure=_configure,
            kwargs={"autocommit": True, "prepare_threshold": 0, "connect_timeout": 2},
        )
        self._slots = Slots(pool_max, waiting_max=_WAITING_MAX, patience_s=_PATIENCE_S)
        self._away: DatabaseUnavailable | None = None
        self._answered_at = -_LATELY_S

    async def open(self) -> None:
        """Start connecting, without waiting for it."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    async def read(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work`` on a connection; once more if that connection turned out to be dead.

        Raises DatabaseUnavailable (away, not migrated, too slow, overloaded) or DatabaseError.
        """
        try:
            async with self._slots.slot(current_client()):
                return await self._answer(work)
        except Overloaded:
            if self._away is not None:
                raise self._away from None  # the slots are with those who wait for Postgres
            raise

    async def _answer(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            try:
                return await self._once(work)
            except psycopg.OperationalError as exc:
                if isinstance(exc, psycopg.errors.QueryCanceled | PoolTimeout | PoolClosed):
                    raise
                self._away = _unanswering(exc)
                await self._pool.check()
                return await self._once(work)
        except psycopg.errors.QueryCanceled as exc:
            raise TooSlow(f"the query was given up after the statement timeout: {exc}") from exc
        except PoolTimeout as exc:
            if self._away is None and time.monotonic() - self._answered_at < _LATELY_S:
                raise Overloaded(f"expected a connection within {_PATIENCE_S:g} s, got none") from exc
            self._away = _unanswering(exc)
            raise self._away from exc
        except psycopg.OperationalError as exc:
            self._away = _unanswering(exc)
            raise self._away from exc
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.UndefinedColumn,
            psycopg.errors.InvalidSchemaName,
            psycopg.errors.InsufficientPrivilege,
        ) as exc:
            raise NotMigrated(f"the database is not what this version reads: {exc}. Run `ft migrate`.") from exc
        except psycopg.Error as exc:
            raise DatabaseError(f"Postgres refused: {exc}") from exc

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._pool.connection() as conn:
            answer = await work(conn)
        self._away, self._answered_at = None, time.monotonic()
        DATABASE.back()
        return answer


def _unanswering(exc: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"Postgres does not answer: {exc}")


@asynccontextmanager
async def snapshot(conn: Connection) -> AsyncIterator[None]:
    """What is read inside is of one moment."""
    async with conn.transaction():
        yield


async def rows_of(conn: Connection, query: str, kind: type[R], parameters: Mapping[str, Any]) -> list[R]:
    """All rows of a query as ``kind``."""
    async with conn.cursor(row_factory=of(kind)) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchall()


async def row_of(conn: Connection, query: str, kind: type[R], parameters: Mapping[str, Any]) -> R | None:
    """The first row of a query as ``kind``, or None."""
    async with conn.cursor(row_factory=of(kind)) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchone()


async def value_of(conn: Connection, query: str, parameters: Mapping[str, Any]) -> Any:
    """The first column of the first row, or None."""
    async with conn.cursor() as cursor:
        await cursor.execute(query.encode(), parameters)
        row = await cursor.fetchone()
    return None if row is None else row[0]


async def _configure(conn: Connection) -> None:
    # Numerics never become floats or Decimals: an answer shows what Postgres wrote, digit by digit.
    conn.adapters.register_loader("numeric", TextLoader)
    # One type for every int: else each size that a parameter happens to have prepares the query once more.
    conn.adapters.register_dumper(int, Int8Dumper)
    for statement in _SESSION:
        await conn.execute(statement.encode())


async def column(conn: Connection, query: str, parameters: Mapping[str, Any]) -> list[Any]:
    """The first column of all rows."""
    async with conn.cursor() as cursor:
        await cursor.execute(query.encode(), parameters)
        return [row[0] for row in await cursor.fetchall()]
