"""Records on a real topic, processes that claim and read it as a worker does, and the tables they leave."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Self

import psycopg

from ft.agents.project.hop import Project
from ft.config import Config
from ft.schemas.changes import Change
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged, to_record
from ft.sql.session import connect_writer
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.message import Message
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics, topic_identities
from ft.streams.kafka.topics import Topics
from ft.streams.worker import fence
from ft.streams.worker.announcing import Announcements
from ft.streams.worker.fence import Claim
from ft.streams.worker.hop import select
from ft.streams.worker.subscriber import Subscriber, Subscription
from tests.topic_ends import read_all

PARTITION = 3

QUERIES = {
    "holdings": "SELECT network, contract, token_id, slot, account, quantity FROM projection.holdings"
    " WHERE quantity > 0 AND NOT covered"
    " AND account NOT IN ('', 'addr_none', '0x0000000000000000000000000000000000000000')",
    "cards": "SELECT network, contract, token_id, standard, supply, owners, transfers, last_block,"
    " extract(epoch FROM last_time)::bigint, version FROM projection.asset_cards",
    "holders": "SELECT network, contract, account, holdings FROM projection.collection_holders WHERE holdings <> 0",
    "stats": "SELECT network, contract, owners, assets, supply, transfers, mints, burns, standard, first_block,"
    " last_block, version FROM projection.collection_stats",
    "activity": "SELECT network, contract, day, transfers, mints, burns FROM projection.collection_activity"
    " WHERE (transfers, mints, burns) <> (0, 0, 0)",
    "assets": "SELECT network, contract, token_id, uuid, standard, extract(epoch FROM first_seen)::bigint"
    " FROM catalog.assets",
}
_KEYS = {"holdings": 4, "cards": 3, "holders": 3, "stats": 2, "activity": 3, "assets": 3}


def codec_of(config: Config) -> Codec:
    """The codec of ownership_changed, registered; the topics are made on the way."""
    create_topics(config, [], config.partitions)
    with Schemas(config) as schemas:
        return schemas.codec("ownership_changed", Topics(config.topic_prefix).ownership_changed)


async def publish(config: Config, values: Iterable[bytes]) -> None:
    """Send values to the partition that the tests read, in order."""
    producer = Producer(config)
    for value in values:
        producer.send(Topics(config.topic_prefix).ownership_changed, PARTITION, value)
    await producer.flush_acknowledged(30)


def encoded(codec: Codec, records: Iterable[OwnershipChanged]) -> list[bytes]:
    return [codec.encode(to_record(record)) for record in records]


def published(config: Config) -> list[Message]:
    """Every record of the partition, as it is on the broker now."""
    return read_all(config, Topics(config.topic_prefix).ownership_changed, PARTITION)


class Process:
    """One process with its claim: what a worker does, without Faust between. Leaving it closes its connection."""

    def __init__(
        self, config: Config, codec: Codec, owner: str, subscriber: Subscriber[Change] | None = None,
        announces: Callable[[], Announcements] = Announcements,
    ) -> None:  # fmt: skip
        """``subscriber``: default `project`."""
        self._config, self._owner = config, owner
        self.hop = Subscription(config, owner, subscriber or Project(), codec, announces=announces)
        self._held: Claim | None = None
        self._left: list[Message] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hop.stop()

    async def claim(self) -> Claim:
        """Take the partition from whoever has it."""
        topic = Topics(self._config.topic_prefix).ownership_changed
        identity = topic_identities(self._config, [topic])[topic]
        conn = await connect_writer(self._config)
        try:
            self._held = await fence.claim(
                conn,
                consumer=self.hop.consumer,
                topic=topic,
                partition=PARTITION,
                owner=self._owner,
                cluster_id=identity.cluster_id,
                topic_id=identity.topic_id,
            )
        finally:
            await conn.close()
        return self._held

    def get(self, topic: str, partition: int) -> Claim | None:
        """The claim, as the loop of every agent asks for it."""
        return self._held if partition == PARTITION else None

    async def deliver(self, messages: Sequence[Message]) -> None:
        """One delivery: what is new of it is processed, behind what was left over of the one before."""
        batch = select([*self._left, *messages], self)
        self._left = []
        if batch.messages:
            await self.hop.process(batch)
            claim = batch.claims[PARTITION]
            self._left = [message for message in batch.messages if message.offset >= claim.next_offset]

    async def work_through(self, messages: Sequence[Message], batch_size: int) -> None:
        """Claim, then deliver everything in batches, and stop."""
        async with self:
            await self.claim()
            for start in range(0, len(messages), batch_size):
                await self.deliver(messages[start : start + batch_size])
            await self.deliver(())


def tables(url: str) -> dict[str, dict[Any, Any]]:
    """The projections as the recount of tests.synthetic.changes writes them."""
    with psycopg.connect(url) as conn:
        found = {}
        for name, query in QUERIES.items():
            keys = _KEYS[name]
            rows = [[_plain(name, i, value) for i, value in enumerate(row)] for row in conn.execute(query).fetchall()]
            found[name] = {tuple(r[:keys]): tuple(r[keys:]) if len(r) > keys + 1 else r[keys] for r in rows}
        return found


def _plain(name: str, column: int, value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    is_token_id = column == 2 and name in ("holdings", "cards", "assets")
    return str(value) if is_token_id else int(value)
