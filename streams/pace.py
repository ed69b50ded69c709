"""How many records may lie unread before the ledger, pure, so that heads never wait behind a backlog."""

from collections.abc import Callable
from dataclasses import dataclass, field

UNREAD_S = 2.0
"""Seconds of the ledger's work that may be unread."""
UNREAD_MIN = 16
"""Records that may be unread whatever the rate, so that a rate can be measured at all."""


@dataclass(slots=True)
class Pace:
    """Measures how fast the ledger reads, from its position now and then."""

    clock: Callable[[], float]
    rate: float = 0.0
    """Records a second that the ledger applies; 0 until measured."""
    _seen: tuple[float, int] | None = field(default=None)

    def observe(self, position: int, end: int) -> None:
        """The ledger has applied up to ``position``; ``end`` is the highest offset of the log."""
        now = self.clock()
        if self._seen is None:
            self._seen = (now, position)
            return
        elapsed, applied = now - self._seen[0], position - self._seen[1]
        if elapsed < 0.5:
            return
        idle = applied == 0 and position >= end
        if not idle:
            measured = applied / elapsed
            self.rate = measured if self.rate == 0 else 0.5 * self.rate + 0.5 * measured
        self._seen = (now, position)

    def may_append(self, position: int, end: int) -> bool:
        """Whether less than two seconds of records are unread."""
        return end - position < self.unread_max()

    def unread_max(self) -> int:
        """Records that may be unread."""
        return max(UNREAD_MIN, int(UNREAD_S * self.rate))
