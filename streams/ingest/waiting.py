"""Source: a follower that cannot have a block. It stays, says so where everybody can see it, and tries again.

`ft status`, the metric ``ingest_waits`` and its alert read what is kept here.
"""

import time
from typing import Final

import structlog

from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.sources import SourceError, SourceUnripe

PAUSE_S: Final = (0.5, 5.0)
"""Shortest and longest time until the next try; the providers' own rounds come on top."""
RIPE_S: Final = 60.0
"""An answer that has to stand is nothing to tell of before it has taken longer."""
log = structlog.get_logger(__name__)


class Waiting:
    """Of one job. A job that begins knows nothing of whether the one before it waited."""

    def __init__(self, tail: UnfinalizedBlocks, job: str) -> None:
        self._tail = tail
        self._job = job
        self._block: int | None = None
        self._since = 0.0
        self._tries = 0
        self._told = True

    async def for_block(self, height: int, error: SourceError) -> float:
        """It cannot be had now: seconds until the next try."""
        now = time.monotonic()
        if self._block != height:
            self._block, self._since, self._tries = height, now, 0
        pause: float = min(PAUSE_S[0] * 2**self._tries, PAUSE_S[1])
        self._tries = min(self._tries + 1, 8)
        waits_s = round(now - self._since)
        if isinstance(error, SourceUnripe) and waits_s < RIPE_S:
            await self._tell_no_longer()
            return pause
        self._told = True
        log.warning("a block cannot be had", job=self._job, block=height, seconds=waits_s, error=str(error))
        await self._tail.waits(self._job, height, str(error))
        return pause

    async def no_longer(self) -> None:
        """The job goes on."""
        self._block = None
        await self._tell_no_longer()

    async def _tell_no_longer(self) -> None:
        if self._told:
            self._told = False
            await self._tail.waits_no_longer(self._job)
