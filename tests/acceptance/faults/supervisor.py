"""Worker processes under a supervisor: what ends is started again at once, and what is killed is counted."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg

from ft import children
from ft.children import Child
from ft.config import Config

EXITS_MAX: Final = 12
_POLL_S: Final = 0.1
_OWNERS: Final = "SELECT owner, next_offset FROM system.partition_owner WHERE epoch > 0"


@dataclass
class Supervisor:
    """Keeps ``len(names)`` workers running."""

    config: Config
    names: tuple[str, ...] = ("first", "second")
    workers: dict[str, Child] = field(default_factory=dict)
    kills: int = 0
    exits: list[tuple[str, int]] = field(default_factory=list)
    """Name and code of every worker that ended by itself."""

    def start(self, name: str) -> Child:
        config = replace(self.config, log_format="json")
        self.workers[name] = children.start(config, f"worker-{name}", children.WORKER)
        return self.workers[name]

    def kill(self, name: str) -> None:
        """SIGKILL, and a new process in its place at once."""
        self.workers[name].kill(signal.SIGKILL)
        self.workers[name].wait(10)
        self.kills += 1
        self.start(name)

    def tend(self) -> None:
        """Start what ended by itself again; fails once that has come to nothing too often."""
        for name, worker in list(self.workers.items()):
            if not worker.running:
                self.exits.append((name, worker.process.returncode))
                if len(self.exits) > EXITS_MAX:
                    raise AssertionError(f"workers end again and again: {self.exits}{self.log_ends()}")
                self.start(name)

    def pids(self) -> set[int]:
        return {worker.process.pid for worker in self.workers.values() if worker.running}

    def until(self, condition: Callable[[], bool], what: str, within_s: float) -> None:
        """Wait for a condition, tending; fails with the ends of the logs."""
        if not self.comes_true(condition, within_s):
            raise AssertionError(f"waited {within_s:.0f} s for {what}{self.log_ends()}")

    def comes_true(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Tend until the condition holds, or the time is over. While the database is away nothing holds."""
        deadline = time.monotonic() + within_s
        while True:
            self.tend()
            with suppress(psycopg.OperationalError):
                if condition():
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)

    def log_ends(self) -> str:
        return "".join(f"\n{w.name}: {w.log}\n{w.log_end()}" for w in self.workers.values())

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; the exit codes by name."""
        for worker in self.workers.values():
            worker.kill(signal.SIGCONT)
            worker.kill(signal.SIGTERM)
        return {name: worker.stop() for name, worker in self.workers.items()}


@contextmanager
def supervised(config: Config, names: tuple[str, ...] = ("first", "second")) -> Iterator[Supervisor]:
    """Workers, all agents in each, in one group; stopped on the way out."""
    supervisor = Supervisor(config, names)
    try:
        for name in names:
            supervisor.start(name)
        yield supervisor
    finally:
        supervisor.stop()


@dataclass(frozen=True)
class Resumption:
    """Seconds after a kill; None where everything was done before."""

    held_s: float | None = None
    """Until every partition is held by a process that lives."""
    resumed_s: float | None = None
    """Until records are committed again after that."""

    def __repr__(self) -> str:
        return "/".join("-" if s is None else f"{s:.1f}" for s in (self.held_s, self.resumed_s))


@dataclass(frozen=True)
class Look:
    """``system.partition_owner`` at one moment."""

    owners: frozenset[int]
    """Process ids."""
    held: bool
    """Every partition, by processes that live."""
    committed: int
    """Sum of all offsets."""


class Monitor:
    """Watches ``system.partition_owner`` beside a run: how long work stands still after a kill."""

    def __init__(self, conn: psycopg.Connection[Any], supervisor: Supervisor, claims: int) -> None:
        """``claims``: partitions that the workers read."""
        self._conn = conn
        self._supervisor = supervisor
        self._claims = claims
        self.longest_stall_s = 0.0
        self._last: tuple[int, float] | None = None

    def look(self) -> Look:
        """Now."""
        rows = self._conn.execute(_OWNERS).fetchall()
        owners = frozenset(int(owner.split(":")[1]) for owner, _ in rows if owner)
        committed, now = sum(next_offset for _, next_offset in rows), time.monotonic()
        if self._last is None or committed != self._last[0]:
            if self._last is not None and self._last[0] > 0:
                self.longest_stall_s = max(self.longest_stall_s, now - self._last[1])
            self._last = (committed, now)
        return Look(owners, len(rows) >= self._claims and owners <= self._supervisor.pids(), committed)

    def after_kill(self, done: Callable[[], bool], within_s: float) -> Resumption:
        """Wait until work goes on, or ``done``."""
        began, held_at, held_s = time.monotonic(), 0, None
        while time.monotonic() - began < within_s:
            self._supervisor.tend()
            now = self.look()
            if held_s is None and now.held:
                held_s, held_at = time.monotonic() - began, now.committed
            if held_s is not None and now.committed > held_at:
                return Resumption(held_s, time.monotonic() - began)
            if held_s is not None and done():
                return Resumption(held_s)
            time.sleep(_POLL_S)
        raise AssertionError(f"no worker went on within {within_s:.0f} s of a kill{self._supervisor.log_ends()}")


class Feeder(threading.Thread):
    """Writes raw records in portions, evenly over some seconds."""

    def __init__(self, write: Callable[[list[bytes]], None], records: list[bytes], over_s: float) -> None:
        super().__init__(daemon=True)
        self._write, self._records, self._over_s = write, records, over_s
        self.error: BaseException | None = None

    def run(self) -> None:
        size = max(1, len(self._records) // 50)
        began = time.monotonic()
        try:
            for start in range(0, len(self._records), size):
                self._write(self._records[start : start + size])
                due = began + self._over_s * min(1.0, (start + size) / len(self._records))
                time.sleep(max(0.0, due - time.monotonic()))
        except BaseException as exc:
            self.error = exc
            raise
