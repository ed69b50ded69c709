"""Records ``before_holders.json.gz``: what the last version without holders left in Postgres and on the topics.

Run it in a checkout of that version (eede7de), with servers of that checkout:

    git worktree add ../before eede7de && cp tests/integration/ops/anew/record.py ../before/tests/record.py
    cd ../before && FT_KAFKA=… FT_POSTGRES=… FT_SCHEMA_REGISTRY=… python -m tests.record before_holders.json.gz

A chain with reorgs, then by hand what that version's rule got wrong or stored otherwise: retractions of events whose
``from`` is not who held the token, a second mint of a live token, a range that was read late and replaced in part,
ERC-1155 debits, moves of nothing, and a contract that tells of one id by events of both standards.
"""

import asyncio
import gzip
import json
import secrets
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

from ft.agents.project.hop import Project
from ft.agents.publish.announcements import TOPICS
from ft.agents.publish.publisher import Publisher
from ft.agents.subscriber import Holdings
from ft.config import Config
from ft.schemas.codec import schema_text
from ft.schemas.ids import partition_of
from ft.sql.databases import drop_database
from ft.sql.migrate import migrate
from ft.streams import checkpoint
from ft.streams.hop import Batch
from ft.streams.registry import Registry
from ft.streams.topics import Topics, create_topics, topic_identities
from tests.integration.agents.ledger.harness import NETWORK, TOPIC, Block, Event, LedgerHarness, Log
from tests.integration.agents.ledger.harness import account as address
from tests.integration.agents.ledger.synthetic_feed import Feed
from tests.synthetic.chain import Chain
from tests.topic_ends import read_all

PARTITIONS = 2
START = 100
UNREAD = 4
"""Records of each partition that project had not come to."""
TABLES = (
    "ledger.events", "ledger.applied_blocks", "ledger.retracted", "market.ownership_current", "ingest.blocks",
    "ingest.coverage", "ingest.heads", "system.partition_owner", "system.partition_head", "system.publish_cursor",
    "system.settings", "catalog.assets", "projection.holdings", "projection.asset_cards",
    "projection.collection_holders", "projection.collection_stats", "projection.collection_activity",
)  # fmt: skip


