"""A Kafka and a database that are not of one life are refused at the start, and what would lose records is told."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from ft.config import Config
from ft.errors import OffsetMismatch
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged, to_record
from ft.streams.deployment.comparing import require_one
from ft.streams.deployment.identity import OtherDeployment
from ft.streams.deployment.identity_check import require_same_cluster
from ft.streams.deployment.provision import prepare
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import cluster_id
from ft.streams.kafka.topics import Topics

PARTITIONS = 2
ROW = """
INSERT INTO system.partition_owner (consumer, topic, partition, next_seq, cluster_id) VALUES ('ledger', %s, 0, %s, %s)
"""
LETTER = """
INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)
VALUES ('project', %s, 0, %s, 'n', 'out_of_order', '', '')
"""


@pytest.fixture
def deployed(config: Config) -> Config:
    made = replace(config, partitions=PARTITIONS)
    prepare(made)
    return made


@pytest.fixture
def codec(deployed: Config) -> Iterator[Codec]:
    with Schemas(deployed) as schemas:
        yield schemas.codec("ownership_changed", Topics(deployed.topic_prefix).ownership_changed)


def execute(config: Config, statement: str, *values: object) -> None:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute(statement.encode(), values)


def journal_ends(config: Config, seq: int, cluster: str = "") -> None:
    execute(config, ROW, Topics(config.topic_prefix).normalized, seq + 1, cluster)


async def announce(config: Config, *values: bytes) -> None:
    producer = Producer(config)
    for value in values:
        producer.send(Topics(config.topic_prefix).ownership_changed, 0, value)
    await producer.flush_acknowledged()


def change(codec: Codec, seq: int) -> bytes:
    said = OwnershipChanged(
        seq=seq, prev_seq=seq - 1, kind="mint", op="apply", network="n", block_number=1, block_hash="h", block_time=1
    )
    return codec.encode(to_record(said))


def test_a_database_filled_from_another_cluster_is_refused_with_the_remedy(deployed: Config) -> None:
    journal_ends(deployed, 5, cluster="elsewhere")

    with pytest.raises(OffsetMismatch, match=r"expected cluster elsewhere.*Point FT_KAFKA at") as caught:
        require_same_cluster(deployed)

    assert cluster_id(deployed) in str(caught.value)


def test_topics_are_not_made_in_another_cluster_for_a_database_that_has_offsets(deployed: Config) -> None:
    journal_ends(deployed, 5, cluster="elsewhere")

    with pytest.raises(OffsetMismatch, match="Point FT_KAFKA at"):
        prepare(deployed)


def test_offsets_of_this_cluster_and_no_offsets_are_accepted(deployed: Config) -> None:
    require_same_cluster(deployed)
    journal_ends(deployed, 5, cluster=cluster_id(deployed))

    require_same_cluster(deployed)


async def test_topics_ahead_of_the_journal_are_refused_with_the_remedy(deployed: Config, codec: Codec) -> None:
    journal_ends(deployed, 4)
    await announce(deployed, change(codec, 4), change(codec, 5))

    with pytest.raises(OtherDeployment, match=r"ends at 4, got row 5 at offset 1.*`ft restore --as-it-stands` goes on"):
        require_one(deployed)


async def test_topics_of_another_life_are_refused_by_an_empty_database(deployed: Config, codec: Codec) -> None:
    await announce(deployed, change(codec, 1))

    with pytest.raises(OtherDeployment, match="ends at 0, got row 1"):
        require_one(deployed)


async def test_topics_up_to_the_end_of_the_journal_or_behind_it_are_accepted(deployed: Config, codec: Codec) -> None:
    require_one(deployed)
    await announce(deployed, *[change(codec, seq) for seq in range(1, 120)])
    journal_ends(deployed, 119)

    require_one(deployed)


async def test_what_was_put_aside_announces_nothing(deployed: Config, codec: Codec) -> None:
    journal_ends(deployed, 4)
    await announce(deployed, change(codec, 4), change(codec, 2**61), b"garbage")
    execute(deployed, LETTER, Topics(deployed.topic_prefix).ownership_changed, 1)

    require_one(deployed)
