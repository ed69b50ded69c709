"""A worker of a rebuild ends with the command that started it, whatever became of that.

The command holds a lock in Postgres as long as it lives, and its generation's schemas are there as long as it works.
"""

import asyncio
from typing import Any, Final

import psycopg
import structlog
from mode import Service

from ft.config import Config
from ft.sql.queries import LIVE, load
from ft.streams.worker import process

log = structlog.get_logger(__name__)

LOOK_S: Final = 2.0
"""How often the command is looked for."""


class ParentWatchdog(Service):
    """Ends this process once nobody wants its generation any more. A database that does not answer says nothing."""

    def __init__(self, config: Config, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config = config

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            if not await asyncio.to_thread(is_wanted, self._config):
                log.critical("worker exits", error="the command that started it is gone", kind="ParentWatchdog")
                process.end(1)
            await self.sleep(LOOK_S)


def is_wanted(config: Config) -> bool:
    """Whether the command that made the generation lives, as far as anybody can tell. Blocking."""
    values = {"kind": config.generation.rpartition("_")[0], "schema": f"system_{config.generation}"}
    try:
        with psycopg.connect(config.postgres_as("ft_writer"), connect_timeout=5, autocommit=True) as conn:
            row = conn.execute(load("rebuild", LIVE)["wanted"], values).fetchone()
    except psycopg.Error:
        return True
    return bool(row and row[0])
