"""Claims beside a rebalance: none is taken of what the group has taken away meanwhile."""

import asyncio
import time

import psycopg
import pytest

from ft.config import Config
from ft.errors import OffsetMismatch
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics, delete_records
from ft.streams.kafka.topics import Topics
from ft.streams.worker.claims import Claims

PARTITIONS = range(4)


@pytest.fixture
def topic(config: Config) -> str:
    create_topics(config, [], config.partitions)
    return Topics(config.topic_prefix).normalized


@pytest.fixture
def claims(config: Config, topic: str) -> Claims:
    made = Claims(config, "here:1:1")
    made.serve(topic, "ledger")
    return made


def owners(config: Config) -> list[str]:
    with psycopg.connect(config.postgres) as conn:
        query = "SELECT owner FROM system.partition_owner WHERE consumer = 'ledger' AND epoch > 0 ORDER BY partition"
        return [row[0] for row in conn.execute(query).fetchall()]


async def test_claiming_stops_once_the_group_has_changed_its_mind(config: Config, topic: str, claims: Claims) -> None:
    asked = iter([True, True, False, False])

    taken = await claims.take({(topic, p): (0, 0) for p in PARTITIONS}, lambda: next(asked))

    assert [claim.partition for claim in taken] == [0, 1]
    assert owners(config) == ["here:1:1"] * 2


async def test_a_revocation_waits_for_the_claim_that_is_being_taken(config: Config, topic: str, claims: Claims) -> None:
    wanted = True
    taking = asyncio.create_task(claims.take({(topic, p): (0, 0) for p in PARTITIONS}, lambda: wanted))
    await asyncio.sleep(0)
    wanted = False

    await claims.settle(10)
    held = claims.held("ledger")

    assert not claims._lock.locked()
    assert held == await taking == []
    assert owners(config) == []


async def test_a_revocation_does_not_wait_for_ever(claims: Claims) -> None:
    async with claims._lock:
        began = time.monotonic()
        await claims.settle(0.2)

    assert 0.1 < time.monotonic() - began < 5


async def test_a_process_that_ends_begins_nothing_new(config: Config, topic: str, claims: Claims) -> None:
    taken = await claims.take({(topic, p): (0, 0) for p in PARTITIONS})

    claims.drop_all()

    assert claims.held("ledger") == []
    assert all(not claim.held for claim in taken)


async def test_who_was_away_for_longer_than_heads_are_kept_goes_on_where_they_begin(
    config: Config, topic: str, claims: Claims
) -> None:
    claims.lossy.add(topic)

    [claim] = await claims.take({(topic, 0): (7, 9)})

    assert (claim.next_offset, stored(config)) == (7, [(7,)])


async def test_records_that_are_missing_of_any_other_topic_are_a_loss(topic: str, claims: Claims) -> None:
    with pytest.raises(
        OffsetMismatch, match=r"Records are missing.* Else `ft reset --keep raw` reads everything again"
    ):
        await claims.take({(topic, 0): (7, 9)})


async def test_reading_everything_again_is_no_advice_where_a_raw_topic_lacks_its_first_records(
    config: Config, topic: str, claims: Claims
) -> None:
    raw = Topics(config.topic_prefix).raw("ethereum")
    create_topics(config, ["ethereum"], config.partitions)
    producer = Producer(config)
    for _ in range(3):
        producer.send(raw, 0, b"")
    await producer.flush_acknowledged()
    delete_records(config, {(raw, 0): 2})

    with pytest.raises(OffsetMismatch, match=rf"{raw} begins at offset 2.*`ft reannounce`") as refused:
        await claims.take({(topic, 0): (7, 9)})

    assert "ft reset" not in str(refused.value)


def stored(config: Config) -> list[tuple[int]]:
    with psycopg.connect(config.postgres) as conn:
        return conn.execute("SELECT next_offset FROM system.partition_owner WHERE partition = 0").fetchall()
