"""A deployment with one synthetic network: its raw topic, whether all has caught up, and what all must come to."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from confluent_kafka import Consumer, TopicPartition

from ft import children
from ft.config import Config
from ft.networks import load_networks
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged, RawBlock, from_record, to_record
from ft.streams.prepare import prepare
from ft.streams.producer import Producer
from ft.streams.registry import Registry
from ft.streams.topics import Topics
from tests.synthetic.model import ZERO, Holding
from tests.synthetic.ownership import differences
from tests.synthetic.rawlog import RawLog, event_keys, kinds

NETWORK: Final = "synthetic"
PARTITIONS: Final = 8
NETWORKS: Final = f"[{NETWORK}]\nchain_id = 31337\nfinality = {{ confirmed = 1, finalized = 16 }}\n"
VERIFY_S: Final = 120.0

_BEHIND: Final = """
SELECT (SELECT next_offset < %(end)s FROM system.partition_owner WHERE consumer = 'normalize' AND topic = %(raw)s),
       (SELECT count(*) FILTER (WHERE position >= %(end)s - 1) < %(partitions)s
          FROM system.partition_head WHERE consumer = 'ledger' AND network = %(network)s),
       (SELECT count(*) FILTER (WHERE announced_position >= position OR head_number < 0) < %(partitions)s
          FROM system.partition_head WHERE consumer = 'ledger' AND network = %(network)s),
       EXISTS (SELECT FROM system.publish_cursor c
                 JOIN system.partition_owner l ON l.consumer = 'ledger' AND l.partition = c.partition
                 JOIN system.partition_owner p ON p.consumer = 'project' AND p.partition = c.partition
                WHERE c.seq < l.next_seq - 1 OR p.next_seq < c.ownership_seq + 1)
"""
_LIVE: Final = """
SELECT tx_hash, contract, topic0, n, block_hash, count(*) FROM ledger.normalized_events GROUP BY 1, 2, 3, 4, 5
"""
_SUMS: Final = """
SELECT count(*) FROM (
    SELECT sum(CASE op WHEN 'apply' THEN 1 ELSE -1 END) AS live FROM ledger.events WHERE op IN ('apply', 'revert')
    GROUP BY network, tx_hash, contract, topic0, n, sub_index) t WHERE live NOT IN (0, 1)
"""
_SEQ: Final = """
SELECT e.partition, min(seq), max(seq), count(*), count(DISTINCT seq), o.next_seq
FROM ledger.events e JOIN system.partition_owner o ON o.consumer = 'ledger' AND o.partition = e.partition
GROUP BY e.partition, o.next_seq HAVING (min(seq), max(seq), count(*)) <> (1, o.next_seq - 1, count(DISTINCT seq))
    OR max(seq) <> count(*)
"""
_PROJECTED: Final = """
SELECT contract, token_id::text, account, quantity::text FROM projection.holdings
WHERE network = %s AND quantity > 0 AND account NOT IN ('', %s)
"""
_STATS: Final = """
SELECT contract, owners, assets, supply::bigint, transfers, mints, burns FROM projection.collection_stats
WHERE network = %s
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
        self._registry = Registry(config.schema_registry)
        self.codec = self._registry.codec("raw_block", self.raw)
        self._producer = Producer(config.kafka)
        self.claims = 2 * PARTITIONS + len(load_networks(config.networks_file))
        """Partitions that the workers read: raw, normalized, ownership_changed."""
        self.written = 0

    def close(self) -> None:
        self._registry.close()

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

    def caught_up(self, conn: psycopg.Connection[Any]) -> bool:
        """Whether everything written to the raw topic has come through to the projections."""
        values = {"end": self.written, "raw": self.raw, "network": NETWORK, "partitions": PARTITIONS}
        row = conn.execute(_BEHIND, values).fetchone()
        return row is not None and not any(flag is None or flag for flag in row)

    def codec_of(self, name: str, topic: str) -> Codec:
        return self._registry.codec(name, topic)

    def read(self, topic: str, partition: int) -> list[bytes]:
        """Every value of a partition, up to where it ends now."""
        settings = {"bootstrap.servers": self.config.kafka, "group.id": "reader", "enable.auto.commit": False}
        consumer = Consumer(settings | {"fetch.wait.max.ms": 50})
        try:
            end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=15)[1]
            consumer.assign([TopicPartition(topic, partition, 0)])
            found: list[bytes] = []
            while len(found) < end:
                for message in consumer.consume(min(2000, end - len(found)), timeout=15):
                    assert message.error() is None, message.error()
                    found.append(message.value() or b"")
            return found
        finally:
            consumer.close()


