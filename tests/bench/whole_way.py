"""One run of the whole way: raw records in, until everything has caught up."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import psutil
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from ft import children
from ft.children import Child
from ft.config import Config
from ft.errors import ServerError
from ft.schemas.codec import Codec
from ft.schemas.events import to_record
from ft.schemas.ids import partition_of
from ft.streams.producer import Producer
from ft.streams.registry import Registry
from ft.streams.topics import Topics
from tests.synthetic.chain import Chain, append
from tests.synthetic.ownership import differences

NETWORK: Final = "synthetic"
_READY_S: Final = 60.0
_RUN_S: Final = 900.0
_CLAIMED: Final = (
    "SELECT count(*) FROM system.partition_owner WHERE epoch > 0 AND (consumer <> 'normalize' OR topic = %s)"
)
_SEQ: Final = "SELECT coalesce(sum(next_seq), 0)::bigint FROM system.partition_owner WHERE consumer = 'ledger'"
_APPLIED: Final = "SELECT count(*) FROM ledger.applied_blocks"
_BEHIND: Final = """
    SELECT count(*) FROM system.publish_cursor c
    JOIN system.partition_owner l ON l.consumer = 'ledger' AND l.partition = c.partition
    JOIN system.partition_owner p ON p.consumer = 'project' AND p.partition = c.partition
    WHERE c.seq < l.next_seq - 1 OR p.next_seq < c.ownership_seq + 1
"""


@dataclass(kw_only=True)
class Figures:
    """What one run measured."""

    events: int
    blocks: int
    raw_bytes: int
    whole_way_s: float = 0.0
    caught_up_s: float = 0.0
    hops: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Hop -> records it committed, seconds it was at work."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Process -> CPU seconds during the run."""
    rss_mib: dict[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def run(config: Config, workers: Sequence[Child], *, events: int, seed: int) -> Figures:
    """Make the chain, wait for the workers, write it, wait, compare. Raises ServerError if a worker ends."""
    topics = Topics(config.topic_prefix)
    chain = Chain(seed=seed, network=NETWORK)
    with Registry(config.schema_registry) as registry:
        codec = registry.codec("raw_block", topics.raw(NETWORK))
    records, slices = _make(chain, codec, events)
    figures = Figures(events=events, blocks=len(records), raw_bytes=sum(map(len, records)))
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        ready = lambda: _one(conn, _CLAIMED, topics.raw(NETWORK)) >= 17  # noqa: E731
        children.wait_for(ready, "the workers to hold their partitions", timeout_s=_READY_S, children=workers)
        before = _cpu(config, workers)
        began = time.monotonic()
        asyncio.run(_write(config, topics.raw(NETWORK), records))
        done = lambda: _sound(conn) and _is_applied(conn, events, slices)  # noqa: E731
        children.wait_for(done, "the last ownership row", timeout_s=_RUN_S, children=workers)
        figures.whole_way_s = time.monotonic() - began
        caught_up = lambda: _one(conn, _BEHIND) == 0  # noqa: E731
        children.wait_for(caught_up, "publisher and project", timeout_s=_RUN_S, children=workers)
        figures.caught_up_s = time.monotonic() - began
        after = _cpu(config, workers)
        figures.cpu_s = {name: after[name] - before.get(name, 0.0) for name in after}
        figures.rss_mib = {w.name: psutil.Process(w.process.pid).memory_info().rss / 2**20 for w in workers}
        figures.hops = _hops(conn)
        figures.differences = differences(conn, NETWORK, chain.ownership)
    return figures


def _is_applied(conn: psycopg.Connection[Any], events: int, slices: int) -> bool:
    """Whether the last slice is visible; they are counted only once the journal is long enough, for that costs."""
    return _one(conn, _SEQ) >= events and _one(conn, _APPLIED) >= slices


def _sound(conn: psycopg.Connection[Any]) -> bool:
    for error, count in conn.execute("SELECT min(error), count(*) FROM system.dlq HAVING count(*) > 0").fetchall():
        raise ServerError(f"{count} dead letters; the first: {error}")
    return True


def _make(chain: Chain, codec: Codec, events: int) -> tuple[list[bytes], int]:
    records, slices = [], 0
    for number in range(events // chain.logs):
        block = chain.grow()
        slices += len({partition_of(f"{chain.network}:{move.contract}", 8) for move in block.moves})
        record = append(block, chain.network, finalized=chain.start + events, starts_range=number == 0)
        records.append(codec.encode(to_record(record)))
        if number % 200 == 199:
            print(f"\rmaking the chain: {number + 1} blocks", end="", flush=True)
    print()
    return records, slices


async def _write(config: Config, topic: str, records: Sequence[bytes]) -> None:
    producer = Producer(config.kafka)
    for record in records:
        producer.send(topic, 0, record)
    await producer.flush_acknowledged()


def _cpu(config: Config, workers: Sequence[Child]) -> dict[str, float]:
    """CPU seconds so far of the workers, and of the servers' processes if they are ours."""
    seconds = {worker.name: _seconds(psutil.Process(worker.process.pid)) for worker in workers}
    for process in psutil.process_iter(["name", "cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        name = "postgres" if process.info["name"] == "postgres" else "kafka" if "kafka.Kafka" in words else ""
        if name and (name == "postgres" or str(config.home) in words):
            seconds[name] = seconds.get(name, 0.0) + _seconds(process)
    return seconds


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _hops(conn: psycopg.Connection[Any]) -> dict[str, tuple[int, float]]:
    """Work of each hop, as the workers' metrics tell."""
    events: dict[str, float] = {}
    busy: dict[str, float] = {}
    for (url,) in conn.execute("SELECT metrics_url FROM system.workers").fetchall():
        for family in text_string_to_metric_families(httpx.get(url, timeout=10).text):
            into: Mapping[str, dict[str, float]] = {"events_processed": events, "busy_seconds": busy}
            for sample in family.samples:
                if sample.name in into and sample.value:
                    into[sample.name][sample.labels["agent"]] = sample.value
    return {agent: (int(count), busy.get(agent, 0.0)) for agent, count in events.items()}


def _one(conn: psycopg.Connection[Any], query: str, *args: object) -> int:
    row = conn.execute(query.encode(), args or None).fetchone()
    return int(row[0]) if row else 0
