"""How a command ends that is interrupted: in order, but not later than what it does needs.

A thread that waits for a server that says nothing would hold up the interpreter's own end, for as long as it waits.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")
_THREADS_S: Final = 1.0
_TELLING: Final = "ft.telemetry.takeover"


def at_once(number: int = signal.SIGINT, said: str = "ft: interrupted") -> NoReturn:
    """End this process now as one that a signal ended, after one line (none where ``said`` is empty)."""
    if said and _TELLING in sys.modules:
        from ft.telemetry.takeover import tell

        tell(said)
    elif said:  # amid imports: this is not the time for more of them
        print(said, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + number)


def soon(end: Callable[[], object]) -> None:
    """Call ``end``, unless the interpreter has ended by itself before."""
    timer = threading.Timer(_THREADS_S, end)
    timer.daemon = True
    timer.start()


def as_ended_by(number: int | None) -> int:
    """Exit code of a command that a signal stopped (None: nobody says which). Threads do not hold up its end."""
    code = number or signal.SIGINT
    soon(lambda: at_once(code, said=""))
    return 128 + code


def run(work: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run. Interrupted, it waits for the work to clean up, and not for threads."""

    async def interruptible() -> T:
        try:
            return await work
        except asyncio.CancelledError:
            soon(at_once)
            raise

    return asyncio.run(interruptible())


def stop_on_signals(stop: Callable[[int | None], None]) -> None:
    """The first signal drains, the second ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, lambda again, _: at_once(again))
        stop(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, asked, each)
