"""One run of a bulk backfill: raw records in, until every event's owner is known and every index is built.

The job is opened and closed as `ft ingest --bulk` does it; two workers share normalize, ledger and publisher. The clock
runs from the first raw record written to the later of the last ownership row visible and the job done, indexes
included. The publisher is held back meanwhile, so `project` has nothing to do: it is not started.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg

from ft import children
from ft.children import Child
from ft.config import Config
from ft.schemas.codec import Codec
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.ingest.bulk import BulkJobs
from ft.streams.kafka.topics import Topics
from tests.bench.feed import NETWORK, make, write
from tests.bench.watching import CLAIMED, READY_S, RUN_S, cpu, hops, is_applied, one, sound
from tests.synthetic.chain import GENESIS_TIME, Chain
from tests.synthetic.ownership import differences

_OWNERS: Final = "SELECT count(DISTINCT owner) FROM system.partition_owner WHERE consumer = 'ledger' AND epoch > 0"
_OPEN: Final = "SELECT count(*) FROM ingest.bulk WHERE state <> 'done'"
_BARE: Final = "SELECT count(*) FROM ledger.months WHERE NOT indexed"
_ANNOUNCED: Final = "SELECT coalesce(sum(seq), 0)::bigint FROM system.publish_cursor"


@dataclass(kw_only=True)
class BulkFigures:
    """What one run measured."""

    events: int
    applied_s: float = 0.0
    """Until the last ownership row was visible."""
    done_s: float = 0.0
    """Until the last index was built, too."""
    announced: int = 0
    """Rows that were announced before the job was done: none may be."""
    hops: dict[str, tuple[int, float]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def run_bulk(config: Config, workers: Sequence[Child], *, events: int, seed: int) -> BulkFigures:
    """Make the chain, wait for the workers, open the job, write, close it, wait.

    Raises ServerError if a worker ends.
    """
    topic = Topics(config.topic_prefix).raw(NETWORK)
    chain = Chain(seed=seed, network=NETWORK)
    with Schemas(config) as schemas:
        codec: Codec = schemas.codec("raw_block", topic)
    records, slices = make(chain, codec, events)
    figures = BulkFigures(events=events)
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        ready = lambda: one(conn, CLAIMED, topic=topic) >= 9 and one(conn, _OWNERS) == len(workers)  # noqa: E731
        children.wait_for(ready, "the workers to hold their partitions", timeout_s=READY_S, children=workers)
        before = cpu(config, workers)
        began = time.monotonic()
        asyncio.run(_fill(config, chain, records))
        applied = lambda: sound(conn) and is_applied(conn, events, slices)  # noqa: E731
        children.wait_for(applied, "the last ownership row", timeout_s=RUN_S, children=workers)
        figures.applied_s = time.monotonic() - began
        figures.announced = one(conn, _ANNOUNCED)
        done = lambda: one(conn, _OPEN) == 0  # noqa: E731
        children.wait_for(done, "the indexes", timeout_s=RUN_S, children=workers)
        figures.done_s = time.monotonic() - began
        after = cpu(config, workers)
        figures.cpu_s = {name: after[name] - before.get(name, 0.0) for name in after}
        figures.hops = hops(conn)
        figures.differences = differences(conn, NETWORK, chain.ownership)
        if bare := one(conn, _BARE):
            figures.differences.append(f"{bare} months have no indexes")
        if figures.announced:
            figures.differences.append(f"{figures.announced} rows were announced while the job was open")
    return figures


async def _fill(config: Config, chain: Chain, records: list[bytes]) -> None:
    first, last = chain.blocks[0], chain.blocks[-1]
    jobs = BulkJobs(config, NETWORK)
    job = await jobs.open(first.number, last.number, GENESIS_TIME, last.time)
    await write(config, Topics(config.topic_prefix).raw(NETWORK), records)
    await jobs.written(job)
