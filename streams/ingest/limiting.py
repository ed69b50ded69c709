"""Source: what limits a job that reads blocks. It does one thing after the other: what it waited for most."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")
Clock = Callable[[], float]

LIMITS: Final[Mapping[str, str]] = {
    "head": "nothing: it has all blocks and waits for the next",
    "provider": "the nodes' answers",
    "requests_per_s": "the network's setting of this name, which holds requests back",
    "kafka": "acknowledgements of the raw log",
    "postgres": "the tail and the cursor of the source, in the database",
    "ledger": "the ledger: a range beside a follower waits until little lies unread before it",
    "normalize": "the worker with normalize: after a restore it reads the raw log to its end first",
    "cpu": "this process: proofs and encoding take all of its core",
}
"""Word -> what it means."""

_BUSY: Final = 0.8
"""Share of the time on the CPU from which more waiting for others would change nothing."""
_HELD: Final = 0.5
"""Share of the time in which the setting held requests back."""


class Waits:
    """Seconds that a job has waited so far, by a word of :data:`LIMITS`."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """The time within counts, however it ends."""
        began = self._clock()
        try:
            yield
        finally:
            self.seconds[what] = self.seconds.get(what, 0.0) + self._clock() - began

    async def each(self, what: str, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """The items; the time until each of them counts, and not what the caller does with it."""
        try:
            while True:
                with self.on(what):
                    item = await anext(items, None)
                if item is None:
                    return
                yield item
        finally:
            if close := getattr(items, "aclose", None):
                await close()


class Limit:
    """Looks at a job now and then; each look is about the time since the one before."""

    def __init__(
        self,
        waits: Waits,
        held_s: Callable[[], float],
        clock: Clock = time.monotonic,
        cpu_s: Clock = time.process_time,
    ) -> None:
        """``held_s``: seconds so far in which a request was held back by ``requests_per_s``."""
        self._waits = waits
        self._held_s = held_s
        self._clock = clock
        self._cpu_s = cpu_s
        self._before = self._now()

    def look(self) -> str:
        """A word of :data:`LIMITS`."""
        before, self._before = self._before, self._now()
        spent = {what: s - before.get(what, 0.0) for what, s in self._before.items()}
        return limit_of(spent.pop("", 0.0), spent.pop("cpu"), spent.pop("requests_per_s"), spent)

    def _now(self) -> dict[str, float]:
        """Counters; the time itself has no name."""
        known = {"": self._clock(), "cpu": self._cpu_s(), "requests_per_s": self._held_s()}
        return {**self._waits.seconds, **known}


def limit_of(elapsed_s: float, cpu_s: float, held_s: float, waited_s: Mapping[str, float]) -> str:
    """1. the CPU where it was busy most of the time, 2. the setting where it held requests back for half of it, 3. what
    was waited for most; the CPU where nothing was."""
    if cpu_s >= _BUSY * elapsed_s:
        return "cpu"
    if held_s >= _HELD * elapsed_s:
        return "requests_per_s"
    return max(waited_s, key=lambda what: waited_s[what], default="cpu")
