"""The place of a rebuild: schemas beside those that are served, and the lock that makes it the only one of its kind."""

import secrets
from typing import Any, Final, Self, TypeAlias

import psycopg
import structlog
from psycopg import sql

from ft.config import Config
from ft.errors import FtError
from ft.sql import shadow
from ft.sql.queries import LIVE, load, use
from ft.sql.session import session, translated
from ft.streams.deployment.preflight import require_migrated

log = structlog.get_logger(__name__)

Connection: TypeAlias = psycopg.Connection[Any]

# A rebuild that is stopped in the middle of its takeover gives up its locks.
_SESSION: Final = "-c idle_in_transaction_session_timeout=10s -c timezone=UTC"


class RebuildRuns(FtError):
    """Another rebuild of this kind runs on the same database."""


class Shadow:
    """Schemas of one generation. Entering makes them, after what earlier rebuilds left is deleted; leaving deletes
    them. The process's queries are those of the generation in between."""

    def __init__(self, config: Config, kind: str, networks: list[str] | None = None) -> None:
        """``kind``: project | ledger. ``networks``: those that the generation knows; None: all."""
        self.kind = f"rebuild_{kind}"
        self.generation = f"{self.kind}_{secrets.token_hex(4)}"
        self.keep = False
        """Leave the schemas where they are; the next rebuild of the kind deletes them."""
        self._config = config
        self._networks = networks
        self.conn: Connection

    def __enter__(self) -> Self:
        try:
            self.conn = _connect(self._config)
            try:
                self._take_lock()
                self.left_over = self._delete_leftovers()
                with self.conn.transaction():
                    shadow.create(self.conn, self.generation, self._networks)
            except BaseException:
                self.conn.close()
                raise
        except psycopg.Error as exc:
            raise translated(exc) from exc
        use(self.generation)
        return self

    def __exit__(self, *_: object) -> None:
        use(LIVE)
        try:
            if not self.keep:
                self._drop(self.generation)
        except psycopg.Error as failed:
            log.warning("schemas stay until the next rebuild", generation=self.generation, error=str(failed))
        finally:
            self.conn.close()

    def _take_lock(self) -> None:
        require_migrated(self.conn)
        row = self.conn.execute(load("rebuild", LIVE)["only_one"], {"kind": self.kind}).fetchone()
        if row is None or not row[0]:
            raise RebuildRuns(
                f"`ft {self.kind.replace('_', ' ')}` runs on this database already: expected to be the only one. "
                "Wait for it, or end it."
            )

    def _delete_leftovers(self) -> list[str]:
        found = shadow.generations(self.conn, f"{self.kind}_")
        for generation in found:
            self._drop(generation)
        return found

    def _drop(self, generation: str) -> None:
        with self.conn.transaction():
            shadow.drop(self.conn, generation)


def _connect(config: Config) -> Connection:
    """As ft_migrate, which may make schemas: the migrator's grant of that stays behind when a database is copied."""
    where = session(config.postgres, _SESSION, application_name="ft rebuild")
    try:
        conn = psycopg.connect(where, autocommit=True)
    except psycopg.Error as exc:
        raise config.no_connection(exc) from exc
    try:
        row = conn.execute(load("rebuild", LIVE)["may_make_schemas"]).fetchone()
        if row is None or not row[0]:
            name = sql.Identifier(conn.info.dbname)
            conn.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO ft_migrate").format(name))
        conn.execute("SET ROLE ft_migrate")
    except BaseException:
        conn.close()
        raise
    return conn
