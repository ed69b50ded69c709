"""What else ends up on stderr: prints, click's messages, tracebacks that nobody catches. Where lines are JSON, each is
one; elsewhere nothing that came from outside moves the terminal."""

import io
import logging
import signal
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, TextIO

import structlog

from ft.config import Config
from ft.telemetry import log
from ft.telemetry.printable import printable_lines

_STDERR = "stderr"


def take_over(config: Config) -> None:
    """For an entry point, once: configure the lines, and have whatever is printed on stderr among them."""
    lines = log.configure(config)
    logging.captureWarnings(True)
    if lines.json and not isinstance(sys.stderr, Printed):
        sys.stderr = Printed(lines, sys.stderr)
        sys.excepthook = _excepthook(lines)
        threading.excepthook = _threading_excepthook(lines)
        sys.unraisablehook = _unraisablehook(lines)


def tell(text: object, *, failed: str = "") -> None:
    """A message for whoever runs this process, on stderr. ``failed``: the kind of error that ends it."""
    if isinstance(sys.stderr, Printed):
        logger = structlog.get_logger("ft.cli")
        if failed:
            logger.error(str(text), kind=failed)
        else:
            logger.info(str(text))
    else:
        print(printable_lines(f"ft: {text}" if failed else text), file=sys.stderr, flush=True)


def tell_end(exc: BaseException) -> None:
    """What ends this process, an FtError, as a message for whoever runs it."""
    tell(exc, failed=type(exc).__name__)


class Printed(io.TextIOBase):
    """A text stream whose lines become events. ``beneath``: where lines are written."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, lines: log.Lines, beneath: TextIO) -> None:
        self.beneath = beneath
        self._lines = lines
        self._lock = threading.RLock()
        self._begun = ""

    def write(self, text: str) -> int:
        """Whole lines are written, the rest waits for its end."""
        with self._lock:
            *whole, self._begun = (self._begun + text).split("\n")
            for line in whole:
                self._tell(line)
        return len(text)

    def flush(self) -> None:
        """What has no end yet waits."""

    def close(self) -> None:
        """What has no end is a line too."""
        with self._lock:
            self._tell(self._begun)
            self._begun = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self.beneath.fileno()

    def _tell(self, line: str) -> None:
        if text := line.strip():
            level = logging.ERROR if text.startswith(("ft: ", "Error: ")) else logging.INFO
            self._lines.write(_STDERR, max(level, self._lines.levels.of(_STDERR)), {"event": text})


def _uncaught(lines: log.Lines, event: str, exc: BaseException | None, **fields: Any) -> None:
    said = "".join(traceback.format_exception(exc)).rstrip() if exc is not None else ""
    lines.write("ft", logging.CRITICAL, {"event": event, "error": str(exc), "exception": said, **fields})


def _excepthook(lines: log.Lines) -> Any:
    def tell(kind: type[BaseException], exc: BaseException, _: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            lines.write("ft", logging.WARNING, {"event": "interrupted", "signal": signal.SIGINT.name})
        else:
            _uncaught(lines, "ended by an error that nobody foresaw", exc, kind=kind.__name__)

    return tell


def _threading_excepthook(lines: log.Lines) -> Any:
    def tell(args: threading.ExceptHookArgs) -> None:
        name = "" if args.thread is None else args.thread.name
        if not issubclass(args.exc_type, SystemExit):
            _uncaught(lines, "a thread ended by an error", args.exc_value, kind=args.exc_type.__name__, thread=name)

    return tell


def _unraisablehook(lines: log.Lines) -> Any:
    def tell(args: Any) -> None:
        what = args.err_msg or "an error that cannot be raised"
        _uncaught(lines, what, args.exc_value, kind=args.exc_type.__name__, where=repr(args.object))

    return tell
