"""The journal of a deployment announced on its real topics, and what is on them then."""

import psycopg

from ft.agents.publish.announcements import TOPICS, Topic
from ft.agents.publish.publisher import Publisher
from ft.config import Config
from ft.schemas.codec import Codec
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.message import Message
from ft.streams.kafka.topics import Topics
from tests.integration.agents.ledger.harness import TOPIC, LedgerHarness
from tests.topic_ends import read_all


def codecs(config: Config) -> dict[Topic, Codec]:
    """Of this version, by topic."""
    names = Topics(config.topic_prefix)
    with Schemas(config) as schemas:
        return {topic: schemas.codec(topic, getattr(names, topic)) for topic in TOPICS}


async def announce(config: Config, partitions: int) -> None:
    """The publisher announces all that it has not yet; the ledger's topic has the deployment's name then."""
    name_read(config, TOPIC)
    harness = await LedgerHarness.open(config, owner="announcing", partitions=partitions)
    publisher = Publisher(config, harness.claims, codecs(config), topic=TOPIC)
    try:
        while await publisher.round():
            pass
    finally:
        await publisher.stop()
        await harness.close()
    name_read(config, Topics(config.topic_prefix).normalized)


def name_read(config: Config, topic: str) -> None:
    """The ledger's harness reads a topic without a prefix; `ft verify` expects the deployment's."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute("UPDATE system.partition_owner SET topic = %s WHERE consumer = 'ledger'", (topic,))


def messages(config: Config, topic: Topic, partition: int) -> list[Message]:
    """What is on a partition now, wherever it begins."""
    return read_all(config, getattr(Topics(config.topic_prefix), topic), partition, anew=True)
