"""Rows on their way from the ledger's commit to the publisher, in memory; what does not fit is read back."""

import asyncio
from collections import deque
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Final

from ft.agents.ledger.journal import Stretch

KEEP_ROWS_MAX: Final = 20_000
"""Rows of one partition that wait in memory; older ones are dropped, and read from the journal."""
END: Final = 2**63 - 1


class PublishBuffer:
    """By partition, in order and without a gap."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[Stretch]] = {}
        self._rows: dict[int, int] = {}
        self._committed = asyncio.Event()

    def offer(self, stretches: Sequence[Stretch]) -> None:
        """Add what was committed now."""
        for stretch in stretches:
            if not len(stretch):
                continue
            queue = self._queues.setdefault(stretch.partition, deque())
            if queue and queue[-1].seq_to + 1 != stretch.seq_from:
                queue.clear()
                self._rows[stretch.partition] = 0
            queue.append(stretch)
            self._rows[stretch.partition] = self._rows.get(stretch.partition, 0) + len(stretch)
            while self._rows[stretch.partition] > KEEP_ROWS_MAX and len(queue) > 1:
                self._rows[stretch.partition] -= len(queue.popleft())
        self._committed.set()

    def take(self, partition: int, after: int, rows_max: int) -> tuple[list[Stretch], int]:
        """The stretches that follow ``after``, of about ``rows_max`` rows; else none, and the seq they begin at."""
        queue = self._queues.get(partition)
        while queue and queue[0].seq_to <= after:
            self._rows[partition] -= len(queue.popleft())
        if not queue:
            return [], END
        if queue[0].seq_from > after + 1:
            return [], queue[0].seq_from
        found: list[Stretch] = []
        rows = 0
        for stretch in queue:
            if found and rows + len(stretch) > rows_max:
                break
            found.append(stretch)
            rows += len(stretch)
        return found, END

    def keep(self, partitions: Container[int]) -> None:
        """Forget the partitions that are no longer held."""
        for partition in [p for p in self._queues if p not in partitions]:
            del self._queues[partition], self._rows[partition]

    async def wait(self, timeout_s: float) -> None:
        """Until something was offered since the last wait, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):  # wait_for swallows a cancellation that comes with the event
                await self._committed.wait()
        self._committed.clear()
