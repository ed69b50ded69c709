"""A deployment that is stopped, copied, wiped and started again: workers one after the other on what is left."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from ft.children import WORKER, start
from ft.config import Config
from ft.streams.kafka.topic_admin import delete_topics, topic_names
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.deployments import name_of, with_fresh_database
from tests.synthetic.chain import Chain
from tests.synthetic.rawlog import RawLog

SEED = 20260108


def raw_log(blocks: int) -> RawLog:
    """A chain of so many blocks, as its source writes it."""
    log = RawLog(Chain(seed=SEED, network=NETWORK, logs=20, contracts=20))
    log.claim()
    log.follow(blocks)
    return log


def more(log: RawLog) -> int:
    """A reorg and some blocks; returns how many records there were before."""
    before = len(log.records)
    log.reorg(3)
    log.follow(10)
    return before


def lived_through(world: World, records: Sequence[bytes]) -> None:
    """One worker takes all of the records, then ends in order."""
    with supervised(world.config, ("first",)) as workers, world.connect() as conn:
        world.write(records)
        began = time.monotonic()
        workers.until(lambda: world.caught_up(conn), "the records to come through", 300)
        print(f"{len(records)} more raw records came through: {time.monotonic() - began:.1f} s")


def lived_on(world: World, log: RawLog) -> None:
    """The log goes on, and one worker takes that."""
    before = more(log)
    lived_through(world, world.encoded(log.records[before:]))


def normalized_alone(world: World, log: RawLog) -> Config:
    """The log goes on, and that is normalized, and no more. Returns how such a worker is configured."""
    before = more(log)
    config = replace(world.config, agents=frozenset({"normalize"}))
    with supervised(config, ("normalizing",)) as workers:
        world.write(world.encoded(log.records[before:]))
        query = "SELECT next_offset FROM system.partition_owner WHERE consumer = 'normalize' AND topic = %s"
        workers.until(lambda: world.number(query, world.raw) == world.written, "normalize", 120)
    return config


def refusal(config: Config, name: str) -> dict[str, Any]:
    """A worker starts and ends by itself with code 1: what it said last, in one line."""
    worker = start(replace(config, log_format="json"), f"refused-{name}", WORKER)
    code = worker.wait(90)
    lines = worker.log.read_text().splitlines()
    said: list[dict[str, Any]] = [json.loads(line) for line in lines if '"worker exits"' in line]
    assert code == 1, worker.log_end()
    assert "Traceback" not in worker.log.read_text()
    return said[0]


@dataclass
class Databases:
    """Databases beside the one of the test; dropped at the end."""

    config: Config
    _stack: ExitStack

    def empty(self) -> Config:
        return self._stack.enter_context(with_fresh_database(self.config))

    def copy(self) -> Config:
        """What a dump of the deployment's database, restored, would be; nobody may be connected to it."""
        return self._stack.enter_context(with_fresh_database(self.config, name_of(self.config.postgres)))


def delete_what_follows(config: Config) -> None:
    """Every topic of the deployment but the raw ones."""
    delete_topics(config, [name for name in topics_of(config) if not name.endswith(".raw")])


def topics_of(config: Config) -> list[str]:
    """Every topic of the deployment."""
    return [name for name in topic_names(config) if name.startswith(config.topic_prefix)]


def trim(config: Config, topic: str, partitions: int) -> None:
    """Delete every record of the topic, as its retention would."""
    admin = AdminClient(config.kafka_client)
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    ends = admin.list_offsets({TopicPartition(topic, p): latest for p in range(partitions)})
    upto = [TopicPartition(at.topic, at.partition, future.result(15).offset) for at, future in ends.items()]
    for future in admin.delete_records(upto).values():
        future.result(15)
