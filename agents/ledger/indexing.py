"""journal -> its indexes for the API: the months that bulk backfills filled without them, once nothing is to come.

Guarantee: a month counts as indexed only with every index there and valid; a build that was cut off is made again.
One builder at a time over all workers, by an advisory lock that the building session itself holds: it outlives a
killed worker for as long as Postgres still builds. A round:
1. jobs that the ledger has read to their end in every partition are to be indexed
2. each month that no job still fills: what is missing is built, concurrently, one index after the other
3. jobs with nothing left are done; with the last one the publisher goes on
"""

import time
from datetime import date
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection, sql

from ft.agents.ledger.background import Rounds, Statements
from ft.config import Config
from ft.errors import DatabaseUnavailable, FtError
from ft.sql.queries import load, named
from ft.sql.session import Connection, session, translated

log = structlog.get_logger(__name__)

POLL_S: Final = 0.25
"""How often a worker looks whether an open job is read, or another worker has built its indexes."""
IDLE_S: Final = 2.0
"""How often a worker looks for a job."""
_LOCK: Final = 0x66740002  # any number that no other advisory lock of this database uses
_OWNER: Final = "ft_migrate"
# No lock timeout: a concurrent build waits for the transactions that were there before it, and holds nobody up.
_SESSION: Final = (
    "-c idle_in_transaction_session_timeout=5s -c statement_timeout=0 -c lock_timeout=0 -c maintenance_work_mem=256MB"
    " -c timezone=UTC"
)


class NotOwner(FtError):
    """The login may not build indexes; the message names the remedy."""


class Builder:
    """Builds what is missing. Every method may be called again after any error, by any process."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._statements = Statements(config, "bulk", "ft indexing jobs")

    async def close(self) -> None:
        """Close the connection for the rows of jobs."""
        await self._statements.close()

    async def round(self) -> bool:
        """Do what can be done now. Returns whether anything is left that needs a later round.

        Raises NotOwner, DatabaseUnavailable, DatabaseError.
        """
        try:
            if not (await self._statements.rows("waits"))[0][0]:
                return False
            for job in await self._statements.rows("applied"):
                log.info("bulk job is read: its indexes are built now", **_words(job))
            if months := [row[0] for row in await self._statements.rows("months")]:
                await self._build(months)
            for job in await self._statements.rows("finish"):
                log.info("bulk job is done", **_words(job))
            return bool((await self._statements.rows("waits"))[0][0])
        except psycopg.Error as exc:
            raise translated(exc) from exc

    async def note(self, error: str | None) -> None:
        """For `ft status`: why the open jobs' indexes cannot be built. None: they can. Raises DatabaseError."""
        try:
            await self._statements.rows("note_error", error=error)
        except psycopg.Error as exc:
            raise translated(exc) from exc

    async def _build(self, months: list[date]) -> None:
        if not (await self._statements.rows("is_free", lock=_LOCK))[0][0]:
            return  # another worker builds, or Postgres still does for one that was killed
        async with await self._owner() as conn:
            found = await (await conn.execute(load("bulk")["lock"], {"lock": _LOCK})).fetchone()
            if found is None or not found[0]:
                return
            await self.note(None)
            for month in months:
                await self._build_month(conn, month)

    async def _build_month(self, conn: Connection, month: date) -> None:
        began, queries = time.monotonic(), load("bulk")
        for name, definition, valid in await (
            await conn.execute(queries["month_indexes"], {"month": month})
        ).fetchall():
            if valid:
                continue
            if valid is not None:
                log.warning("an index was cut off and is built again", index=name)
                await conn.execute(named(f"DROP INDEX CONCURRENTLY ledger.{name}").encode())
            index_began = time.monotonic()
            await conn.execute(f"CREATE INDEX CONCURRENTLY {definition}".encode())
            log.info("index built", index=name, seconds=round(time.monotonic() - index_began, 2))
        await conn.execute(named(f"ANALYZE ledger.events_{month:%Y%m}").encode())
        await conn.execute(queries["month_is_indexed"], {"month": month})
        log.info("month is indexed", month=f"{month:%Y-%m}", seconds=round(time.monotonic() - began, 2))

    async def _owner(self) -> Connection:
        """A session that may build: in the role that owns the journal. Raises NotOwner, psycopg.Error."""
        where = session(self._config.postgres, _SESSION, application_name="ft indexing")
        conn = await AsyncConnection.connect(where, autocommit=True)
        try:
            await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(_OWNER)))
        except psycopg.errors.InsufficientPrivilege as exc:
            login = conn.info.user
            await conn.close()
            raise NotOwner(
                f"indexes of bulk months wait: expected a login that may act as {_OWNER}, got {login}. Run `ft index` "
                f"with the login of `ft migrate` in FT_POSTGRES, or GRANT {_OWNER} TO {login}."
            ) from exc
        return conn


class Indexing(Rounds):
    """Builds while the worker runs."""

    waits = "indexes of bulk months wait"
    idle_s = IDLE_S

    def __init__(self, config: Config, **kwargs: Any) -> None:
        self._builder = Builder(config)
        super().__init__(self._builder, **kwargs)

    async def once(self) -> float:
        return POLL_S if await self._builder.round() else IDLE_S

    async def after(self, error: FtError) -> float:
        """The reason is noted for `ft status`, unless Postgres is away."""
        if not isinstance(error, DatabaseUnavailable):
            try:
                await self._builder.note(str(error))
            except FtError as exc:
                log.warning("the reason is not noted for `ft status`", error=str(exc))
        return await super().after(error)


def _words(job: tuple[Any, ...]) -> dict[str, object]:
    return {"job": job[0], "network": job[1], "first": job[2], "last": job[3]}
