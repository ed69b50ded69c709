"""Records of ``ledger.ownership_changed`` on a topic that nothing else writes, for consumers that the pages show."""

from collections.abc import Mapping, Sequence
from typing import Final

from ft.config import Config
from ft.schemas.events import OwnershipChanged, to_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics

_ACKNOWLEDGED_S: Final = 30.0


def mint(seq: int, generation: int = 0) -> OwnershipChanged:
    """The record after ``seq - 1``: a token of its own is made."""
    return OwnershipChanged(
        seq=seq,
        prev_seq=seq - 1,
        kind="mint",
        op="apply",
        network="polygon",
        block_number=71_000_000,
        block_hash="0x" + "ab" * 32,
        block_time=1_700_000_000,
        asset_id=f"polygon:0xc0:{seq}",
        from_account="0x00",
        to_account="0xa1",
        finality_status="finalized",
        generation=generation,
    )


async def announce(config: Config, records: Mapping[int, Sequence[OwnershipChanged]]) -> None:
    """Send what each partition is to hold, in order, on topics that are made for it."""
    topic = Topics(config.topic_prefix).ownership_changed
    create_topics(config, [], config.partitions)
    with Schemas(config) as schemas:
        codec = schemas.codec("ownership_changed", topic)
    producer = Producer(config)
    for partition, changes in records.items():
        for record in changes:
            producer.send(topic, partition, codec.encode(to_record(record)))
    await producer.flush_acknowledged(_ACKNOWLEDGED_S)
