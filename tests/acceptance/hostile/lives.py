"""A deployment that is stopped, copied, wiped and started again: workers one after the other on what is left."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from psycopg import sql

from ft.children import WORKER, start
from ft.config import Config
from ft.sql.databases import drop_database
from ft.streams.topics import delete_topics, topic_names
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
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
        workers.until(lambda: world.caught_up(conn), "the records to come through", 120)


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
    _made: list[str]

    def empty(self) -> Config:
        return self._made_from("template0")

    def copy(self) -> Config:
        """What a dump of the deployment's database, restored, would be; nobody may be connected to it."""
        return self._made_from(urlsplit(self.config.postgres).path[1:])

    def drop(self) -> None:
        for name in self._made:
            drop_database(self._admin, name)

    @property
    def _admin(self) -> str:
        return urlsplit(self.config.postgres)._replace(path="/postgres").geturl()

    def _made_from(self, template: str) -> Config:
        name = f"ft_life_{secrets.token_hex(4)}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with psycopg.connect(self._admin, autocommit=True) as conn:
            conn.execute(made)
        self._made.append(name)
        url = urlsplit(self.config.postgres)._replace(path=f"/{name}").geturl()
        return replace(self.config, addresses={**self.config.addresses, "FT_POSTGRES": url})


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
