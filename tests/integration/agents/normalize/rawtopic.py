"""One network's raw topic on a real broker, and what a reader finds in ``ledger.normalized``."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from ft.agents.normalize.reading import reading_of
from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import NormalizedBatch, RawBlock, from_record, to_record
from ft.streams.deployment.preflight import Preflight, verify
from ft.streams.kafka.producer import Producer
from ft.streams.worker.chain_reader.reader import Reading
from ft.streams.worker.chain_reader.sender import Letters, Sender
from tests.provisioned import provision
from tests.synthetic.chain import Block, Chain, append
from tests.topic_ends import read_all

NETWORK = "synthetic"
NETWORKS_FILE = """
[synthetic]
chain_id = 4242
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of the normalized topic."""

    offset: int
    headers: dict[str, bytes]
    batch: NormalizedBatch


class RawTopic:
    """Writes raw records, reads normalized ones."""

    def __init__(self, config: Config, facts: Preflight, network: str = NETWORK) -> None:
        self.config = config
        self.facts = facts
        self.topic = facts.topics.raw(network)
        self.codec: Codec = facts.schemas.codec("raw_block", self.topic)
        self._producer = Producer(config, offsets=True)

    async def write(self, *records: RawBlock | bytes | None, headers: Any = None) -> list[int]:
        """Append records; returns their offsets."""
        offsets: list[int] = []
        for record in records:
            value = self.codec.encode(to_record(record)) if isinstance(record, RawBlock) else record
            self._producer.send(self.topic, 0, value, headers, on_offset=offsets.append)  # type: ignore[arg-type]
        await self._producer.flush_acknowledged()
        return offsets

    def normalized(self) -> dict[int, list[Sent]]:
        """Every record of every partition, in order."""
        return {p: self._read(self.facts.topics.normalized, p) for p in range(self.facts.partitions)}

    def read_once(self) -> dict[int, list[NormalizedBatch]]:
        """What a reader that checks positions takes: slices and reverts, each position once."""
        return {partition: taken(records) for partition, records in self.normalized().items()}

    def _read(self, topic: str, partition: int) -> list[Sent]:
        codec = self.facts.codecs[topic]
        return [
            Sent(message.offset, dict(message.headers), from_record(NormalizedBatch, codec.decode(message.value)))
            for message in read_all(self.config, topic, partition)
        ]

    def reading(self) -> Reading[Any]:
        """The ledger's, of this network."""
        return reading_of(self.facts.topics, NETWORK, "evm", self.facts.codecs[self.facts.topics.normalized])

    def sender(self, reading: Reading[Any]) -> Sender[Any]:
        """What a reader of the raw topic sends by."""
        topics, codecs = self.facts.topics, self.facts.codecs
        letters = Letters(
            quarantine=topics.quarantine, quarantine_codec=codecs[topics.quarantine],
            dead_letter=topics.dead_letter, dead_letter_codec=codecs[topics.dead_letter],
        )  # fmt: skip
        return Sender(Producer(self.config), reading, self.facts.partitions, letters)

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.config.postgres) as conn:
            return conn.execute(query, values).fetchall()

    def next_offset(self) -> int:
        """Where the normalizer stands in this topic."""
        query = "SELECT next_offset FROM system.partition_owner WHERE consumer = 'normalize' AND topic = %(topic)s"
        rows = self.rows(query, topic=self.topic)
        return int(rows[0][0]) if rows else 0

    async def until(self, condition: Any, within_s: float = 30.0) -> None:
        """Wait until ``condition()`` holds; fails after ``within_s``."""
        deadline = asyncio.get_running_loop().time() + within_s
        while not await asyncio.to_thread(condition):
            assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
            await asyncio.sleep(0.1)


def taken(records: Iterable[Sent]) -> list[NormalizedBatch]:
    """The rule of every reader of the topic: a position that is not greater than the last one is dropped."""
    position, found = -1, []
    for record in records:
        if record.batch.position > position:
            position = record.batch.position
            if record.batch.op != "watermark":
                found.append(record.batch)
    return found


@contextmanager
def open_raw(config: Config, folder: Path, *, partitions: int | None = None) -> Iterator[RawTopic]:
    """Topics, schemas and the network, made. ``partitions``: instead of as many as the database was made for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "networks.toml").write_text(NETWORKS_FILE)
    config = replace(config, networks_file=folder / "networks.toml")
    if partitions is not None:
        with psycopg.connect(config.postgres) as conn:
            conn.execute("UPDATE system.settings SET value = %s WHERE name = 'partitions'", [str(partitions)])
    provision(config)
    facts = verify(config)
    with closing(facts.schemas):
        yield RawTopic(config, facts)


def claim() -> RawBlock:
    return RawBlock(network=NETWORK, op="claim", provider="test")


def revert(block: Block, lease: int, reason: str = "reorg") -> RawBlock:
    return RawBlock(network=NETWORK, op="revert", lease=lease, height=block.number, hash=block.hash, reason=reason)


def finalize(block: Block, lease: int) -> RawBlock:
    return RawBlock(
        network=NETWORK, op="finalize", lease=lease, height=block.number, hash=block.hash, finalized=block.number
    )


def events_of(batches: dict[int, list[NormalizedBatch]]) -> list[tuple[str, str, int, str, str]]:
    """What is left after every append and revert, sorted: (tx, contract, sub_index, from, to)."""
    live: dict[tuple[int, str], NormalizedBatch] = {}
    for partition, found in batches.items():
        for batch in found:
            key = (partition, batch.block_hash)
            if batch.op == "append":
                assert key not in live, "applied twice"
                live[key] = batch
            else:
                live.pop(key, None)
    return sorted(
        row
        for batch in live.values()
        for row in zip(
            batch.tx_hash, batch.contract, batch.sub_index, batch.from_account, batch.to_account, strict=True
        )
    )


def expected_events(blocks: Iterable[Block]) -> list[tuple[str, str, int, str, str]]:
    """What the model says is on these blocks."""
    return sorted(
        (tx.hash, move.contract, 0, move.source, move.target)
        for block in blocks
        for tx in block.txs
        for move in tx.moves
    )


def appends(chain: Chain, count: int, *, lease: int, first: bool = False, finalized: int = -1) -> list[RawBlock]:
    """Grow the chain and return the records of its new blocks."""
    grown = [chain.grow() for _ in range(count)]
    return [
        append(block, NETWORK, lease=lease, finalized=finalized, starts_range=first and index == 0)
        for index, block in enumerate(grown)
    ]
