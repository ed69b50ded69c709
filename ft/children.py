"""ft's own processes as children of another: worker, API, ingest. Each has a log; errors show its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ft.config import Config
from ft.errors import ServerError

_STOP_S: Final = 20.0
_LOG_LINES: Final = 15

WORKER: Final = ("-m", "faust", "-A", "ft", "worker")
FT: Final = ("-m", "ft.cli")


@dataclass
class Child:
    """One process: its name, its handle, its log file and where in that file its own lines begin."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_from: int = 0

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def log_end(self) -> str:
        """The last lines of its log."""
        own = self.log.read_bytes()[self.log_from :].decode(errors="replace")
        lines = own.splitlines()[-_LOG_LINES:]
        return "\n".join(f"    {line}" for line in lines)

    def require_running(self) -> None:
        """Raise ServerError, with the end of its log, if it ended."""
        if not self.running:
            raise ServerError(f"{self.name} ended with code {self.process.returncode}; {self.log}:\n{self.log_end()}")

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Raises ServerError if it still runs after ``timeout_s``."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise ServerError(f"{self.name} runs after {timeout_s:.0f} s; {self.log}:\n{self.log_end()}") from exc

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, if it still runs."""
        if self.running:
            self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, then SIGKILL after 20 seconds; returns its exit code."""
        self.kill(signal.SIGCONT)
        self.kill(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def environment(config: Config) -> dict[str, str]:
    """What a child finds in its environment: ours, with the settings of ``config`` in place of ours."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FT_")}
    return inherited | config.environ()


def start(
    config: Config,
    name: str,
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    detached: bool = False,
) -> Child:
    """Run this Python with ``command`` (:data:`WORKER`, or :data:`FT` and a command's words) under ``config``.

    Its output goes to ``<home>/logs/<name>.log``. ``detached``: it goes on when the parent ends.
    """
    log = config.home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        log_from = out.tell()
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment(config) | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=detached,
        )
    return Child(name, process, log, log_from)


@contextmanager
def running(children: Sequence[Child]) -> Iterator[None]:
    """Stop the children on the way out, last first."""
    try:
        yield
    finally:
        for child in reversed(children):
            child.kill(signal.SIGCONT)
            child.kill(signal.SIGTERM)
        for child in reversed(children):
            child.stop()


def wait_for(condition: Callable[[], bool], what: str, *, timeout_s: float, children: Sequence[Child] = ()) -> None:
    """Return once ``condition`` holds; ServerError if a child ends before, or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        for child in children:
            child.require_running()
        if time.monotonic() > deadline:
            logs = "".join(f"\n{child.name}: {child.log}\n{child.log_end()}" for child in children)
            raise ServerError(f"waited {timeout_s:.0f} s for {what}{logs}")
        time.sleep(0.05)
