"""How long a head of one network waits while a backlog of another is read.

    python -m tests.bench.heads [events of the backlog] [events of each of its blocks]

A backlog (default 1,000,000 events in blocks of 100) lies in the raw topic of one network when the workers start; a
second network gets a small block now and then until the backlog is read. A block's time goes from its record's
acknowledgement to when the ledger has its events, and to when project has them, which is when the API answers with
them.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

import psycopg

from ft import children
from ft.children import Child
from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import to_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topics import Topics
from tests.bench.deployment import deployed, servers
from tests.bench.feed import NETWORK, TABLE, make, write
from tests.bench.watching import CLAIMED
from tests.synthetic.chain import Chain, append

QUIET: Final = "quiet"
TABLES: Final = TABLE + f"\n[{QUIET}]\nchain_id = 31338\nfinality = {{ confirmed = 1, finalized = 2 }}\n"
_FIRST: Final = frozenset({"normalize", "ledger", "publisher"})
_SECOND: Final = frozenset({"project"})
_EVERY_S: Final = 0.5
_WITHIN_S: Final = 1_800.0
_POLL_S: Final = 0.05
_POSITION: Final = (
    "SELECT coalesce(min(position), -1) FROM system.partition_head WHERE consumer = 'ledger' AND network = %(network)s"
)
_LEDGER: Final = """
    SELECT count(*) FROM ledger.events WHERE network = %(network)s AND block_number = %(block)s
"""
_PROJECT: Final = """
    SELECT count(*) FROM ledger.events e
    JOIN system.partition_owner p ON p.consumer = 'project' AND p.partition = e.partition AND p.next_seq > e.seq
    WHERE e.network = %(network)s AND e.block_number = %(block)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One block of the quiet network."""

    number: int
    ledger_s: float
    project_s: float


def main(events: int = 1_000_000, block_events: int = 100) -> None:
    """Bring servers up, run, tell."""
    with servers() as given:
        config = deployed(given, TABLES)
        blocks = asyncio.run(backlog(config, (events, block_events)))
        workers = [
            children.start(replace(config, agents=agents), f"bench-heads-{number}", children.WORKER)
            for number, agents in enumerate((_FIRST, _SECOND))
        ]
        with children.running(workers):
            began = time.monotonic()
            found = asyncio.run(heads(config, blocks, workers))
        print(f"{events:,} events in {time.monotonic() - began:.0f} s, {len(found)} heads of another network meanwhile")
        for name, seconds in (("ledger", [h.ledger_s for h in found]), ("project", [h.project_s for h in found])):
            p95 = sorted(seconds)[int(len(seconds) * 0.95)]
            print(f"{name}: median {median(seconds):.2f} s, p95 {p95:.2f} s, at most {max(seconds):.2f} s")


async def backlog(config: Config, *stretches: tuple[int, int]) -> int:
    """Write the first network's raw records: so many events, in blocks of so many, one stretch after the other. Returns
    how many blocks that are."""
    chain, codec = Chain(seed=1, network=NETWORK), _codec(config, NETWORK)
    for events, chain.logs in stretches:
        records, _ = make(chain, codec, events)
        await write(config, Topics(config.topic_prefix).raw(NETWORK), records)
    return len(chain.blocks)


async def heads(config: Config, blocks: int, workers: Sequence[Child]) -> list[Head]:
    """Write heads of the quiet network while the backlog's blocks are read; each is waited for before the next."""
    chain, codec = Chain(seed=2, network=QUIET, logs=10, contracts=20), _codec(config, QUIET)
    topic, last = Topics(config.topic_prefix).raw(QUIET), blocks - 1
    found: list[Head] = []
    async with await psycopg.AsyncConnection.connect(config.postgres, autocommit=True) as conn:
        await _until(conn, CLAIMED, 17, workers, topic=Topics(config.topic_prefix).raw(NETWORK))
        while await _asked(conn, _POSITION, network=NETWORK) < last:
            block = chain.grow()
            record = append(block, QUIET, finalized=1 << 40, starts_range=not found)
            await write(config, topic, [codec.encode(to_record(record))])
            began, key = time.monotonic(), {"network": QUIET, "block": block.number}
            await _until(conn, _LEDGER, len(block.moves), workers, **key)
            in_ledger = time.monotonic() - began
            await _until(conn, _PROJECT, len(block.moves), workers, **key)
            found.append(Head(number=block.number, ledger_s=in_ledger, project_s=time.monotonic() - began))
            await asyncio.sleep(_EVERY_S)
    return found


async def _until(conn: Any, query: str, count: int, workers: Sequence[Child], **values: object) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while await _asked(conn, query, **values) < count:
        ended = [worker.name for worker in workers if worker.process.poll() is not None]
        assert not ended, f"{ended} ended"
        assert time.monotonic() < deadline, f"{query} with {values}: expected {count}"
        await asyncio.sleep(_POLL_S)


async def _asked(conn: Any, query: str, **values: object) -> int:
    row = await (await conn.execute(query, values)).fetchone()
    return int(row[0])


def _codec(config: Config, network: str) -> Codec:
    with Schemas(config) as schemas:
        return schemas.codec("raw_block", Topics(config.topic_prefix).raw(network))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
