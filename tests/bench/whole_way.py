"""One run of the whole way: raw records in, until everything has caught up."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import psutil
import psycopg

from ft import children
from ft.children import Child
from ft.config import Config
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topics import Topics
from tests.bench.feed import NETWORK, make, write
from tests.bench.pace import paced
from tests.bench.watching import CLAIMED, READY_S, RUN_S, cpu, hops, is_applied, one, sound
from tests.synthetic.chain import Chain
from tests.synthetic.ownership import differences

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
    loop_ms: float = 0.0
    """CPU milliseconds of the loop that ran beside it."""
    differences: list[str] = field(default_factory=list)


def run(config: Config, workers: Sequence[Child], *, events: int, seed: int) -> Figures:
    """Make the chain, wait for the workers, write it, wait, compare. Raises ServerError if a worker ends."""
    topics = Topics(config.topic_prefix)
    chain = Chain(seed=seed, network=NETWORK)
    with Schemas(config) as schemas:
        codec = schemas.codec("raw_block", topics.raw(NETWORK))
    records, slices = make(chain, codec, events)
    figures = Figures(events=events, blocks=len(records), raw_bytes=sum(map(len, records)))
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        ready = lambda: one(conn, CLAIMED, topic=topics.raw(NETWORK)) >= 17  # noqa: E731
        children.wait_for(ready, "the workers to hold their partitions", timeout_s=READY_S, children=workers)
        before = cpu(config, workers)
        with paced() as pace:
            began = time.monotonic()
            asyncio.run(write(config, topics.raw(NETWORK), records))
            done = lambda: sound(conn) and is_applied(conn, events, slices)  # noqa: E731
            children.wait_for(done, "the last ownership row", timeout_s=RUN_S, children=workers)
            figures.whole_way_s = time.monotonic() - began
            caught_up = lambda: one(conn, _BEHIND) == 0  # noqa: E731
            children.wait_for(caught_up, "publisher and project", timeout_s=RUN_S, children=workers)
            figures.caught_up_s = time.monotonic() - began
            after = cpu(config, workers)
        figures.loop_ms = pace.loop_ms
        figures.cpu_s = {name: after[name] - before.get(name, 0.0) for name in after}
        figures.rss_mib = {w.name: psutil.Process(w.process.pid).memory_info().rss / 2**20 for w in workers}
        figures.hops = hops(conn)
        figures.differences = differences(conn, NETWORK, chain.ownership)
    return figures
