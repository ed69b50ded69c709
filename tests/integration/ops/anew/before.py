"""A deployment as the last version without holders left it (record.py), in a database and topics of its own."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
from psycopg import sql

from ft.agents.project.hop import Project
from ft.agents.publish.announcements import TOPICS
from ft.config import Config
from ft.sql import migrate
from ft.sql.session import connect_writer
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics, topic_identities
from ft.streams.kafka.topics import Topics
from ft.streams.worker import fence
from ft.streams.worker.hop import select
from ft.streams.worker.subscriber import Subscription
from tests.integration.agents.publish.announcing import codecs, messages

PARTITIONS: Final = 2
LAST: Final = "0010_bulk.sql"
"""The last migration of that version."""


@cache
def recorded() -> dict[str, Any]:
    """What record.py wrote."""
    found: dict[str, Any] = json.loads(gzip.decompress(Path(__file__).with_name("before_holders.json.gz").read_bytes()))
    return found


async def restore(config: Config) -> None:
    """Tables, topics and schemas as they were. ``config``: of an empty database."""
    create_topics(config, [], PARTITIONS)
    await _send(config)
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        _migrate(conn, config)
        conn.execute("SET timezone = 'UTC'")
        for table, content in recorded()["tables"].items():
            if table == "ledger.events":
                _make_months(conn, content)
            _fill(conn, config, table, content)
        changed = Topics(config.topic_prefix).ownership_changed
        identity = topic_identities(config, [changed])[changed]
        conn.execute(
            "UPDATE system.partition_owner SET cluster_id = %s, topic_id = %s WHERE consumer = 'project'",
            (identity.cluster_id, identity.topic_id),
        )


def _migrate(conn: psycopg.Connection[Any], config: Config) -> None:
    """As that version's migrator did."""
    migrate.ensure_roles(conn, config)
    migrate._ensure_ledger_of_migrations(conn)
    folder = files("ft.sql") / "migrations"
    for path in sorted((p for p in folder.iterdir() if p.name.endswith(".sql")), key=lambda p: p.name):
        if path.name > LAST:
            return
        with conn.transaction():
            conn.execute("SET LOCAL ROLE ft_migrate")
            conn.execute(path.read_text().encode())
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            conn.execute("INSERT INTO system.migrations (name, sha256) VALUES (%s, %s)", (path.name, digest))


def _make_months(conn: psycopg.Connection[Any], content: Mapping[str, Any]) -> None:
    at = content["columns"].index("block_time")
    for month in sorted({row[at][:7] for row in content["rows"]}):
        conn.execute("SELECT ledger.ensure_month(%s)", (f"{month}-01T00:00:00Z",))


def _fill(conn: psycopg.Connection[Any], config: Config, table: str, content: Mapping[str, Any]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, content["columns"]))
    values = sql.SQL(", ").join([sql.Placeholder()] * len(content["columns"]))
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(*table.split(".")), names, values)
    rows = [[_named(value, config) for value in row] for row in content["rows"]]
    conn.cursor().executemany(insert, rows)


def _named(value: Any, config: Config) -> Any:
    return value.replace("PREFIX.", config.topic_prefix) if isinstance(value, str) else value


async def _send(config: Config) -> None:
    producer = Producer(config)
    for topic in TOPICS:
        name = getattr(Topics(config.topic_prefix), topic)
        frame = b"\0" + _register(config, f"{name}-value", recorded()["schemas"][topic]).to_bytes(4, "big")
        for partition, values in enumerate(recorded()["records"][topic]):
            for value in values:
                producer.send(name, partition, frame + bytes.fromhex(value))
    await producer.flush_acknowledged(30)


def _register(config: Config, subject: str, schema: str) -> int:
    answer = httpx.post(f"{config.schema_registry}/subjects/{subject}/versions", json={"schema": schema}, timeout=30)
    answer.raise_for_status()
    return int(answer.json()["id"])


def changes(config: Config, partition: int) -> list[dict[str, Any]]:
    """The records of ownership_changed."""
    codec = codecs(config)["ownership_changed"]
    return [codec.decode(message.value) for message in messages(config, "ownership_changed", partition)]


class _Claims(dict[int, fence.Claim]):
    def get(self, _topic: str, partition: int) -> fence.Claim | None:  # type: ignore[override]
        return dict.get(self, partition)


async def run_project(config: Config, owner: str = "after") -> int:
    """Project reads all that is new to it, as a worker does; returns how many records that were."""
    topic = Topics(config.topic_prefix).ownership_changed
    identity = topic_identities(config, [topic])[topic]
    hop = Subscription(config, owner, Project(), codecs(config)["ownership_changed"])
    conn, read = await connect_writer(config), 0
    try:
        for partition in range(PARTITIONS):
            claim = await fence.claim(
                conn, consumer="project", topic=topic, partition=partition, owner=owner,
                cluster_id=identity.cluster_id, topic_id=identity.topic_id,
            )  # fmt: skip
            here = messages(config, "ownership_changed", partition)
            if here:
                fence.check_bounds(claim, earliest=here[0].offset, end=here[-1].offset + 1)
            batch = select(here, _Claims({partition: claim}))
            if batch.messages:
                await hop.process(batch)
            read += len(batch.messages)
    finally:
        await conn.close()
        await hop.stop()
    return read


def rows(config: Config, query: str) -> list[tuple[Any, ...]]:
    """What a query answers."""
    with psycopg.connect(config.postgres, options="-c timezone=UTC") as conn:
        return conn.execute(query.encode()).fetchall()


def told_of(records: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Without records of kind finality."""
    return (record for record in records if record["op"] != "finality")
