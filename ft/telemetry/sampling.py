"""Lines that come often, fewer of them; the next of a kind says how many were left out."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

_KINDS_MAX: Final = 10_000
_SELDOM_S: Final = 1.0


class Sampling:
    """A kind is a component and its event. Errors are no kind: they are always written."""

    def __init__(self, a_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``a_second``: lines of a kind; 0: all of them."""
        self._a_second = a_second
        self._clock = clock
        self._lock = threading.RLock()  # a signal may come amid a line, and have one of its own
        self._kinds: dict[tuple[str, str], list[int]] = {}
        """Kind -> the second, lines written in it, lines left out since one was written."""

    def admits(self, component: str, event: str) -> int:
        """Whether to write a line: how many of its kind were left out before it; -1: leave it out."""
        if not self._a_second:
            return 0
        second = int(self._clock())
        with self._lock:
            if len(self._kinds) > _KINDS_MAX:  # whatever makes up events
                self._kinds.clear()
            kind = self._kinds.setdefault((component, event), [second, 0, 0])
            if kind[0] != second:
                kind[0], kind[1] = second, 0
            if kind[1] >= self._a_second:
                kind[2] += 1
                return -1
            kind[1] += 1
            unsaid, kind[2] = kind[2], 0
            return unsaid


class Seldom:
    """Warnings of one kind, one line a second at most; each says how many went unsaid since the one before."""

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said_at = -_SELDOM_S
        self._unsaid = 0

    def warning(self, event: str, **fields: Any) -> None:
        now = self._clock()
        if now - self._said_at < _SELDOM_S:
            self._unsaid += 1
            return
        self._log.warning(event, unsaid=self._unsaid, **fields)
        self._said_at, self._unsaid = now, 0
