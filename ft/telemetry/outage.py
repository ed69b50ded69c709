"""A server that is away: one line when it goes, one a minute while it is gone, one when it is back.

What its clients say meanwhile of every attempt to connect is counted, and its reason kept.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

_AGAIN_S: Final = 60.0
_SUSPECT_S: Final = 30.0
"""Whoever asks the server finds out within that time whether it is away."""
_TROUBLE: Final = re.compile(
    r"connect|not ready|metadata|coordinator|time(d )?out|closed|overlapping|transport"
    r"|authenticat|handshake|\bsasl\b|\bssl\b",
    re.I,
)
"""A login that is refused is asked for anew as often as a connection that is."""


class Outage:
    """Of one server. Thread-safe."""

    def __init__(self, server: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``server``: the word that its lines begin with."""
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._said_at = 0.0
        self._tries = 0
        self._cause = ""
        self._suspected = (0.0, 0.0)
        """When clients began to have trouble, and had it last."""

    @property
    def is_away(self) -> bool:
        """Whether whoever asked last got no answer."""
        return self._away_since is not None

    def away(self, error: object) -> None:
        """It was asked and gave no answer."""
        with self._lock:
            now = self._clock()
            self._tries += 1
            if self._away_since is None:
                self._away_since = now
                self._say(now, f"{self._server} is away", error)
            elif now - self._said_at >= _AGAIN_S:
                self._say(now, f"{self._server} is still away", error, away_s=round(now - self._away_since))

    def back(self) -> None:
        """It answered."""
        if self._away_since is None:  # without the lock: asked at every answer
            return
        with self._lock:
            since, self._away_since = self._away_since, None
            if since is not None:  # another thread was not quicker
                _log().warning(f"{self._server} is back", away_s=round(self._clock() - since), attempts=self._tries)
            self._tries, self._cause, self._suspected = 0, "", (0.0, 0.0)

    def aside(self, log: Any) -> Callable[..., Any]:
        """How whoever waits for it tells so: as a warning, unless it is known by now that it is away."""
        quiet: Callable[..., Any] = log.debug if self.is_away else log.warning
        return quiet

    def suspect(self, error: str) -> None:
        """A client of it had trouble. Told where that lasts although others get answers: one of several brokers."""
        with self._lock:
            now = self._clock()
            self._tries += 1
            self._cause = error
            since, last = self._suspected
            self._suspected = (now if now - last > _AGAIN_S else since, now)
            lasts = now - self._suspected[0] >= _SUSPECT_S
            if self._away_since is None and lasts and now - self._said_at >= _AGAIN_S:
                self._say(now, f"a connection to the {self._server} fails", error)

    def _say(self, now: float, event: str, error: object, **fields: Any) -> None:
        cause = {"cause": self._cause} if self._cause and self._cause not in str(error) else {}
        _log().warning(event, error=str(error) or type(error).__name__, **cause, attempts=self._tries, **fields)
        self._said_at, self._tries = now, 0


BROKER: Final = Outage("broker")
"""Kafka, for this process."""
DATABASE: Final = Outage("database")
"""Postgres, for this process."""
_CLIENTS: Final = {"aiokafka": BROKER, "rdkafka": BROKER, "mode": BROKER, "psycopg": DATABASE}


def takes(record: logging.LogRecord) -> bool:
    """Whether a client's line is about connecting, and goes no further: its server's outage has it."""
    outage = _CLIENTS.get(record.name.partition(".")[0])
    if outage is None or record.levelno > logging.ERROR or record.exc_info:
        return False
    if record.name.startswith("mode") and not outage.is_away:
        return False
    said = record.getMessage()
    if not _TROUBLE.search(said):
        return False
    outage.suspect(said)
    return True


def _log() -> Any:
    return structlog.get_logger(__name__)