@dataclass
class Subscriber:
    """Somebody else's reader of ``ledger.ownership_changed``: sums of what came in less what went out."""

    balances: Counter[Holding] = field(default_factory=Counter)
    records: int = 0
    repeats: int = 0
    gaps: list[str] = field(default_factory=list)

    def take(self, partition: int, changes: Sequence[OwnershipChanged]) -> None:
        """A partition from its beginning: drops what it has seen by seq, and notices what is missing by prev_seq."""
        last = 0
        for change in changes:
            self.records += 1
            if change.seq <= last:
                self.repeats += 1
                continue
            if change.prev_seq != last:
                self.gaps.append(f"partition {partition}: {change.seq} follows {change.prev_seq}, after {last}")
            last = change.seq
            if change.kind != "finality":
                self._move(change)

    @property
    def held(self) -> dict[Holding, int]:
        return {key: quantity for key, quantity in self.balances.items() if quantity > 0 and key[2] != ZERO}

    def _move(self, change: OwnershipChanged) -> None:
        quantity = int(change.quantity) * (1 if change.op == "apply" else -1)
        token = (change.contract, int(change.token_id))
        self.balances[(*token, change.from_account)] -= quantity
        self.balances[(*token, change.to_account)] += quantity


def subscribe(world: World) -> Subscriber:
    """Read the whole topic as anybody could."""
    topic = world.topics.ownership_changed
    codec = world.codec_of("ownership_changed", topic)
    subscriber = Subscriber()
    for partition in range(PARTITIONS):
        values = world.read(topic, partition)
        subscriber.take(partition, [from_record(OwnershipChanged, codec.decode(value)) for value in values])
    return subscriber


def repeats_in_normalized(world: World) -> tuple[int, int]:
    """Records of ``ledger.normalized``, and those of them that say again what was said."""
    topic = world.topics.normalized
    codec = world.codec_of("normalized_batch", topic)
    records = repeated = 0
    for partition in range(PARTITIONS):
        last = -1
        for value in world.read(topic, partition):
            position = codec.decode(value)["position"]
            records += 1
            repeated += position <= last
            last = max(last, position)
    return records, repeated


def require_exactly_once(world: World, log: RawLog, *, dead_letters: int = 0) -> Subscriber:
    """Nothing lost, nothing twice: counted in Postgres, read from Kafka, proved by ``ft verify``."""
    with world.connect() as conn:
        _require_journal(conn, log)
        assert conn.execute("SELECT count(*) FROM system.dlq").fetchone() == (dead_letters,)
        assert conn.execute("SELECT count(*) FROM ingest.quarantine").fetchone() == (0,)
        assert differences(conn, NETWORK, log.chain.ownership) == []
        _require_projections(conn, log)
        canonical = "SELECT number, hash FROM ingest.blocks WHERE state = 'canonical' ORDER BY 1"
        assert conn.execute(canonical).fetchall() == [(block.number, block.hash) for block in log.chain.blocks]
        coverage = conn.execute('SELECT "from", "to" FROM ingest.coverage').fetchall()
        assert coverage == [(log.chain.blocks[0].number, log.chain.blocks[-1].number)]
    subscriber = subscribe(world)
    assert subscriber.gaps == []
    assert subscriber.held == log.chain.ownership.held
    require_verified(world)
    return subscriber


def _require_journal(conn: psycopg.Connection[Any], log: RawLog) -> None:
    expected = event_keys(log.chain.blocks)
    rows = conn.execute(_LIVE).fetchall()
    live = {tuple(row[:4]): row[4] for row in rows}
    lost, strange = expected.keys() - live.keys(), live.keys() - expected.keys()
    double = sum(row[5] - 1 for row in rows) + len(rows) - len(live)
    counted = {"lost": len(lost), "strange": len(strange), "double": double}
    assert not any(counted.values()), f"{counted}; e.g. {[*lost, *strange][:3]}"
    assert live == expected, "an event is live under another block than the canonical one"
    assert conn.execute(_SUMS).fetchone() == (0,), "an event is applied or retracted twice"
    assert conn.execute(_SEQ).fetchall() == [], "seq is not contiguous"


def _require_projections(conn: psycopg.Connection[Any], log: RawLog) -> None:
    held = log.chain.ownership.held
    rows = conn.execute(_PROJECTED, (NETWORK, ZERO)).fetchall()
    assert {(c, int(token), account): int(quantity) for c, token, account, quantity in rows} == held
    stats = {contract: tuple(rest) for contract, *rest in conn.execute(_STATS, (NETWORK,)).fetchall()}
    assert stats == {contract: (*_figures(held, contract), *counts) for contract, counts in _kinds(log, stats).items()}


def _kinds(log: RawLog, seen: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """Of every contract; one whose events were all undone is known with nothing."""
    return dict.fromkeys(seen, (0, 0, 0)) | kinds(log.chain.blocks)


def _figures(held: Any, contract: str) -> tuple[int, int, int]:
    mine = [(token, account, quantity) for (c, token, account), quantity in held.items() if c == contract]
    return len({a for _, a, _ in mine}), len({t for t, _, _ in mine}), sum(q for _, _, q in mine)


def require_verified(world: World) -> None:
    """``ft verify`` exits 0."""
    child = children.start(world.config, "verify", (*children.FT, "verify"))
    began = time.monotonic()
    code = child.wait(VERIFY_S)
    print(f"ft verify: exit {code} after {time.monotonic() - began:.1f} s")
    assert code == 0, child.log_end()
