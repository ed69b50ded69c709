"""How much may lie unread before the ledger, pure, so that heads never wait behind a backlog: records, or events."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

UNREAD_S = 2.0
"""Seconds of the ledger's work that may be unread."""
UNREAD_MIN = 16
"""Records that may be unread whatever the rate, so that a rate can be measured at all."""

OVER_S = 5.0
"""The rate is that of the last seconds: a ledger commits in steps, and one step says little."""
_LEAST_S = 0.5


@dataclass(slots=True)
class Backpressure:
    """Measures how fast the ledger reads, from its position now and then.

    ``least``: what may be unread whatever the rate.
    """

    clock: Callable[[], float]
    least: int = UNREAD_MIN
    rate: float | None = None
    """Records a second that the ledger applies; None until measured."""
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def observe(self, position: int, end: int) -> None:
        """The ledger has applied up to ``position``; ``end`` is the highest offset of the log."""
        now = self.clock()
        if self._seen and now - self._seen[-1][0] < _LEAST_S:
            return
        if self._seen and position == self._seen[-1][1] and position >= end:  # it has nothing to do
            self._seen.clear()
        self._seen.append((now, position))
        while len(self._seen) > 2 and now - self._seen[1][0] >= OVER_S:
            self._seen.popleft()
        if len(self._seen) > 1:
            since, before = self._seen[0]
            self.rate = (position - before) / (now - since)

    def may_append(self, position: int, end: int, seconds: float = UNREAD_S) -> bool:
        """Whether less than so many seconds of records are unread."""
        return end - position < self.unread_max(seconds)

    def unread_max(self, seconds: float = UNREAD_S) -> int:
        """Records that may be unread."""
        return max(self.least, int(seconds * (self.rate or 0)))