class Teller:
    """Blocks by hand, to the partitions of their contracts, on top of what a feed has written."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.canonical: dict[int, Block] = {}

    def block(self, number: int, events: Iterable[Event], fork: str = "") -> Block:
        block = Block(number, tuple(events), fork)
        by_partition: dict[int, list[Event]] = {}
        for event in block.events:
            place = partition_of(f"{NETWORK}:{address(event.contract)}", PARTITIONS)
            by_partition.setdefault(place, []).append(event)
        for partition in range(PARTITIONS):
            if partition in by_partition:
                self.log.append(Block(number, tuple(by_partition[partition]), fork), partition, step=0)
            else:
                self.log.watermark(partition)
                self.log.position -= 1
        self.log.position += 1
        self.canonical[number] = block
        return block

    def undo(self, block: Block, reason: str = "reorg") -> None:
        self.log.chain = [b for b in self.log.chain if b.hash != block.hash]
        for partition in range(PARTITIONS):
            self.log._step("revert", partition, block, reason=reason, step=0)
        self.log.position += 1
        del self.canonical[block.number]


def tell(teller: Teller, top: int) -> None:
    """``top``: the height below."""
    coin = Event(tx="coins", standard="erc1155", contract="coin")
    teller.block(top + 1, [
        *(Event(tx=f"mint{token}", token=token, target="alice", log_index=token) for token in (1, 2, 3, 4)),
        replace(coin, quantity=10, target="carol", log_index=9),
        replace(coin, token=2, quantity=5, target="carol", log_index=10, n=1),
    ])  # fmt: skip
    teller.block(top + 2, [Event(tx="move1", token=1, source="alice", target="bob")])
    debit = replace(coin, tx="debit", quantity=4, source="carol", target="dan", log_index=3)
    lost = teller.block(top + 3, [
        Event(tx="again1", token=1, target="dave", log_index=0),
        Event(tx="spend2", token=2, source="spy", target="eve", log_index=1),
        Event(tx="burn3", token=3, source="spy", log_index=2),
        debit,
        replace(coin, tx="debit2", token=2, quantity=5, source="carol", target="dan", log_index=4),
        replace(coin, tx="nothing", token=9, quantity=0, source="carol", target="dan", log_index=5),
        Event(tx="void8", token=8, log_index=6),
    ])  # fmt: skip
    teller.undo(lost)
    teller.block(top + 3, [
        replace(debit, log_index=0),
        Event(tx="self4", token=4, source="alice", target="alice", log_index=1),
        replace(coin, tx="nothing2", token=9, quantity=0, target="dan", log_index=2),
    ], fork="b")  # fmt: skip
    gone = teller.block(top + 4, [
        Event(tx="mint5", token=5, target="gus", log_index=0),
        Event(tx="move5", token=5, source="gus", target="hal", log_index=1),
    ])  # fmt: skip
    teller.undo(gone)
    teller.block(top + 4, [Event(tx="move6", token=6, source="alice", target="bob")], fork="b")
    teller.block(50, [
        Event(tx="late6", token=6, target="alice", log_index=0),
        Event(tx="late1", token=1, target="zed", log_index=1),
        Event(tx="late7", token=7, target="zed", log_index=2),
    ])  # fmt: skip
    wrong = teller.block(51, [
        Event(tx="late72", token=7, source="zed", target="yan", log_index=0),
        replace(coin, tx="lateburn", token=2, quantity=1, source="carol", log_index=1),
    ])  # fmt: skip
    teller.undo(wrong, "replaced")
    teller.block(51, [Event(tx="late72", token=7, source="zed", target="xia", log_index=0)], fork="r")
    teller.block(top + 5, [Event(tx="mint10", token=10, target="ida"), Event(tx="twice10", token=10, target="joe")])
    both = replace(coin, contract="both")
    teller.block(top + 6, [
        Event(tx="mint11", contract="both", token=11, target="kim", log_index=0),
        replace(both, tx="coins12", token=12, quantity=3, target="kim", log_index=1),
    ])  # fmt: skip
    teller.block(top + 7, [
        replace(both, tx="move11", token=11, source="kim", target="lea", log_index=0),
        Event(tx="mint13", token=13, target="ida", log_index=1),
    ])  # fmt: skip


async def fill(config: Config) -> tuple[Chain, Teller]:
    """Journal and ownership."""
    chain = Chain(seed=5, network=NETWORK, contracts=4, accounts=9, logs=6, start=START)
    feed = Feed(chain, Log(partitions=PARTITIONS))
    feed.live(seed=8, steps=12)
    teller = Teller(feed.log)
    tell(teller, chain.blocks[-1].number)
    harness = await LedgerHarness.open(config, partitions=PARTITIONS)
    await harness.read_one_by_one(feed.log)
    await harness.close()
    return chain, teller


def store_chain(config: Config, chain: Chain, teller: Teller) -> None:
    """The chain as normalize would have stored it."""
    canonical = {block.number: (block.hash, block.time) for block in chain.blocks}
    canonical |= {block.number: (block.hash, block.time) for block in teller.canonical.values()}
    head = max(canonical)
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO ingest.heads (network, head_number, head_hash, head_time, safe, finalized, position)"
            " VALUES (%s, %s, %s, to_timestamp(%s), -1, -1, %s)",
            (NETWORK, head, *canonical[head], teller.log.position - 1),
        )
        for low, high in ((50, 51), (START, head)):
            conn.execute(
                'INSERT INTO ingest.coverage (network, "from", "to", proof, raw_offset) VALUES (%s, %s, %s, %s, 0)',
                (NETWORK, low, high, "receipts"),
            )
        for number, (block_hash, time) in canonical.items():
            parent = canonical.get(number - 1, ("",))[0]
            conn.execute(
                "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset)"
                " VALUES (%s, %s, %s, %s, to_timestamp(%s), 'canonical', 'receipts', 0)",
                (NETWORK, number, block_hash, parent, time),
            )
        conn.execute(
            "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset)"
            " SELECT DISTINCT network, number, block_hash, '', time, 'reverted', 'receipts', 0"
            " FROM ledger.applied_blocks ON CONFLICT DO NOTHING"
        )


class _Claims:
    def __init__(self, harness: LedgerHarness) -> None:
        self._harness = harness

    def held(self, _consumer: str) -> list[Any]:
        return list(self._harness.claims.values())


async def announce(config: Config, registry: Registry) -> dict[str, list[list[bytes]]]:
    """Topic -> the values of each partition."""
    names = Topics(config.topic_prefix)
    codecs = {topic: registry.codec(topic, getattr(names, topic)) for topic in TOPICS}
    harness = await LedgerHarness.open(config, owner="announcing", partitions=PARTITIONS)
    publisher = Publisher(config, _Claims(harness), codecs, topic=TOPIC)
    while await publisher.round():
        pass
    await publisher.stop()
    await harness.close()
    return {
        topic: [[m.value or b"" for m in read_all(config, getattr(names, topic), p)] for p in range(PARTITIONS)]
        for topic in TOPICS
    }


async def project(config: Config, registry: Registry) -> None:
    topic = Topics(config.topic_prefix).ownership_changed
    hop = Project(config, "recording", registry.codec("ownership_changed", topic))
    identity = topic_identities(config, [topic])[topic]
    conn = await checkpoint.connect_writer(config)
    for partition in range(PARTITIONS):
        claim = await checkpoint.claim(
            conn, consumer="project", topic=topic, partition=partition, owner="recording",
            cluster_id=identity.cluster_id, topic_id=identity.topic_id,
        )  # fmt: skip
        messages = read_all(config, topic, partition)[:-UNREAD]
        await hop.process(Batch(messages=messages, claims={partition: claim}))
    await conn.close()
    await hop.stop()


def half_read(registry: Registry, config: Config, values: list[list[bytes]]) -> list[dict[str, Any]]:
    """What a subscriber by that version's rule has of each partition once it has read half of it."""
    codec = registry.codec("ownership_changed", Topics(config.topic_prefix).ownership_changed)
    found = []
    for partition in values:
        holdings: Any = Holdings()  # that version's
        seq = 0
        for value in partition[: len(partition) // 2]:
            record = codec.decode(value)
            seq = record["seq"]
            holdings.follow(record)
        owners = [[*asset, account] for asset, (account, *_) in holdings.owners.items()]
        balances = [[*asset, account, str(q)] for (asset, account), q in holdings.balances.items()]
        found.append({"seq": seq, "owners": owners, "balances": balances})
    return found


def dump(config: Config) -> dict[str, Any]:
    """Table -> its columns and rows, every value as text that Postgres takes."""
    found = {}
    with psycopg.connect(config.postgres, options="-c timezone=UTC") as conn:
        for table in TABLES:
            cursor = conn.execute(f"SELECT * FROM {table}".encode())
            names = [column.name for column in cursor.description or ()]
            rows = [[_text(value, config) for value in row] for row in cursor.fetchall()]
            kept = [n for n, name in enumerate(names) if name not in ("claimed_at", "updated_at")]
            found[table] = {"columns": [names[n] for n in kept], "rows": [[row[n] for n in kept] for row in rows]}
    return found


def _text(value: Any, config: Config) -> Any:
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | int):
        return str(value)
    return value.replace(config.topic_prefix, "PREFIX.")


