"""Ctrl-C while ft is still being imported: one line and 130, in place of where the import was. Needs next to nothing.

Python itself, and what a program imports before ft (of ``faust -A ft worker`` Faust) end as Python ends them.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final

_INTERRUPTED: Final = "ft: interrupted"
_COMMANDS: Final = ("ft", "ft.cli")
_FAUST: Final = "faust"


def listen() -> None:
    """Until :func:`rest`, or until the program itself listens. In programs that are not ft's own, and where Ctrl-C is
    ignored or somebody else's, nothing is done."""
    if _program() is not None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, _end)


def rest() -> None:
    """From here on KeyboardInterrupt tells of it, as everywhere in Python."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _: object) -> None:
    os.write(2, f"{_line()}\n".encode())
    os._exit(128 + number)


def _line() -> str:
    """As :mod:`ft.telemetry` would have it: JSON where that is chosen; from a worker also where nobody looks on."""
    chosen = os.environ.get("FT_LOG_FORMAT", "")
    if chosen != "json" and (chosen == "console" or _program() != _FAUST or os.isatty(2)):
        return _INTERRUPTED
    now = time.time()
    at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1e6):06}Z"
    return json.dumps({"timestamp": at, "level": "info", "logger": "ft.cli", "event": _INTERRUPTED})


def _program() -> str | None:
    """``ft`` or ``faust``, by the command line of this process; None for any other."""
    words = sys.orig_argv[1:]
    at = next((at for at, word in enumerate(words) if word == "-m" or not word.startswith("-")), len(words))
    name = "".join(words[at + 1 : at + 2]) if words[at : at + 1] == ["-m"] else "".join(words[at : at + 1])
    name = os.path.basename(name)  # noqa: PTH119 - pathlib is a third of what is imported here
    if name in _COMMANDS:
        return "ft"
    return _FAUST if name == _FAUST and "ft" in words else None
