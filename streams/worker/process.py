"""A worker process: how it starts, and that it really ends."""

import asyncio
import ctypes
import gc
import io
import logging
import os
import platform
import random
import signal
import socket
import sys
import threading
from typing import Any, Final, NoReturn

import faust
import structlog
from faust.cli.worker import worker as command
from mode.utils.logging import cry

from ft.errors import INTERRUPTED, ServerError
from ft.telemetry.takeover import take_over

log = structlog.get_logger(__name__)

SHUTDOWN_S: Final = 8.0
"""A process that was told to end, or that crashed, is gone after so many seconds, whatever still hangs."""
_GC_THRESHOLDS: Final = (50_000, 20, 50)
_M_ARENA_MAX: Final = -8  # mallopt(3)
_ARENAS: Final = 2
# Below the range from which Linux and macOS give ports to outgoing connections.
_PORTS: Final = range(20_000, 32_000)
_PORT_TRIES: Final = 200


class Worker(faust.Worker):
    """Faust's worker: what it prints are log lines. It ends with 0 where SIGTERM told it to, with 130 at Ctrl-C."""

    app: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spinner = None  # it would swallow log lines
        take_over(self.app.config)
        faust_command: Any = command
        faust_command.on_worker_created = _tell_start  # in place of a table

    def execute_from_commandline(self) -> NoReturn:
        """Run until the end. A start that a client library cancelled is an error, which Faust would call success."""
        try:
            super().execute_from_commandline()
        except SystemExit as exc:
            if not exc.code and self.app.told_by is None:
                log.critical("worker exits", error="its start was cancelled, nobody told it to stop", kind="Cancelled")
                raise SystemExit(1) from exc
            raise SystemExit(exc.code or code_of(self.app)) from exc

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        self.app.told_by = self.app.told_by or signal
        super()._schedule_shutdown(signal)

    def _on_sigint(self) -> None:
        self._schedule_shutdown(signal.SIGINT)

    def _say(self, msg: str, file: Any = None, end: str = "\n", **_: Any) -> None:
        if said := msg.strip():
            log.info(said)

    def _redirect_stdouts(self) -> None:
        """Not Faust's way, by which every piece that is written is a line: a traceback one a token."""

    async def _cry(self) -> None:
        stacks = io.StringIO()
        cry(file=stacks)
        log.warning("stacks", stacks=stacks.getvalue())


def _tell_start(_: Any, worker: Any) -> None:
    conf = worker.app.conf
    log.info(
        "worker starts", group=conf.id, kafka=[str(url) for url in conf.broker], pid=os.getpid(),
        faust=faust.__version__, python=platform.python_version(), folder=str(conf.datadir),
    )  # fmt: skip


def code_of(app: Any) -> int:
    """The code that a worker which stops in order ends with."""
    if app.crashed or app.told_by is None:
        return 1
    return INTERRUPTED if app.told_by == signal.SIGINT else 0


def few_arenas() -> None:
    """Call before threads start: glibc would keep up to eight heaps a core, one a thread, and give none of them back.

    The threads of Kafka's clients hold megabytes for moments only. Elsewhere than with glibc nothing is done.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def settle_memory() -> None:
    """What was made until now stays: the collector looks at it no more, and comes when garbage is worth it.

    A batch makes tens of thousands of short-lived objects that reference counts free; looking for cycles among them
    costs several microseconds an event.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def end_within(seconds: float, *, code: int) -> threading.Timer:
    """End this process after ``seconds``, from a thread that no event loop can hold up. Cancel the timer to undo."""
    timer = threading.Timer(seconds, end, args=(code,))
    timer.daemon = True
    timer.start()
    return timer


def end(code: int) -> None:
    """End this process now. Everything that must last is in Postgres and Kafka already."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def leave_group(app: Any, timeout_s: float) -> None:
    """Tell the group coordinator that this process is gone, so that others need not wait for the session timeout."""
    thread = getattr(getattr(app, "_consumer", None), "_thread", None)
    consumer = getattr(thread, "_consumer", None)
    if thread is None or consumer is None:
        return
    leaving = asyncio.run_coroutine_threadsafe(consumer.stop(), thread.thread_loop)
    await asyncio.wait([asyncio.wrap_future(leaving)], timeout=timeout_s)


def require_free(bind: str, port: int) -> None:
    """Raises ServerError where this process could not listen there."""
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as exc:
            raise ServerError(
                f"FT_METRICS_PORT: cannot listen on {bind}:{port} ({exc.strerror}): expected a free port of this "
                "machine. Name another, or none for a free one; FT_WEB_BIND names the address."
            ) from exc


def free_port(bind: str) -> int:
    """A port on which this process could listen now. Raises ServerError if none is found."""
    for _ in range(_PORT_TRIES):
        port = random.choice(_PORTS)
        with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
            try:
                probe.bind((bind, port))
            except OSError:
                continue
            return port
    raise ServerError(f"no free port found on {bind} between {_PORTS.start} and {_PORTS.stop} in {_PORT_TRIES} tries")
