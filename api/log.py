"""Logs of the API's process: one JSON object a line on stderr, cheap enough for one line a request."""

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from msgspec import json

from ft.config import Config

_SELDOM_S: Final = 1.0
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(config: Config) -> None:
    """Send structlog's lines to stderr as the configuration asks; libraries' warnings in the ordinary way."""
    level = _LEVELS[config.log_level]
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    console = config.log_format == "console" or (config.log_format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_encode)]
    structlog.configure(
        processors=[*shared, *([_escaped, structlog.dev.ConsoleRenderer()] if console else rendering)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if console
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


class Seldom:
    """Warnings of one kind, one line a second at most; each says how many went unsaid since the one before."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._said_at = -_SELDOM_S
        self._unsaid = 0

    def warning(self, event: str, **fields: Any) -> None:
        now = time.monotonic()
        if now - self._said_at < _SELDOM_S:
            self._unsaid += 1
            return
        self._log.warning(event, unsaid=self._unsaid, **fields)
        self._said_at, self._unsaid = now, 0


def _escaped(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A terminal obeys what it is shown: of what came from elsewhere, anything that is not printable is escaped."""
    for name, value in entry.items():
        if isinstance(value, str) and not value.isprintable():
            entry[name] = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in value)
    return entry


def _encode(entry: Any, **_: Any) -> bytes:
    return json.encode(entry, enc_hook=str)
