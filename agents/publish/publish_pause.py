"""Beside the publisher: whether it is held back, because a bulk backfill is filled, read or indexed.

Announcing would take from the backfill what the machine has. Nothing depends on the very moment: the cursors stand
where they stood, and the journal keeps what follows.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from ft.sql.queries import load
from ft.sql.session import Connection

log = structlog.get_logger(__name__)

ASK_S: Final = 0.5
"""How long an answer counts."""


class PublishPause:
    """Asks Postgres now and then."""

    def __init__(self) -> None:
        self._asked = float("-inf")
        self._held = False

    async def lasts(self, connection: Callable[[], Awaitable[Connection]]) -> bool:
        """Whether nothing may be announced now. Raises psycopg.Error, DatabaseUnavailable."""
        if time.monotonic() - self._asked < ASK_S:
            return self._held
        conn = await connection()
        row = await (await conn.execute(load("bulk")["holds"], prepare=True)).fetchone()
        await conn.commit()
        held = row is not None and bool(row[0])
        if held != self._held:
            log.info("announcing is held back by a bulk backfill" if held else "announcing goes on")
        self._asked, self._held = time.monotonic(), held
        return held
