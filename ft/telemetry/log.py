"""Log lines: one event, one line on stderr; as a JSON object, or readable on a terminal.

structlog's lines and those of libraries go the same way: level of the component, sampling, time, traceback as one
field, and nothing that a terminal would obey.
"""

import json
import logging
import logging.config
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

from ft.config import Config
from ft.errors import FtError
from ft.telemetry import outage
from ft.telemetry.levels import NUMBERS, Levels
from ft.telemetry.printable import printable, printable_json, printable_lines
from ft.telemetry.sampling import Sampling

Entry = MutableMapping[str, Any]
_ALWAYS: Final = logging.ERROR
"""From this level on no line is left out."""
_WRITING: Final = threading.RLock()
"""Reentrant: a signal may come amid a line, and have one of its own."""


def configure(config: Config) -> "Lines":
    """Send structlog's lines and the libraries' to stderr, as the configuration asks. Once a process."""
    lines = Lines(config)
    structlog.configure(
        processors=[lines],
        wrapper_class=structlog.make_filtering_bound_logger(lines.lowest),
        logger_factory=_Named,
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    logging.config.dictConfig(_config(lines))
    return lines


def logging_config(config: Config) -> dict[str, Any]:
    """The same for Faust, which configures the libraries' logging once more."""
    return _config(Lines(config))


class Lines:
    """Writes lines: the last of structlog's processors, and what handlers of the standard library end in."""

    def __init__(self, config: Config) -> None:
        self.levels = Levels(config.log_level)
        self.lowest = min(self.levels.default, *self.levels.named.values(), NUMBERS["error"])
        self.json = config.log_format == "json" or (config.log_format == "auto" and not sys.stderr.isatty())
        """Chosen, or nobody looks on."""
        self._sampling = Sampling(config.log_sample)
        self._render: Callable[[Entry], str] = _as_json if self.json else _Readable()

    def __call__(self, logger: Any, method: str, entry: Entry) -> Any:
        """As a processor of structlog's."""
        self.write(logger.name, logging.ERROR if method == "exception" else _number(method), entry)
        raise structlog.DropEvent

    def write(self, component: str, level: int, entry: Entry, kind: str | None = None) -> None:
        """One event. ``kind``: what it is counted as by the sampling; default its text."""
        if level < self.levels.of(component):
            return
        if level < _ALWAYS:
            unsaid = self._sampling.admits(component, kind or str(entry.get("event", "")))
            if unsaid < 0:
                return
            if unsaid:
                entry["unsaid"] = unsaid
        line = self._render(
            {
                "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                "level": logging.getLevelName(level).lower(),
                "logger": component,
                "event": entry.get("event", ""),
                **_with_traceback(entry),
            }
        )
        stream = getattr(sys.stderr, "beneath", sys.stderr)
        with _WRITING:
            stream.write(f"{line}\n")
            stream.flush()


class Handler(logging.Handler):
    """What libraries log the ordinary way."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """One line, unless it is about a server that is away: that is told once for all its clients."""
        try:
            if self._lines.levels.of(record.name) > logging.DEBUG and outage.takes(record):
                return
            entry: Entry = {"event": record.getMessage().strip()}
            if record.exc_info and record.exc_info[0] is not None:
                entry["exc_info"] = record.exc_info
            if record.stack_info:
                entry["stack"] = record.stack_info
            self._lines.write(record.name, record.levelno, entry, str(record.msg))
        except Exception:  # noqa: BLE001 - the standard library's way: a line that cannot be written ends nothing
            self.handleError(record)


class _Named:
    """What structlog binds to: a component's name."""

    def __init__(self, name: str = "ft") -> None:
        self.name = name


class _Readable:
    """Aligned, with colours where the terminal has them; a traceback follows its line."""

    def __init__(self) -> None:
        self._console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())

    def __call__(self, entry: Entry) -> str:
        traceback = entry.pop("exception", None)
        shown = {printable(name): _shown(value) for name, value in entry.items()}
        line = str(self._console(None, str(entry["level"]), shown))
        return line if traceback is None else f"{line}\n{printable_lines(traceback)}"


def of_error(exc: BaseException) -> dict[str, Any]:
    """What a line says of an error: its message; of one that nobody foresaw, its kind and where it comes from."""
    return {"error": str(exc)} if isinstance(exc, FtError) else {"error": repr(exc), "exc_info": exc}


def _config(lines: Lines) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"ft": {"()": Handler, "lines": lines}},
        "root": {"level": lines.levels.default, "handlers": ["ft"]},
        "loggers": {name: {"level": level} for name, level in lines.levels.named.items()},
    }


def _number(method: str) -> int:
    return int(logging.getLevelNamesMapping()[method.upper()])


def _with_traceback(entry: Entry) -> Mapping[str, Any]:
    """A traceback is one field, ``exception``."""
    if "exc_info" not in entry:
        return entry
    return structlog.processors.format_exc_info(None, "", entry)


def _shown(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value))


def _as_json(entry: Entry) -> str:
    try:
        text = msgspec.json.encode(entry, enc_hook=str).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):  # what msgspec cannot say: half a surrogate pair
        text = json.dumps({str(name): repr(value) for name, value in entry.items()})
    return printable_json(text)
