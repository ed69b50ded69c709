"""Faults: whom they meet, what happens to it, and how long work stands still."""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from ft.children import Child
from tests.acceptance.faults.recovery import Monitor, Recovery, SourceWatch, Watch, WorkerWatch
from tests.acceptance.faults.supervisor import Supervisor

FOLLOWER: Final = "follower"
BACKFILL: Final = "backfill"
BACK_WITHIN_S: Final = 120.0
"""How long a recovery is waited for; what is asked for is asserted of all of them in the end."""
STOPPED_SESSIONS: Final = 1.5
"""Session timeouts for which a stopped process stands still."""
_FENCED_S: Final = 120.0

Part = tuple[str, str]
"""Whom it meets (worker, publisher, source, backfill), and what happens to it: killed, stopped, replaced (stopped, and
another started in its place). The publisher's process is the worker that has most to announce."""

KINDS: Final[dict[str, tuple[Part, ...]]] = {
    "publisher and backfill killed": (("backfill", "killed"), ("publisher", "killed")),
    "backfill stopped": (("backfill", "stopped"),),
    "worker and source stopped": (("source", "replaced"), ("worker", "stopped")),
    "worker and source killed": (("source", "killed"), ("worker", "killed")),
    "publisher killed": (("publisher", "killed"),),
    "worker stopped": (("worker", "stopped"),),
    "worker killed": (("worker", "killed"),),
    "source killed": (("source", "killed"),),
    "publisher stopped": (("publisher", "stopped"),),
    "source stopped": (("source", "stopped"),),
}


@dataclass(frozen=True)
class Struck:
    """A process that was met."""

    part: Part
    name: str
    child: Child
    """The one that was met, whoever runs under its name now."""
    before: Any
    """What the monitor compares with."""

    @property
    def waits_for_itself(self) -> bool:
        """Nobody else does its work while it is stopped."""
        return self.part in (("source", "stopped"), ("backfill", "stopped"))


@dataclass
class Strikes:
    """Injects faults and measures them. ``top``: the height at which a source has nothing more to do."""

    workers: Supervisor
    monitor: Monitor
    random: Random
    stopped_s: float
    top: int
    stopped: set[str] = field(default_factory=set)
    """Names of processes that were stopped: only these may end by themselves."""
    fenced: list[int] = field(default_factory=list)
    """Exit codes of sources that woke up after another had taken over."""

    def inject(self, kind: str) -> list[tuple[Part, Recovery]]:
        """1. all at once, 2. until others do the work, 3. what was stopped wakes, 4. and works on, or ends if replaced.

        A backfill that has come to its end is spared.
        """
        began = time.monotonic()
        struck = [self._strike(part) for part in KINDS[kind] if part[0] != BACKFILL or not self._backfilled()]
        stopped = [each for each in struck if each.part[1] != "killed"]
        out = [each.child.process.pid for each in stopped]
        try:
            found = self._recoveries([each for each in struck if not each.waits_for_itself], began, out)
            if stopped:
                self.workers.comes_true(lambda: False, within_s=max(0.0, began + self.stopped_s - time.monotonic()))
        finally:
            for each in stopped:
                each.child.kill(signal.SIGCONT)
        found += self._recoveries([each for each in struck if each.waits_for_itself], began, ())
        for each in struck:
            if each.part[1] == "replaced":
                self._require_fenced(each.child)
        return found

    def _strike(self, part: Part) -> Struck:
        victim, how = part
        name = {"source": FOLLOWER, "backfill": BACKFILL}.get(victim) or self._worker(victim)
        child, source = self.workers.workers[name], victim in ("source", "backfill")
        before = self._position(name) if source else None
        if how == "killed":
            self.workers.kill(name)
        else:
            self.stopped.add(name)
            child.kill(signal.SIGSTOP)
            time.sleep(0.05)  # what a server was asked before is answered
            if how == "replaced":
                self.workers.start(name)
        return Struck(part, name, child, before if source else self.monitor.mark(child.process.pid))

    def _recoveries(self, struck: Sequence[Struck], began: float, out: Sequence[int]) -> list[tuple[Part, Recovery]]:
        watches = [(each.part, self._watch(each, out)) for each in struck]
        self.monitor.recoveries([watch for _, watch in watches], began, BACK_WITHIN_S + self.stopped_s)
        return [(part, watch.seen) for part, watch in watches]

    def _watch(self, struck: Struck, out: Sequence[int]) -> Watch:
        if struck.part[0] in ("worker", "publisher"):
            return WorkerWatch(self.monitor, struck.before, out)
        moved = lambda: self._position(struck.name) > struck.before  # noqa: E731
        return SourceWatch(struck.name, moved, self._backfilled if struck.name == BACKFILL else self._followed)

    def _position(self, name: str) -> int:
        return self.monitor.backfilled() if name == BACKFILL else self.monitor.source()[0]

    def _backfilled(self) -> bool:
        return BACKFILL in self.workers.finished

    def _followed(self) -> bool:
        return self.monitor.source()[1] >= self.top

    def _require_fenced(self, gone: Child) -> None:
        self.workers.until(lambda: not gone.running, "the source that was replaced to notice", _FENCED_S)
        self.fenced.append(gone.process.returncode)

    def _worker(self, victim: str) -> str:
        """Any that holds partitions; of the publishers the one with most to announce, once one has something."""
        by_pid = {self.workers.workers[name].process.pid: name for name in self.workers.names}
        deadline = time.monotonic() + 2.0
        while True:
            holding = {by_pid[pid]: rows for pid, rows in self.monitor.holders().items() if pid in by_pid}
            if victim == "publisher" and any(holding.values()):
                return max(holding, key=lambda name: holding[name])
            if victim != "publisher" or time.monotonic() > deadline:
                return self.random.choice(sorted(holding) or list(self.workers.names))
