"""Whether the ledger stays as fast while it grows: one worker fed window by window, each window timed by itself.

    python -m tests.bench.growth [events of the first mark] [events of the last mark]

A window is as many events as the first mark (default 100,000; last mark 2,000,000). The records of a window are made
before its clock starts; the clock stops with its last ownership row; the publisher then catches up off the clock.
The median of the three windows behind the first mark is compared with that of the last three.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

import psutil
import psycopg

from ft import children
from ft.children import Child
from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import to_record
from ft.schemas.ids import partition_of
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topics import Topics
from tests.bench.deployment import deployed, servers
from tests.bench.feed import NETWORK, TABLE, write
from tests.bench.watching import CLAIMED, cpu_s, hops, one
from tests.synthetic.chain import Block, Chain, append

_AGENTS: Final = frozenset({"normalize", "ledger", "publisher"})
_WINDOW_S: Final = 1_800.0
_READY_S: Final = 120.0
_BEHIND: Final = """
    SELECT count(*) FROM unnest(%(partitions)s::int[]) p (partition)
    WHERE NOT EXISTS (SELECT FROM system.partition_head h WHERE h.consumer = 'ledger' AND h.partition = p.partition
                      AND h.position >= %(position)s)
"""
_UNPUBLISHED: Final = "SELECT coalesce(sum(unpublished), 0) FROM projection.publishing"
_BACKENDS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'ft ledger' AND datname = current_database()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window. Microseconds are an event's."""

    events_before: int
    events_s: float
    ledger_us: float
    """Wall time while the hop is at work."""
    worker_cpu_us: float
    backend_cpu_us: float
    """CPU of Postgres on the ledger's connection; 0 where it runs elsewhere."""
    rss_mib: float


def main(first: int = 100_000, last: int = 2_000_000) -> None:
    """Bring servers up, run, compare."""
    with servers() as given:
        config = deployed(given, TABLE)
        worker = children.start(replace(config, agents=_AGENTS), "bench-growth", children.WORKER)
        with children.running([worker]):
            windows = list(_windows(config, worker, first, last))
    early, late = windows[1:4] or windows, windows[-3:]
    print(f"\n{late[-1].events_before:,} events in the ledger, against {early[0].events_before:,}:")
    print(f"whole way of one worker: {_slower(early, late, lambda window: 1 / window.events_s)}")
    print(f"ledger at work: {_slower(early, late, lambda window: window.ledger_us)}")
    print(f"CPU of the worker: {_slower(early, late, lambda window: window.worker_cpu_us)}")
    print(f"RSS: {late[-1].rss_mib:.0f} MiB")


def _slower(early: Sequence[Window], late: Sequence[Window], cost: Callable[[Window], float]) -> str:
    ratio = median(map(cost, late)) / median(map(cost, early))
    return f"{abs(ratio - 1):.0%} {'slower' if ratio > 1 else 'faster'}"


def _windows(config: Config, worker: Child, size: int, last: int) -> Iterator[Window]:
    topic = Topics(config.topic_prefix).raw(NETWORK)
    chain = Chain(seed=1, network=NETWORK)
    with Schemas(config) as schemas:
        codec = schemas.codec("raw_block", topic)
    print(f"{'ledger holds':>14}{'events/s':>10}{'ledger us':>11}{'worker CPU':>12}{'backend CPU':>13}{'RSS MiB':>9}")
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        claimed = lambda: one(conn, CLAIMED, topic=topic) >= 9  # noqa: E731
        children.wait_for(claimed, "the worker to hold its partitions", timeout_s=_READY_S, children=[worker])
        for before in range(0, last, size):
            records, tip = _grow(chain, codec, size, before)
            window = _run(config, conn, worker, topic, records, tip, before)
            print(
                f"{before:>14,}{window.events_s:>10.0f}{window.ledger_us:>11.1f}{window.worker_cpu_us:>12.1f}"
                f"{window.backend_cpu_us:>13.1f}{window.rss_mib:>9.0f}",
                flush=True,
            )
            yield window


def _run(
    config: Config,
    conn: psycopg.Connection[Any],
    worker: Child,
    topic: str,
    records: list[bytes],
    tip: Block,
    before: int,
) -> Window:
    events = len(tip.moves) * len(records)
    partitions = sorted({partition_of(f"{NETWORK}:{move.contract}", 8) for move in tip.moves})
    process = psutil.Process(worker.process.pid)
    busy, cpu, backend = _busy(conn), cpu_s(process), _backends_s(conn)
    began = time.monotonic()
    asyncio.run(write(config, topic, records))
    done = lambda: one(conn, _BEHIND, partitions=partitions, position=tip.number - 1) == 0  # noqa: E731
    children.wait_for(done, "the last ownership row", timeout_s=_WINDOW_S, children=[worker])
    wall = time.monotonic() - began
    published = lambda: one(conn, _UNPUBLISHED) == 0  # noqa: E731
    children.wait_for(published, "the publisher", timeout_s=_WINDOW_S, children=[worker])
    return Window(
        events_before=before,
        events_s=events / wall,
        ledger_us=(_busy(conn) - busy) / events * 1e6,
        worker_cpu_us=(cpu_s(process) - cpu) / events * 1e6,
        backend_cpu_us=sum(s - backend.get(pid, 0.0) for pid, s in _backends_s(conn).items()) / events * 1e6,
        rss_mib=process.memory_info().rss / 2**20,
    )


def _grow(chain: Chain, codec: Codec, events: int, before: int) -> tuple[list[bytes], Block]:
    """The records of a window, and its last block; the chain forgets the blocks below that one."""
    records = []
    for number in range(events // chain.logs):
        block = chain.grow()
        starts = before == 0 and number == 0
        records.append(codec.encode(to_record(append(block, NETWORK, finalized=1 << 40, starts_range=starts))))
    chain.start += len(chain.blocks) - 1
    del chain.blocks[:-1]
    return records, chain.blocks[0]


def _busy(conn: psycopg.Connection[Any]) -> float:
    return hops(conn).get("ledger", (0, 0.0))[1]


def _backends_s(conn: psycopg.Connection[Any]) -> dict[int, float]:
    """CPU seconds by process; the ledger may have connected anew meanwhile."""
    try:
        return {pid: cpu_s(psutil.Process(pid)) for (pid,) in conn.execute(_BACKENDS).fetchall()}
    except psutil.NoSuchProcess:
        return {}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
