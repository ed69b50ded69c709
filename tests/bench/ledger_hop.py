"""Microseconds an event of the ledger and of the publisher, on whatever servers the environment names.

    python -m tests.bench.ledger_hop [events] [logs a block]

Prints the wall time, this process's CPU time (client), and what is left: Postgres, the broker, and waiting.
"""

import asyncio
import gc
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ft.agents.publish.announcements import TOPICS, Topic
from ft.agents.publish.publisher import Publisher
from ft.config import Config
from ft.schemas.codec import Codec, parsed
from ft.sql.migrate import migrate
from ft.streams.kafka.message import Message
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.worker.fence import Claim
from tests.bench.deployment import drop, separate
from tests.integration.agents.ledger.harness import TOPIC, LedgerHarness, Log, say_hashes_repeat
from tests.integration.agents.ledger.synthetic_feed import Feed
from tests.synthetic.chain import Chain

RECORDS_A_TAKE = 400


def main(events: int = 40_000, logs: int = 100) -> None:
    with tempfile.TemporaryDirectory(prefix="ft-bench-") as home:
        servers = replace(Config.from_env(), home=Path(home))
        config = separate(servers)
        try:
            migrate(config.postgres, config)
            say_hashes_repeat(config, False)  # as most of the built-in networks
            asyncio.run(run(config, events, logs))
        finally:
            drop(config, servers)


async def run(config: Config, events: int, logs: int) -> None:
    chain = Chain(seed=1, contracts=200, accounts=20_000, logs=logs)
    feed = Feed(chain, Log(partitions=8))
    feed.finalized = 1 << 40
    for _ in range(events // logs):
        feed.grow()
    harness = await LedgerHarness.open(config, partitions=8)
    create_topics(config, [], 8)
    codecs: dict[Topic, Codec] = {name: Codec(name, 1, lambda _, n=name: parsed(n)) for name in TOPICS}  # type: ignore[misc]
    publisher = Publisher(config, Held(harness), codecs, topic=TOPIC)
    harness.ledger._publisher = publisher
    takes = _takes(feed.log)
    gc.collect()
    gc.freeze()  # the prepared records are not the ledger's garbage
    timer = Timer()
    for take in takes:
        log = Log(records=take)
        await harness.read(log)
    timer.tell("ledger", events)
    timer = Timer()
    rows = 0
    while found := await publisher.round():
        rows += found
    timer.tell("publisher, from memory or journal", rows)
    await publisher.stop()
    await harness.close()


class Held:
    def __init__(self, harness: LedgerHarness) -> None:
        self.harness = harness

    def held(self, _consumer: str) -> list[Claim]:
        return list(self.harness.claims.values())


class Timer:
    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), _cpu()

    def tell(self, what: str, count: int) -> None:
        wall, cpu = time.perf_counter() - self.wall, _cpu() - self.cpu
        print(
            f"{what}: {count} in {wall:.2f} s, {count / wall:,.0f}/s; an event {wall / count * 1e6:.1f} µs,"
            f" of it client {cpu / count * 1e6:.1f}, servers and waiting {(wall - cpu) / count * 1e6:.1f}"
        )


def _takes(log: Log) -> list[dict[int, list[Message]]]:
    """The log as a worker gets it: a few hundred records at a time, over all partitions."""
    each = RECORDS_A_TAKE // len(log.records)
    ends = range(each, max(map(len, log.records.values())) + each, each)
    return [{partition: records[:end] for partition, records in log.records.items()} for end in ends]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
