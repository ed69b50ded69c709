"""`ft rebuild project` beside a consumer that is at work on the same topic."""

import math
from dataclasses import replace
from random import Random

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from ft.config import Config
from ft.errors import DatabaseUnavailable, OffsetMismatch
from ft.ops.rebuild.domain import _Reader, rebuild_project
from ft.schemas.codec import Codec
from ft.streams.kafka.topics import Topics
from ft.streams.worker.subscriber import LostRecords
from tests.integration.agents.project.subscribing import (
    PARTITION,
    Process,
    codec_of,
    encoded,
    publish,
    published,
    tables,
)
from tests.synthetic.changes import History, history, recount


@pytest.fixture
def codec(config: Config) -> Codec:
    return codec_of(config)


@pytest.fixture(autouse=True)
def _journal(config: Config) -> None:
    """It has whatever these topics announce."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO system.partition_owner (consumer, topic, partition, next_seq) VALUES ('ledger', %s, %s, %s)",
            (Topics(config.topic_prefix).normalized, PARTITION, 1_000_000),
        )


@pytest.fixture
def made() -> History:
    return history(Random(7), blocks=120)


def told(_: object) -> None:
    """Nobody listens."""


async def test_a_consumer_goes_on_from_where_the_new_tables_stand(config: Config, codec: Codec, made: History) -> None:
    half = len(made.records) // 2
    await publish(config, encoded(codec, made.records[:half]))
    async with Process(config, codec, "live") as live:
        claim = await live.claim()
        await live.deliver(published(config)[:30])
        with psycopg.connect(config.postgres) as conn:
            conn.execute("DELETE FROM projection.holdings")
            conn.execute("UPDATE projection.asset_cards SET transfers = 99")

        done = await rebuild_project(config, told)

        await publish(config, encoded(codec, made.records[half:]))
        with pytest.raises(DatabaseUnavailable, match="the batch is tried again"):
            await live.deliver(published(config))
        await live.deliver(published(config))

    assert done.records == half
    assert claim.next_offset == len(made.records)
    assert tables(config.postgres) == recount(made)


async def test_batches_that_end_amid_a_block_lose_nothing(
    config: Config, codec: Codec, made: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [record.block_hash for record in made.records[1:]] + [""]
    records = [
        replace(record, block_end=record.block_hash != behind)
        for record, behind in zip(made.records, blocks, strict=True)
    ]
    await publish(config, encoded(codec, records))
    monkeypatch.setattr(_Reader.fill, "__defaults__", (7, math.inf))

    done = await rebuild_project(config, told)

    assert sum(not record.block_end for record in records) > 20
    assert done.records == len(records)
    assert tables(config.postgres) == recount(made)


async def test_letters_are_those_of_the_whole_topic(config: Config, codec: Codec, made: History) -> None:
    values = encoded(codec, made.records)
    await publish(config, [*values[:20], b"no record", *values[20:]])
    await Process(config, codec, "live").work_through(published(config), 50)
    with psycopg.connect(config.postgres) as conn:
        conn.execute("UPDATE system.dlq SET state = 'dropped'")
        conn.execute(
            'INSERT INTO system.dlq (consumer, topic, partition, "offset", reason, error, payload)'
            " SELECT consumer, topic, partition, 5, reason, error, payload FROM system.dlq"
        )  # of a version that could not read it

    await rebuild_project(config, told)

    with psycopg.connect(config.postgres) as conn:
        letters = conn.execute('SELECT "offset", state FROM system.dlq ORDER BY 1').fetchall()
    assert letters == [(5, "replayed"), (20, "dropped")]
    assert tables(config.postgres) == recount(made)


async def test_a_topic_without_its_first_records_is_refused(config: Config, codec: Codec, made: History) -> None:
    await publish(config, encoded(codec, made.records))
    await Process(config, codec, "live").work_through(published(config), 50)
    admin = AdminClient(config.kafka_client)
    topic = Topics(config.topic_prefix).ownership_changed
    for future in admin.delete_records([TopicPartition(topic, PARTITION, 5)]).values():
        future.result(15)

    with pytest.raises(LostRecords, match="expected the log to begin at offset 0, got 5"):
        await rebuild_project(config, told)

    assert tables(config.postgres) == recount(made)


async def test_a_topic_that_was_filled_from_the_middle_is_refused(config: Config, codec: Codec, made: History) -> None:
    await publish(config, encoded(codec, made.records[10:]))

    with pytest.raises(LostRecords, match="expected the first record to follow none"):
        await rebuild_project(config, told)


async def test_a_topic_that_ends_before_the_served_rows_is_refused(config: Config, codec: Codec, made: History) -> None:
    await publish(config, encoded(codec, made.records))
    await Process(config, codec, "live").work_through(published(config), 50)
    with psycopg.connect(config.postgres) as conn:
        conn.execute("UPDATE system.partition_owner SET next_offset = next_offset + 1 WHERE consumer = 'project'")

    with pytest.raises(OffsetMismatch, match="the end of the log"):
        await rebuild_project(config, told)

    assert tables(config.postgres) == recount(made)
