"""How long work stands still after a fault: ``system.partition_owner`` and the cursors, watched beside a run."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from confluent_kafka import TopicPartition

from tests.acceptance.faults.supervisor import Supervisor
from tests.acceptance.faults.world import NETWORK, World

_POLL_S: Final = 0.1
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
    """Measures recoveries. Make a mark right after the fault, then ask for the recovery."""

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

    def recovery(self, mark: Mapping[Key, Place], began: float, within_s: float, out: Collection[int]) -> Recovery:
        """Wait until everything of ``mark`` moves on that can. ``began``: monotonic. ``out``: stopped processes."""
        held_s: float | None = None
        back_s: float | None = None
        idle_s = 0.0
        while (passed := time.monotonic() - began) < within_s:
            self._supervisor.tend()
            now = {key: place for key, place in self.places().items() if key in mark}
            living = self._supervisor.pids() - set(out)
            if held_s is None and all(place.pid in living for place in now.values()):
                held_s = passed
            moved = {key for key, place in now.items() if place.at > mark[key].at and place.pid in living}
            if back_s is None and moved:
                back_s = passed
            if held_s is not None and not self._with_work({k: p for k, p in now.items() if k not in moved}):
                # Nothing to do may be the moment between two blocks; at the end of the run it stays so.
                if moved or idle_s > 2.0:
                    return Recovery(held_s, back_s, passed if moved else None)
                idle_s += _POLL_S
            time.sleep(_POLL_S)
        raise AssertionError(
            f"not at work again within {within_s:.0f} s: held after {held_s} s, moved after {back_s} s; "
            f"before {dict(mark)}, now {self.places()}{self._supervisor.log_ends()}"
        )

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

    def moved(self, moved: Callable[[], bool], idle: Callable[[], bool], began: float, within_s: float) -> Recovery:
        """Wait until ``moved``, or ``idle``: there is nothing to do."""
        while (passed := time.monotonic() - began) < within_s:
            self._supervisor.tend()
            if moved():
                return Recovery(None, passed, passed)
            if idle():
                return Recovery()
            time.sleep(_POLL_S)
        raise AssertionError(f"not at work again within {within_s:.0f} s{self._supervisor.log_ends()}")

    def _with_work(self, places: Mapping[Key, Place]) -> bool:
        waiting = {(topic, partition): place.at for (_, topic, partition), place in places.items() if place.end is None}
        if any(place.end is not None and place.at < place.end for place in places.values()):
            return True
        if not waiting:
            return False
        consumer = self._world.consumer()
        try:
            return any(
                consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=15)[1] > at
                for (topic, partition), at in waiting.items()
            )
        finally:
            consumer.close()