async def record(config: Config) -> dict[str, Any]:
    """Everything that the tests need."""
    create_topics(config, [], PARTITIONS)
    with Registry(config.schema_registry) as registry:
        chain, teller = await fill(config)
        store_chain(config, chain, teller)
        values = await announce(config, registry)
        await project(config, registry)
        return {
            "schemas": {topic: schema_text(topic) for topic in TOPICS},
            "records": {topic: [[value[5:].hex() for value in p] for p in values[topic]] for topic in TOPICS},
            "half_read": half_read(registry, config, values["ownership_changed"]),
            "tables": dump(config),
        }


def main() -> None:
    served = Config.from_env()
    admin, name = served.postgres, f"ft_record_{secrets.token_hex(4)}"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    url = urlsplit(admin)._replace(path=f"/{name}").geturl()
    with tempfile.TemporaryDirectory() as home:
        config = replace(
            served, home=Path(home), addresses={**served.addresses, "FT_POSTGRES": url}, partitions=PARTITIONS,
            topic_prefix=f"t{secrets.token_hex(4)}.",
        )  # fmt: skip
        try:
            migrate(url, config)
            recorded = asyncio.run(record(config))
        finally:
            drop_database(admin, name)
    into = Path(sys.argv[1])
    into.write_bytes(gzip.compress(json.dumps(recorded, separators=(",", ":")).encode(), 9, mtime=0))
    print(f"{into}: {into.stat().st_size:,} bytes, {len(recorded['tables']['ledger.events']['rows']):,} journal rows")


if __name__ == "__main__":
    main()
