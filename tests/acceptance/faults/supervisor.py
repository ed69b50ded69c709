"""Processes under a supervisor: what ends is started again at once; what is killed, stopped and woken is counted."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from subprocess import TimeoutExpired
from typing import Final

import psycopg

from ft import children
from ft.children import Child
from ft.config import Config
from tests.acceptance.faults.standing import standing

EXITS_MAX: Final = 12
_POLL_S: Final = 0.1
_STOP_S: Final = 30.0


@dataclass
class Supervisor:
    """Keeps ``len(names)`` workers running, and whatever else is given to it."""

    config: Config
    names: tuple[str, ...] = ("first", "second")
    workers: dict[str, Child] = field(default_factory=dict)
    """By name: workers, and the processes of :meth:`add`."""
    kills: int = 0
    exits: list[tuple[str, int]] = field(default_factory=list)
    """Name and code of every process that ended by itself, and was not to end."""
    exits_max: int = EXITS_MAX
    finished: set[str] = field(default_factory=set)
    """Processes with an end that came to it."""
    _commands: dict[str, Sequence[str]] = field(default_factory=dict)
    _ending: set[str] = field(default_factory=set)

    def start(self, name: str) -> Child:
        config = replace(self.config, log_format="json")
        command, prefix = self._commands.get(name, children.WORKER), "" if name in self._commands else "worker-"
        self.workers[name] = children.start(config, prefix + name, command)
        return self.workers[name]

    def add(self, name: str, command: Sequence[str], *, ends: bool = False) -> Child:
        """One more process. ``ends``: exit 0 is the end of its work, and it is not started again."""
        self._commands[name] = command
        if ends:
            self._ending.add(name)
        return self.start(name)

    def take(self, name: str, other: "Supervisor") -> None:
        """A process of another one, as it runs."""
        self.workers[name], self._commands[name] = other.workers.pop(name), other._commands[name]

    def kill_all(self, *, but: str) -> None:
        """SIGKILL to all but one; none is started again."""
        for name in [name for name in self.workers if name != but]:
            child = self.workers.pop(name)
            child.kill(signal.SIGKILL)
            child.wait(10)

    def kill(self, name: str) -> None:
        """SIGKILL, and a new process in its place at once."""
        self.workers[name].kill(signal.SIGKILL)
        self.workers[name].wait(10)
        self.kills += 1
        if not self._came_to_its_end(name):
            self.start(name)

    def tend(self) -> None:
        """Start what ended by itself again; fails once that has come to nothing too often."""
        for name, worker in list(self.workers.items()):
            if not worker.running and not self._came_to_its_end(name):
                self.exits.append((name, worker.process.returncode))
                if len(self.exits) > self.exits_max:
                    raise AssertionError(f"processes end again and again: {self.exits}{self.log_ends()}")
                self.start(name)

    def pids(self) -> set[int]:
        return {worker.process.pid for worker in self.workers.values() if worker.running}

    def until(self, condition: Callable[[], bool], what: str, within_s: float) -> None:
        """Wait for a condition, tending; fails with where the deployment stands and the ends of the logs."""
        if not self.comes_true(condition, within_s):
            raise AssertionError(f"waited {within_s:.0f} s for {what}{standing(self.config)}{self.log_ends()}")

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

    def end(self, name: str) -> int:
        """SIGTERM to one, which is not started again; its exit code."""
        return self.workers.pop(name).stop()

    def stop(self) -> dict[str, int]:
        """SIGTERM to all, once; the exit codes by name."""
        for worker in self.workers.values():
            worker.kill(signal.SIGCONT)
            worker.kill(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for worker in self.workers.values():
            with suppress(TimeoutExpired):
                worker.process.wait(max(0.0, deadline - time.monotonic()))
        return {
            name: worker.process.returncode if not worker.running else worker.stop()
            for name, worker in self.workers.items()
        }

    def _came_to_its_end(self, name: str) -> bool:
        if name in self._ending and self.workers[name].process.poll() == 0:
            self.finished.add(name)
        return name in self.finished


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
