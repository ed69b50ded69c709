"""Live events of tokens in months without indexes: read whole, outside of the ledger's transactions.

While a bulk backfill fills months (docs/decisions/0014-bulk.md), a retraction may leave a token of which the indexed
months tell nothing. Who has it stands in the bare ones then. They are read once a batch, for all its tokens together;
the worker's heartbeat goes on meanwhile, `ft status` says what it does, and the ledger waits.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection

from ft.agents.ledger.owners import scan_bare
from ft.agents.ledger.singles import Token
from ft.agents.ownership import Arrival
from ft.config import Config
from ft.sql.queries import load
from ft.sql.session import session, translated

log = structlog.get_logger(__name__)

_SESSION: Final = "-c idle_in_transaction_session_timeout=5s -c statement_timeout=0 -c lock_timeout=5s -c timezone=UTC"


class Bare:
    """Reads bare months. ``owner``: the process, as `ft status` knows it."""

    def __init__(self, config: Config, owner: str) -> None:
        self._config = config
        self._owner = owner

    async def scan(self, tokens: Sequence[Token]) -> dict[Token, Sequence[Arrival]]:
        """The live events of tokens in and before the last bare month; an empty list for one that has none.

        Raises DatabaseUnavailable, DatabaseError.
        """
        began = time.monotonic()
        where = session(self._config.postgres_as("ft_writer"), _SESSION, application_name="ft ledger scan")
        log.warning("months without indexes are read: retractions ask who has tokens", tokens=len(tokens))
        try:
            async with await AsyncConnection.connect(where, autocommit=True) as conn:
                await self._say(conn, f"reads months without indexes for {len(tokens)} retracted tokens")
                try:
                    (until,) = await (await conn.execute(load("ledger")["bare_until"])).fetchone() or (None,)
                    found = await scan_bare(conn, tokens, until)
                finally:
                    await self._say(conn, None)
        except psycopg.Error as exc:
            raise translated(exc) from exc
        seconds = round(time.monotonic() - began, 2)
        log.info("months without indexes are read", tokens=len(tokens), seconds=seconds)
        return dict(found)

    async def _say(self, conn: AsyncConnection[Any], doing: str | None) -> None:
        await conn.execute(load("watch")["say_doing"], {"worker": self._owner, "doing": doing})
