"""All agents in one worker, as `faust -A ft worker` runs them: raw records in, owners out."""

from confluent_kafka import Consumer, TopicPartition

from ft.config import Config
from ft.streams.worker.record_batches import BYTES_MAX
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, revert
from tests.integration.streams.worker.conftest import StartWorker
from tests.synthetic.chain import Chain
from tests.topic_ends import end_of

HELD = """
SELECT contract, token_id::bigint, account, quantity::bigint FROM projection.ownership_view WHERE network = %(network)s
"""
ALL = "normalize,ledger,publisher,project"


async def test_owners_follow_a_reorg_through_every_agent(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = Chain(seed=3, network=NETWORK, logs=20, contracts=12)
    records = [claim(), *appends(chain, 6, lease=0, first=True)]
    undone = chain.undo(3)
    await raw.write(*records, *[revert(block, 0) for block in undone], *appends(chain, 4, lease=0))

    worker = start_worker(ALL)

    def owners_fit() -> bool:
        return {row[:3]: row[3] for row in raw.rows(HELD, network=NETWORK)} == dict(chain.ownership.held)

    await raw.until(owners_fit, within_s=60)
    projected = "SELECT min(position) FROM system.partition_head WHERE consumer = 'project'"
    await raw.until(lambda: (raw.rows(projected)[0][0] or 0) >= 13, within_s=30)
    code = worker.terminate()

    assert code == 0
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]


async def test_large_and_small_records_go_through_and_kafka_is_told_how_far(
    raw: RawTopic, start_worker: StartWorker
) -> None:
    chain = Chain(seed=4, network=NETWORK, logs=10, contracts=12)
    records = [claim(), *appends(chain, 40, lease=0, first=True)]
    chain.logs = 1_000
    records += appends(chain, 1, lease=0)
    assert sum(len(part.bytes) for part in records[-1].parts) > BYTES_MAX
    chain.logs = 10
    await raw.write(*records, *appends(chain, 40, lease=0))
    topics = raw.facts.topics
    read = {raw.topic: 1, topics.normalized: 3, topics.ownership_changed: 3}

    worker = start_worker(ALL)

    def owners_fit() -> bool:
        return {row[:3]: row[3] for row in raw.rows(HELD, network=NETWORK)} == dict(chain.ownership.held)

    def kafka_knows() -> bool:
        return all(_reported(raw.config, topic, count) for topic, count in read.items())

    await raw.until(owners_fit, within_s=60)
    await raw.until(kafka_knows, within_s=30)
    assert worker.terminate() == 0
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]


def _reported(config: Config, topic: str, partitions: int) -> bool:
    """Whether the group's committed offset of every partition is the end of its log."""
    group = f"{config.topic_prefix}ft"
    reader = Consumer({**config.kafka_client, "group.id": group, "enable.auto.commit": False})
    try:
        asked = reader.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=10)
        ends = [end_of(reader, topic, p) for p in range(partitions)]
        return [max(found.offset, 0) for found in asked] == ends
    finally:
        reader.close()
