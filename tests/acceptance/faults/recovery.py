"""How long work stands still after a fault: ``system.partition_owner`` and the cursors, watched beside a run."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import psycopg

from tests.acceptance.faults.supervisor import Supervisor
from tests.acceptance.faults.world import NETWORK, World
from tests.topic_ends import end_of, reader

_POLL_S: Final = 0.1
_IDLE_S: Final = 2.0
_PLACES: Final = """
SELECT consumer, topic, partition, owner, next_offset, NULL FROM system.partition_owner WHERE epoch > 0
UNION ALL
SELECT 'publisher', '', c.partition, l.owner, c.seq, l.next_seq - 1
FROM system.publish_cursor c JOIN system.partition_owner l ON l.consumer = 'ledger' AND l.partition = c.partition
WHERE l.epoch > 0
"""
_SOURCE: Final = """
SELECT coalesce(max(raw_offset), -1), coalesce(max(height), -1) FROM ingest.tail
WHERE network = %s AND raw_offset IS NOT NULL
"""
_BACKFILLED: Final = "SELECT coalesce(max(next_height), -1) FROM system.sync_cursors WHERE job LIKE 'range:%%'"

Key = tuple[str, str, int]
"""consumer (or publisher), topic, partition"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a consumer stands in a partition."""

    pid: int
    """Of the process that claimed it last."""
    at: int
    end: int | None
    """Where it would be with nothing left to do; None: ask the broker."""


@dataclass(frozen=True)
class Recovery:
    """Seconds after a fault; None where there was nothing to do."""

    held_s: float | None = None
    """Until every partition of the victim is claimed by a process that lives."""
    back_s: float | None = None
    """Until one of them moves on."""
    all_s: float | None = None
    """Until each of them moves on that has something to do."""

    def __repr__(self) -> str:
        return "/".join("-" if s is None else f"{s:.1f}" for s in (self.held_s, self.back_s, self.all_s))


class Monitor:
    """Measures recoveries. Make a mark right after the fault, then watch."""

    def __init__(self, world: World, conn: psycopg.Connection[Any], supervisor: Supervisor) -> None:
        self._world = world
        self._conn = conn
        self._supervisor = supervisor

    def places(self) -> dict[Key, Place]:
        """Every claimed partition, now."""
        rows = self._conn.execute(_PLACES).fetchall()
        return {tuple(row[:3]): Place(int(row[3].split(":")[1]), row[4], row[5]) for row in rows if row[3]}

    def held(self) -> bool:
        """Whether every partition is claimed by a process that lives."""
        claims = {key: place for key, place in self.places().items() if key[0] != "publisher"}
        return len(claims) >= self._world.claims and {p.pid for p in claims.values()} <= self._supervisor.pids()

    def holders(self) -> dict[int, int]:
        """Process id -> journal rows that its publisher has still to announce."""
        unpublished: dict[int, int] = {}
        for (consumer, _, _), place in self.places().items():
            rows = (place.end or 0) - place.at if consumer == "publisher" else 0
            unpublished[place.pid] = unpublished.get(place.pid, 0) + rows
        return unpublished

    def mark(self, pid: int) -> dict[Key, Place]:
        """What a process holds, which was killed or stopped just now."""
        return {key: place for key, place in self.places().items() if place.pid == pid}

    def source(self) -> tuple[int, int]:
        """Raw offset of the newest unfinal block that a follower believes in the log, and the highest height."""
        row = self._conn.execute(_SOURCE, (NETWORK,)).fetchone()
        assert row is not None
        return row[0], row[1]

    def backfilled(self) -> int:
        """The range's next height."""
        row = self._conn.execute(_BACKFILLED).fetchone()
        assert row is not None
        return int(row[0])

    def recoveries(self, watches: Sequence["Watch"], began: float, within_s: float) -> None:
        """Wait until every watch has seen what it waits for. ``began``: monotonic time of the fault."""
        open_ones = list(watches)
        while (passed := time.monotonic() - began) < within_s:
            self._supervisor.tend()
            open_ones = [watch for watch in open_ones if not watch.look(passed)]
            if not open_ones:
                return
            time.sleep(_POLL_S)
        told = ", ".join(f"{watch} saw {watch.seen}" for watch in open_ones)
        raise AssertionError(f"not at work again within {within_s:.0f} s: {told}{self._supervisor.log_ends()}")

    def living(self, out: Collection[int]) -> set[int]:
        """Processes that run; ``out``: those that are stopped."""
        return self._supervisor.pids() - set(out)

    def with_work(self, places: Mapping[Key, Place]) -> bool:
        """Whether there is something to do at any of these."""
        waiting = {(topic, partition): place.at for (_, topic, partition), place in places.items() if place.end is None}
        if any(place.end is not None and place.at < place.end for place in places.values()):
            return True
        if not waiting:
            return False
        with reader(self._world.config) as consumer:
            return any(end_of(consumer, *place) > at for place, at in waiting.items())


class Watch(Protocol):
    """Waits for one process's work to go on."""

    seen: Recovery

    def look(self, passed: float) -> bool:
        """Whether it does, so many seconds after the fault, or there is nothing to do."""
        ...


@dataclass
class WorkerWatch:
    """``mark``: what the process held right after the fault. ``out``: processes that are stopped."""

    monitor: Monitor
    mark: Mapping[Key, Place]
    out: Collection[int] = ()
    seen: Recovery = Recovery()
    _idle_since: float | None = None

    def look(self, passed: float) -> bool:
        now = {key: place for key, place in self.monitor.places().items() if key in self.mark}
        living = self.monitor.living(self.out)
        moved = {key for key, place in now.items() if place.at > self.mark[key].at and place.pid in living}
        if self.seen.held_s is None and all(place.pid in living for place in now.values()):
            self.seen = replace(self.seen, held_s=passed)
        if self.seen.back_s is None and moved:
            self.seen = replace(self.seen, back_s=passed)
        if self.seen.held_s is None or self.monitor.with_work({k: p for k, p in now.items() if k not in moved}):
            self._idle_since = None
            return False
        if moved:
            self.seen = replace(self.seen, all_s=passed)
            return True
        # Nothing to do may be the moment between two blocks; at the end of the run it stays so.
        self._idle_since = passed if self._idle_since is None else self._idle_since
        return passed - self._idle_since > _IDLE_S


@dataclass
class SourceWatch:
    """``idle``: there is nothing to do."""

    name: str
    moved: Callable[[], bool]
    idle: Callable[[], bool]
    seen: Recovery = Recovery()

    def look(self, passed: float) -> bool:
        if self.moved():
            self.seen = Recovery(None, passed, passed)
            return True
        return self.idle()
