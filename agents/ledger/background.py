"""What a worker does beside its partitions, round after round: indexes of months, recounts of contracts, old rows."""

from abc import abstractmethod
from typing import Any, ClassVar, Final, Protocol

import structlog
from mode import Service

from ft.config import Config
from ft.errors import DatabaseUnavailable, FtError
from ft.sql.queries import load
from ft.sql.session import Connection, connect_writer
from ft.telemetry.outage import DATABASE

log = structlog.get_logger(__name__)

RETRY_S: Final = 15.0
"""How long a round waits after an error that does not pass by itself."""


class Statements:
    """Named queries of one file, each a transaction of its own; a connection that was lost is opened again."""

    def __init__(self, config: Config, word: str, application: str) -> None:
        self._config = config
        self._word = word
        self._application = application
        self._conn: Connection | None = None

    async def rows(self, name: str, **values: object) -> list[tuple[Any, ...]]:
        """What it answers; nothing of one that answers nothing. Raises DatabaseUnavailable, psycopg.Error."""
        if self._conn is None or self._conn.closed:
            self._conn = await connect_writer(self._config, application=self._application)
            await self._conn.set_autocommit(True)
        cursor = await self._conn.execute(load(self._word)[name], values)
        return await cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        """Close the connection."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None


class Closing(Protocol):
    """Who works in the rounds."""

    async def close(self) -> None: ...


class Rounds(Service):
    """Works while the worker runs; nothing that goes wrong here stops the worker."""

    waits: ClassVar[str]
    """What is logged of an error, once as long as it is the same."""
    idle_s: ClassVar[float]
    """The seconds until the next round while Postgres is away."""

    def __init__(self, worked: Closing, **kwargs: Any) -> None:
        """``worked``: is closed when no round follows."""
        super().__init__(**kwargs)
        self._worked = worked

    @abstractmethod
    async def once(self) -> float:
        """Do what can be done now; returns the seconds until the next round. Raises FtError."""

    async def after(self, error: FtError) -> float:
        """The seconds until the next round after an error."""
        return self.idle_s if isinstance(error, DatabaseUnavailable) else RETRY_S

    @Service.task
    async def _run(self) -> None:
        said = ""
        try:
            while not self.should_stop:
                try:
                    said, pause_s = "", await self.once()
                except FtError as exc:
                    if str(exc) != said:
                        said = str(exc)
                        DATABASE.aside(log)(self.waits, error=said)
                    pause_s = await self.after(exc)
                await self.sleep(pause_s)
        finally:
            await self._worked.close()
