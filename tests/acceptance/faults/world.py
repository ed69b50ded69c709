"""A deployment with one synthetic network: its topics, and whether all has caught up."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from ft.config import Config
from ft.networks import load_networks
from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock, to_record
from ft.streams.deployment.provision import prepare
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topics import Topics
from tests.synthetic.script import CHAIN_ID, FINAL_DEPTH, SAFE_DEPTH
from tests.topic_ends import end_of, read_all, reader

NETWORK: Final = "synthetic"
PARTITIONS: Final = 8
SESSION_TIMEOUT_S: Final = 6.0
NETWORKS: Final = f"""[{NETWORK}]
chain_id = {CHAIN_ID}
finality = {{ confirmed = "safe", confirmed_depth = {SAFE_DEPTH}, finalized_depth = {FINAL_DEPTH} }}
block_time_s = 0.5
requests_per_s = 1000
start_block = 1
"""

_BEHIND: Final = """
SELECT (SELECT next_offset < %(end)s FROM system.partition_owner WHERE consumer = 'normalize' AND topic = %(raw)s),
       (SELECT count(*) FILTER (WHERE position >= %(end)s - 1) < %(partitions)s
          FROM system.partition_head WHERE consumer = 'ledger' AND network = %(network)s),
       (SELECT count(*) FILTER (WHERE (p.head_number, p.head_hash, p.safe, p.finalized)
                                    = (l.head_number, l.head_hash, l.safe, l.finalized) OR l.head_number < 0)
               < %(partitions)s
          FROM system.partition_head l
          LEFT JOIN system.partition_head p ON p.consumer = 'project'
           AND (p.network, p.partition) = (l.network, l.partition)
         WHERE l.consumer = 'ledger' AND l.network = %(network)s),
       EXISTS (SELECT FROM system.publish_cursor c
                 JOIN system.partition_owner l ON l.consumer = 'ledger' AND l.partition = c.partition
                 JOIN system.partition_owner p ON p.consumer = 'project' AND p.partition = c.partition
                WHERE c.seq < l.next_seq - 1 OR p.next_seq < c.ownership_seq + 1)
"""


class World:
    """One deployment under test."""

    def __init__(self, config: Config) -> None:
        config.home.mkdir(parents=True, exist_ok=True)
        assert config.networks_file is not None
        config.networks_file.write_text(NETWORKS)
        prepare(config)
        self.config = config
        self.topics = Topics(config.topic_prefix)
        self.raw = self.topics.raw(NETWORK)
        self._schemas = Schemas(config)
        self.codec = self._schemas.codec("raw_block", self.raw)
        self._producer = Producer(config)
        self.claims = 3 * PARTITIONS + len(load_networks(config.networks_file))
        """Partitions that the workers read: raw, normalized, ownership_changed, finality."""
        self.written = 0

    def close(self) -> None:
        self._schemas.close()

    def encoded(self, records: Sequence[RawBlock]) -> list[bytes]:
        return [self.codec.encode(to_record(record)) for record in records]

    def write(self, records: Sequence[bytes]) -> None:
        """Append to the raw topic; returns once the broker has all of it."""
        asyncio.run(self._send(self.raw, 0, records))
        self.written += len(records)

    def send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        """Write anything anywhere."""
        asyncio.run(self._send(topic, partition, values))

    async def _send(self, topic: str, partition: int, values: Sequence[bytes]) -> None:
        for value in values:
            self._producer.send(topic, partition, value)
        await self._producer.flush_acknowledged()

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.config.postgres, autocommit=True, connect_timeout=5)

    def number(self, query: str, *values: object) -> int:
        """The one that the query gives; -1: none."""
        with self.connect() as conn:
            row = conn.execute(query.encode(), values).fetchone()
        return -1 if row is None or row[0] is None else int(row[0])

    def caught_up(self, conn: psycopg.Connection[Any]) -> bool:
        """Whether everything written to the raw topic has come through to the projections."""
        values = {"end": self.written, "raw": self.raw, "network": NETWORK, "partitions": PARTITIONS}
        row = conn.execute(_BEHIND, values).fetchone()
        return row is not None and not any(flag is None or flag for flag in row)

    def codec_of(self, name: str, topic: str) -> Codec:
        return self._schemas.codec(name, topic)

    def raw_end(self) -> int:
        """How many records the raw topic holds now."""
        with reader(self.config) as consumer:
            return end_of(consumer, self.raw)

    def read(self, topic: str, partition: int) -> list[bytes]:
        """Every value of a partition, up to where it ends now."""
        return [record.value or b"" for record in read_all(self.config, topic, partition, anew=True)]
