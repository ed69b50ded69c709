"""journal -> the same without rows of kind finality that are announced and old: they tell of no event.

Earlier versions wrote one a second and network in every partition. Guarantee: what goes is counted in the transaction
that deletes it (``ledger.forgotten``), so that `ft verify` still proves the journal whole. Months that have ended are
gone through page by page, in short transactions; any worker goes on where another one stopped.
"""

from typing import Any, Final

import psycopg
import structlog

from ft.agents.ledger.background import Rounds, Statements
from ft.config import Config
from ft.sql.session import translated

log = structlog.get_logger(__name__)

PAGES: Final = 1_000
"""Of the journal, 8 KiB each, that one transaction goes through: a fraction of a second."""
PAUSE_S: Final = 0.2
"""Between two of them: the ledger's own work goes first."""
IDLE_S: Final = 60.0
"""How often a worker looks for a month that has ended."""


class Forgetter:
    """Every method may be called again after any error, by any process."""

    def __init__(self, config: Config, pages: int = PAGES) -> None:
        self._statements = Statements(config, "forgetting", "ft forgetting")
        self._pages = pages
        self._went = 0
        """Rows of the month that is under way."""

    async def close(self) -> None:
        """Close the connection."""
        await self._statements.close()

    async def round(self) -> bool:
        """Go through some pages. Returns whether any are left. Raises DatabaseUnavailable, DatabaseError."""
        try:
            months = await self._statements.rows("months")
            if not months:
                return False
            month = months[0][0]
            ((went, more),) = await self._statements.rows("forget", month=month, pages=self._pages)
        except psycopg.Error as exc:
            await self.close()
            raise translated(exc) from exc
        self._went += went
        if not more:
            if self._went:
                log.info("old rows of kind finality are gone", month=f"{month:%Y-%m}", rows=self._went)
            self._went = 0
        return more or len(months) > 1


class Forgetting(Rounds):
    """Goes on while the worker runs."""

    waits = "old rows of kind finality wait"
    idle_s = IDLE_S

    def __init__(self, config: Config, **kwargs: Any) -> None:
        self._forgetter = Forgetter(config)
        super().__init__(self._forgetter, **kwargs)

    async def once(self) -> float:
        return PAUSE_S if await self._forgetter.round() else IDLE_S
