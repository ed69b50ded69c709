"""How long new records wait before `project` while a domain in the same worker reads a million old ones.

    python -m tests.bench.switched_on [old records]

The records (default 1,000,000) lie in ``ledger.ownership_changed``, and `project` has read them. Then one more comes to
each partition ten times a second: first while `project` is alone in the worker, then from when a domain that makes
nothing of them is in it as well, for as long as that reads. A record's time goes from its acknowledgement to when
`project` has committed it.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from statistics import median, quantiles
from typing import Any, Final

import psycopg

from ft import children
from ft.config import Config
from ft.schemas import domains
from ft.schemas.codec import Codec
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topics import Topics
from tests.bench.deployment import deployed, servers
from tests.bench.feed import TABLE
from tests.bench.subscriber import MODULES, records_of
from tests.bench.watching import READY_S, RUN_S, one, sound

ALONE_S: Final = 30.0
_EVERY_S: Final = 0.1
_POLL_S: Final = 0.005
_WITHIN_S: Final = 30.0
_READ: Final = """
    SELECT coalesce(sum(next_offset), 0) FROM system.partition_owner WHERE consumer = %(consumer)s AND topic = %(topic)s
"""
_HELD: Final = "SELECT count(*) FROM system.partition_owner WHERE epoch > %(epoch)s AND consumer = %(consumer)s"


def main(old: int) -> None:
    """Bring servers up, run, print."""
    domains.declare(MODULES)
    with servers() as config:
        asyncio.run(_run(deployed(replace(config, domains=MODULES), TABLE), old))


async def _run(config: Config, old: int) -> None:
    topic = Topics(config.topic_prefix).ownership_changed
    with Schemas(config) as schemas:
        codec = schemas.codec("ownership_changed", topic)
    feed = _Feed(config, codec, topic)
    await feed.write(old // config.partitions)
    with psycopg.connect(config.postgres, autocommit=True) as conn:

        def has(consumer: str) -> Callable[[], bool]:
            return lambda: sound(conn) and one(conn, _READ, consumer=consumer, topic=topic) >= feed.written

        worker = children.start(replace(config, agents=frozenset({"project"})), "bench-alone", children.WORKER)
        with children.running([worker]):
            children.wait_for(has("project"), "project to read them", timeout_s=RUN_S, children=[worker])
            alone = await _waits(conn, feed, lambda at: at > ALONE_S)
        chosen = replace(config, agents=frozenset({"project", "nothing"}))
        worker = children.start(chosen, "bench-switched-on", children.WORKER)
        with children.running([worker]):
            held = lambda: one(conn, _HELD, consumer="nothing", epoch=0) >= config.partitions  # noqa: E731
            children.wait_for(held, "the domain to begin", timeout_s=READY_S, children=[worker])
            began = time.monotonic()
            beside = await _waits(conn, feed, lambda at: at > 1 and has("nothing")())
            took = time.monotonic() - began
    print(f"\n{old:,} old records, {len(alone)} and {len(beside)} new ones; ms until project has one:")
    for name, found in (("project alone", alone), (f"beside a domain that reads for {took:.0f} s", beside)):
        print(f"  {name}: median {median(found) * 1e3:.0f}, p95 {quantiles(found, n=20)[-1] * 1e3:.0f}")


class _Feed:
    """Writes what a publisher would announce, the next record of each partition at a time."""

    def __init__(self, config: Config, codec: Codec, topic: str) -> None:
        self.written = 0
        self._topic = topic
        self._producer = Producer(config)
        self._records = [records_of(codec, partition, count(1), size=1) for partition in range(config.partitions)]

    async def write(self, each: int) -> None:
        """So many more in every partition; returns once the broker has them."""
        for _ in range(each):
            for partition, records in enumerate(self._records):
                self._producer.send(self._topic, partition, next(records))
                self.written += 1
        await self._producer.flush_acknowledged()


async def _waits(conn: psycopg.Connection[Any], feed: _Feed, done: Callable[[float], bool]) -> Sequence[float]:
    """Seconds that each round of new records waits."""
    found, began = list[float](), time.monotonic()
    while not done(time.monotonic() - began):
        await feed.write(1)
        at = time.monotonic()
        while one(conn, _READ, consumer="project", topic=feed._topic) < feed.written:
            if time.monotonic() - at > _WITHIN_S:
                raise SystemExit(f"project has not read a new record after {_WITHIN_S:.0f} s")
            await asyncio.sleep(_POLL_S)
        found.append(time.monotonic() - at)
        await asyncio.sleep(_EVERY_S)
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
