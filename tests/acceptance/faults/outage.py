"""Servers of a test's own, which it may take away and bring back."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ft import embedded
from ft.config import Config
from ft.embedded import processes
from ft.embedded.lifecycle import Fleet, known_ports
from ft.embedded.places import Places
from ft.embedded.progress import Quiet
from tests.acceptance.faults.supervisor import Supervisor
from tests.acceptance.faults.world import World

_START_S = 120.0
_COMMITTED = "SELECT sum(next_offset) FROM system.partition_owner WHERE epoch > 0"
_UNPUBLISHED = """
SELECT sum(l.next_seq - 1 - c.seq) FROM system.publish_cursor c
JOIN system.partition_owner l ON l.consumer = 'ledger' AND l.partition = c.partition
"""


@contextmanager
def away(home: Config, names: Sequence[str], how: signal.Signals, workers: Supervisor) -> Iterator[None]:
    """Within it these servers are gone, all at once; afterwards they run again. The workers are tended meanwhile."""
    fleet = Fleet.of(home, known_ports(Places.of(home)), Quiet())
    servers = [server for server in fleet.servers if server.name in names]
    found = [(server, process) for server in servers if (process := server.process()) is not None]
    assert len(found) == len(names)
    if how is signal.SIGKILL:
        for _, process in found:
            process.kill()
    ending = [
        threading.Thread(target=server.stop, args=(process,))
        if how is signal.SIGTERM
        else threading.Thread(target=processes.end, args=(process,), kwargs={"how": how, "patience_s": 10})
        for server, process in found
    ]
    for each in ending:
        each.start()
    workers.comes_true(lambda: not any(each.is_alive() for each in ending), within_s=60)
    try:
        yield
    finally:
        starting = threading.Thread(target=embedded.start, args=(home,))
        starting.start()
        workers.comes_true(lambda: not starting.is_alive(), within_s=_START_S)
        assert all(server.process() is not None for server in servers)


def committed(world: World) -> int:
    """Sum of the offsets of all consumers; -1 before anybody has claimed."""
    return _number(world, _COMMITTED, -1)


def unpublished(world: World) -> int:
    """Journal rows that are not announced."""
    return _number(world, _UNPUBLISHED, 0)


def see_work(world: World, workers: Supervisor, *, records: int) -> float:
    """Wait until so many more are committed; returns the seconds."""
    began, mark = time.monotonic(), committed(world)
    workers.until(lambda: committed(world) >= mark + records, "work", 120)
    return time.monotonic() - began


def caught_up(world: World) -> Callable[[], bool]:
    """By a connection of its own each time: the servers come and go."""

    def look() -> bool:
        with world.connect() as conn:
            return world.caught_up(conn)

    return look


def _number(world: World, query: str, absent: int) -> int:
    with world.connect() as conn:
        row = conn.execute(query.encode()).fetchone()
    return absent if row is None or row[0] is None else int(row[0])
