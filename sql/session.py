"""Sessions of Postgres: what each is opened with, and the driver's errors as ours."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import psutil
import psycopg
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ft.config import Config
from ft.errors import DatabaseError, DatabaseUnavailable
from ft.sql.queries import load

T = TypeVar("T")
Connection: TypeAlias = AsyncConnection[Any]
_SESSION = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=5s -c timezone=UTC"
STATEMENT_S: Final = 30
"""Longest statement, unless a transaction may take longer."""
TRANSACTION_S = 10
"""Longest transaction. A process that is stopped amid a pipeline, executemany or COPY is neither idle nor in a
statement to Postgres: no other timeout takes its locks away, and the partitions' next owner waits for them. One that is
stopped amid a large answer is waited for even so, until Postgres' socket has had no room for as long."""
_TCP: Final = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""Of every session: who is connected to a server that is gone learns of it."""
_UNANSWERED_MS: Final = 10_000
"""A writer that hears nothing for so long gives up: others wait for what it holds."""
_PASSING = (
    psycopg.OperationalError,  # connection lost, server restarting, lock and statement timeouts, too many connections
    psycopg.InterfaceError,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
    errors.SerializationFailure,
    errors.DeadlockDetected,
)


async def connect_writer(config: Config, *, application: str = "ft", transaction_s: int = TRANSACTION_S) -> Connection:
    """Open a connection in role ft_writer that gives up its locks within seconds when this process stops.

    Autocommit is off. ``transaction_s``: longest transaction. Raises DatabaseUnavailable.
    """
    options = (
        f"{_SESSION} -c statement_timeout={max(STATEMENT_S, transaction_s)}s -c transaction_timeout={transaction_s}s"
        f" -c tcp_user_timeout={transaction_s}s"
    )
    where = session(
        config.postgres_as("ft_writer"), options, application_name=application, tcp_user_timeout=_UNANSWERED_MS
    )
    try:
        return await AsyncConnection.connect(where)
    except psycopg.Error as exc:
        raise DatabaseUnavailable(
            f"expected Postgres to accept a writer, got: {str(exc).strip()}. {config.postgres_remedy(exc, 'ft_writer')}"
        ) from exc


@contextmanager
def looking(config: Config) -> Iterator[psycopg.Connection[Any]]:
    """A connection in role ft_writer, each statement a transaction. Raises DatabaseUnavailable."""
    try:
        with psycopg.connect(config.postgres_as("ft_writer"), connect_timeout=5, autocommit=True) as conn:
            yield conn
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc, "ft_writer") from exc


def session(url: str, options: str, **parameters: str | int) -> str:
    """The address with session ``options`` (``-c name=value``) behind its own, with keepalives, and with ``parameters``
    of libpq."""
    own = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(url, options=f"{own} {options}".strip(), **{**_TCP, **parameters})


def translated(exc: psycopg.Error) -> DatabaseError:
    """The driver's error as ours: DatabaseUnavailable where the same transaction may succeed later."""
    text = str(exc).strip() or type(exc).__name__
    if isinstance(exc, _PASSING) and not isinstance(exc, errors.DiskFull | errors.InvalidAuthorizationSpecification):
        return DatabaseUnavailable(f"Postgres gave up a transaction: {text}")
    return DatabaseError(f"Postgres refused ({exc.sqlstate}): {text}")


async def again(
    work: Callable[[], Awaitable[T]],
    pauses_s: Iterable[float],
    tell: Callable[[int, DatabaseUnavailable], None] = lambda attempt, error: None,
) -> T:
    """What ``work`` returns; after a passing error of Postgres it is done again, once a pause.

    ``tell``: called before each pause, with its number from 0. Raises DatabaseError; DatabaseUnavailable after the
    last pause.
    """
    pauses = enumerate(pauses_s)
    while True:
        try:
            try:
                return await work()
            except psycopg.Error as exc:
                raise translated(exc) from exc
        except DatabaseUnavailable as exc:
            attempt, pause_s = next(pauses, (-1, None))
            if pause_s is None:
                raise
            tell(attempt, exc)
        await asyncio.sleep(pause_s)


async def end_stopped(conn: Connection, after_s: float = TRANSACTION_S) -> list[str]:
    """End sessions whose processes stand still amid a COPY for longer than a transaction may take; what they were.

    Raises psycopg.Error.
    """
    async with conn.transaction():
        await conn.execute("SET LOCAL ROLE NONE")  # only a login may end, or even see, what its sessions do
        rows = await (await conn.execute(load("fence")["end_stopped"], {"seconds": after_s})).fetchall()
    return [row[0] for row in rows]


def process_name() -> str:
    """``host:pid:start``: this very process, never another one with the same pid."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(psutil.Process().create_time() * 1000)}"
