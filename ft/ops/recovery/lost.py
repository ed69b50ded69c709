"""Kafka is lost, Postgres is there: what was on its way is taken back, and the topics begin anew.

Postgres has the journal, and the chain as normalize had read it. What lay between the two is gone: slices that not
every partition of the ledger had applied, and reverts. So the chain is cut back to what the ledger has applied for
certain; what it has applied beyond is taken back; and whoever follows or reads a range reads those blocks again.

1. one transaction: the chain is cut, offsets belong to no Kafka, a new generation begins, the journal is to be
   announced from its first row on
2. the registry gets its ids back, the topics are made; the raw ones go on at the offsets at which they ended
3. what is taken back is told to the partitions that hold it, as records of ledger.normalized
4. the topic system.deployment says what this is now
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ft.agents.normalize.slices import record
from ft.agents.publish.announcements import TOPICS
from ft.config import Config
from ft.ops.rebuild.progress import Report
from ft.ops.recovery.offsets import fill
from ft.ops.recovery.session import Begun, Connection, begin_generation, networks, note_stored
from ft.schemas.events import to_record
from ft.sql.queries import LIVE, load
from ft.streams.deployment.generations import ONLY_ONE
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import cluster_id, create_topics
from ft.streams.kafka.topics import Topics
from ft.streams.worker.chain_reader.canonical import REPLACE, Block, Marks
from ft.streams.worker.chain_reader.envelope import Envelope

_CUT: Final = (
    "cut", "cut_blocks", "cut_created", "cut_quarantine", "cut_coverage", "drop_coverage", "put_coverage", "cut_heads",
    "pull_ranges",
)  # fmt: skip


class Taken(NamedTuple):
    """A block that the ledger has, and no chain names any more."""

    number: int
    hash: str
    time: int
    proof: str
    partitions: Sequence[int]
    """Those that hold something of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a loss cost: to be read again."""

    blocks: int
    taken_back: int


def store(config: Config, conn: Connection, state: Begun, partitions: int) -> Cut:
    """Step 1. Raises psycopg.Error, BrokerUnavailable."""
    sql, anew, topics = load("recovery", LIVE), load("anew", LIVE), Topics(config.topic_prefix)
    known = networks(conn)
    with conn.transaction():
        conn.execute(sql["nobody_claims"])
        for name in _CUT:
            conn.execute(sql[name], {"partitions": partitions})
        row = conn.execute(sql["count_cut"]).fetchone()
        conn.execute(sql["forget_cut"])
        taken = taken_back(conn)
        conn.execute(sql["note_taken_back"])
        offsets = dict(conn.execute(sql["raw_offsets"]).fetchall())
        for network in known:
            topic = topics.raw(network)
            if topic not in offsets:
                continue
            target = offsets[topic] + len(taken.get(network, ()))
            conn.execute(sql["move_raw"], {"topic": topic, "next_offset": target})
            conn.execute(sql["begin_raw"], {"topic": topic, "offset": target})
            conn.execute(sql["move_position"], {"network": network, "position": target - 1})
        for name in ("clear_tail", "refill_tail", "pull_follower"):
            conn.execute(sql[name], {"networks": known, "in_log": False})
        conn.execute(sql["other_log"])
        conn.execute(sql["other_raw_log"])
        conn.execute(sql["forget_begins"], {"topics": [getattr(topics, name) for name in TOPICS]})
        conn.execute(anew["reset_cursors"])
        conn.execute(anew["settle_letters"], {"changed": topics.ownership_changed})
        made = begin_generation(conn, ONLY_ONE, partitions, cluster_id(config), state.at_least)
        conn.execute(sql["age_letters"], {"epoch": made.present, "consumers": ["ledger", "project"]})
        note_stored(conn, state)
    return Cut(blocks=row[0] if row else 0, taken_back=sum(map(len, taken.values())))


def taken_back(conn: Connection) -> Mapping[str, Sequence[Taken]]:
    """By network, newest first: what the ledger has applied of blocks that the chain does not name."""
    found: dict[str, list[Taken]] = {}
    for network, *block in conn.execute(load("recovery", LIVE)["taken_back"]):
        found.setdefault(network, []).append(Taken._make(block))
    return found


def make_topics(config: Config, conn: Connection, partitions: int, report: Report) -> None:
    """Steps 2 and 3; what is there already is left. Raises BrokerError, BrokerUnavailable, RegistryUnavailable."""
    known, topics = networks(conn), Topics(config.topic_prefix)
    with Schemas(config) as schemas:
        schemas.restore()
        create_topics(config, known, partitions)
        offsets = dict(conn.execute(load("recovery", LIVE)["raw_offsets"]).fetchall())
        for network in known:
            if (target := offsets.get(topics.raw(network), 0)) > 0:
                fill(config, topics.raw(network), target, report)
        schemas.register(topics.records(known))
        asyncio.run(_tell(config, conn, schemas, offsets))


async def _tell(config: Config, conn: Connection, schemas: Schemas, offsets: Mapping[str, int]) -> None:
    topics = Topics(config.topic_prefix)
    codec = schemas.codec("normalized_batch", topics.normalized)
    heads = {
        row[0]: Marks(head_number=row[1], head_hash=row[2], head_time=row[3], safe=row[4], finalized=row[5])
        for row in conn.execute(load("recovery", LIVE)["chain_heads"])
    }
    producer = Producer(config)
    for network, blocks in taken_back(conn).items():
        first = offsets[topics.raw(network)] - len(blocks)
        for position, taken in enumerate(blocks, start=first):
            block = Block(
                number=taken.number, hash=taken.hash, parent="", time=taken.time, final=False, proof=taken.proof,
                raw_offset=position, digest="",
            )  # fmt: skip
            for partition in taken.partitions:
                envelope = Envelope(
                    network=network, op="revert", position=position, partition=partition,
                    marks=heads.get(network, Marks()), block=block, reason=REPLACE,
                )  # fmt: skip
                headers: list[tuple[str, str | bytes | None]] = [("position", str(position).encode())]
                producer.send(
                    topics.normalized, partition, codec.encode(to_record(record(envelope, None, ""))), headers
                )
    await producer.flush_acknowledged()
