"""Source: how often a provider is asked. Pure but for the clock, which is passed in.

Token bucket (its rate limit), circuit breaker (whether it is worth asking), back-off (when to ask again).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

Clock = Callable[[], float]
"""Seconds, never going back."""
REQUESTS_PER_S: Final = 50.0
"""Of a provider elsewhere, where the network does not say."""


def rate_of(url: str, requests_per_s: float | None) -> float:
    """Requests a second that this provider is asked at most, 0: no limit. None: no limit on loopback, else 50."""
    if requests_per_s is not None:
        return requests_per_s
    return 0.0 if _is_loopback(urlsplit(url).hostname or "") else REQUESTS_PER_S


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class TokenBucket:
    """At most ``rate`` requests a second, and so many at once as a second's worth. ``rate`` 0: no limit."""

    rate: float
    clock: Clock
    _tokens: float = field(init=False)
    _at: float = field(init=False)
    _held_s: float = field(init=False, default=0.0)
    _held_until: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = max(1.0, self.rate)
        self._at = self._held_until = self.clock()

    def held_s(self) -> float:
        """Seconds so far in which at least one request was held back."""
        return self._held_s - max(0.0, self._held_until - self.clock())

    def take(self, count: int) -> float:
        """Take ``count`` requests and return the seconds to wait before sending them.

        The bucket may go below zero: who comes later waits longer, so order is kept and large batches pass.
        """
        if self.rate <= 0:
            return 0.0
        now = self.clock()
        self._tokens = min(max(1.0, self.rate), self._tokens + (now - self._at) * self.rate)
        self._at = now
        self._tokens -= count
        wait_s = max(0.0, -self._tokens / self.rate)
        if now + wait_s > self._held_until:
            self._held_s += now + wait_s - max(now, self._held_until)
            self._held_until = now + wait_s
        return wait_s


@dataclass(slots=True)
class Breaker:
    """Opens after ``failures_max`` failures in a row, for ``rest_s``; then lets one trial through.

    :meth:`pause` closes the door for a time that the provider itself asked for.
    """

    clock: Clock
    failures_max: int = 5
    rest_s: float = 30.0
    _failures: int = 0
    _closed_until: float = 0.0
    _trial: bool = False

    def wait_s(self) -> float:
        """Seconds until this provider may be asked; 0: now."""
        return max(0.0, self._closed_until - self.clock())

    def allow(self) -> bool:
        """Whether to ask now. Once the rest is over only one request is let through until its outcome is known."""
        if self.wait_s() > 0:
            return False
        if self._failures >= self.failures_max:
            if self._trial:
                return False
            self._trial = True
        return True

    def succeeded(self) -> None:
        """An answer came: closed."""
        self._failures, self._trial = 0, False

    def failed(self) -> bool:
        """No answer came: one more in a row. Whether that opened it."""
        rests = self.wait_s() > 0
        self._failures += 1
        self._trial = False
        if self._failures >= self.failures_max:
            self._closed_until = max(self._closed_until, self.clock() + self.rest_s)
        return not rests and self._failures >= self.failures_max

    def open(self) -> bool:
        """Not to be asked for a while, however often it has answered before. Whether it was closed until now."""
        self._failures = max(self._failures, self.failures_max - 1)
        return self.failed()

    def pause(self, seconds: float) -> None:
        """The provider asked for patience; not a failure of its."""
        self._trial = False
        self._closed_until = max(self._closed_until, self.clock() + seconds)


def backoff_s(attempt: int, *, longest_s: float = 60.0, jitter: Callable[[], float] = random.random) -> float:
    """1, 2, 4, 8 ... at most ``longest_s`` seconds, of which up to a quarter is taken off at random."""
    return float(min(longest_s, 2.0 ** min(attempt, 16))) * (1.0 - 0.25 * jitter())
