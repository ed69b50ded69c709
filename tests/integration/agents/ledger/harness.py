"""A log of normalized records in memory, and ledgers that read it into a real Postgres as a worker does."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg

from ft.agents.ledger.hop import Ledger
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.posting import NetworkHead
from ft.config import Config
from ft.schemas.codec import Codec, parsed
from ft.schemas.events import NormalizedBatch, to_record
from ft.schemas.families import EVM_ZERO
from ft.sql.session import connect_writer
from ft.streams.kafka.message import Message
from ft.streams.worker import fence
from ft.streams.worker.fence import Claim
from ft.streams.worker.hop import Batch, select

NETWORK: Final = "synthetic"
TOPIC: Final = "ledger.normalized"
TIME: Final = 1_704_067_200
CODEC: Final = Codec("normalized_batch", 1, lambda _: parsed("normalized_batch"))
ZERO: Final = EVM_ZERO


def account(name: str) -> str:
    """An address that shows its name."""
    return "0x" + name.encode().hex().rjust(40, "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a slice; names become addresses."""

    tx: str
    token: int = 1
    source: str = ""
    target: str = ""
    quantity: int = 1
    standard: str = "erc721"
    contract: str = "c"
    n: int = 0
    sub_index: int = 0
    log_index: int | None = None


def multi(tx: str, source: str, target: str, quantity: int, token: int = 1) -> Event:
    """A movement of ERC-1155."""
    return Event(tx=tx, token=token, source=source, target=target, quantity=quantity, standard="erc1155")


@dataclass(frozen=True, slots=True)
class Block:
    """A slice of one block; ``fork`` makes another block of the same height."""

    number: int
    events: Sequence[Event] = ()
    fork: str = ""
    proof: str = "receipts"

    @property
    def hash(self) -> str:
        return "0x" + f"{self.number}{self.fork}".encode().hex().rjust(64, "0")

    @property
    def time(self) -> int:
        return TIME + 2 * self.number


def columns(events: Sequence[Event]) -> dict[str, Any]:
    """The events as the list fields of a record."""
    return {
        "tx_hash": ["0x" + e.tx.encode().hex().rjust(64, "0") for e in events],
        "tx_from": [account("sender")] * len(events),
        "contract": [account(e.contract) for e in events],
        "topic0": ["0xddf2" if e.standard == "erc721" else "0xc3d5" for e in events],
        "n": [e.n for e in events],
        "sub_index": [e.sub_index for e in events],
        "log_index": [i if e.log_index is None else e.log_index for i, e in enumerate(events)],
        "standard": [e.standard for e in events],
        "token_id": [str(e.token) for e in events],
        "from_account": [account(e.source) if e.source else ZERO for e in events],
        "to_account": [account(e.target) if e.target else ZERO for e in events],
        "operator": [None] * len(events),
        "quantity": [str(e.quantity) for e in events],
    }


@dataclass
class Log:
    """The normalized topic, one list a partition, and the chain that its records speak of."""

    partitions: int = 1
    records: dict[int, list[Message]] = field(default_factory=dict)
    position: int = 0
    finalized: int = -1
    chain: list[Block] = field(default_factory=list)

    def append(self, block: Block, partition: int = 0, **fields: Any) -> NormalizedBatch:
        """The next block of the chain, or one with nothing below it."""
        self.chain = sorted([*(b for b in self.chain if b.number != block.number), block], key=lambda b: b.number)
        return self._step(
            "append", partition, block, proof=block.proof, digest="d", **{**columns(block.events), **fields}
        )

    def revert(self, block: Block, reason: str = "reorg", partition: int | None = None) -> None:
        """To every partition, unless one is named."""
        self.chain = [b for b in self.chain if b != block]
        for target in range(self.partitions) if partition is None else (partition,):
            self._step("revert", target, block, reason=reason, step=0)
        self.position += 1

    def watermark(self, partition: int = 0) -> None:
        self._step("watermark", partition, Block(-1), block_hash="", block_time=0)

    def put(self, value: bytes | None, partition: int = 0) -> Message:
        """Any bytes."""
        log = self.records.setdefault(partition, [])
        log.append(Message(topic=TOPIC, partition=partition, offset=len(log), value=value, headers={}))
        return log[-1]

    def send(self, record: NormalizedBatch) -> Message:
        return self.put(CODEC.encode(to_record(record)), record.partition)

    def _step(self, op: str, partition: int, block: Block, *, step: int = 1, **fields: Any) -> NormalizedBatch:
        head = self.chain[-1] if self.chain else None
        values: dict[str, Any] = {
            "block_number": block.number, "block_hash": block.hash, "block_time": block.time,
            "head_number": head.number if head else -1, "head_hash": head.hash if head else "",
            "head_time": head.time if head else 0, "safe": self.finalized, "finalized": self.finalized,
        } | fields  # fmt: skip
        record = NormalizedBatch(network=NETWORK, op=op, position=self.position, partition=partition, **values)
        self.position += step
        self.send(record)
        return record


class Claims(dict[int, Claim]):
    """Those of one process, by partition."""

    def held(self, _consumer: str) -> list[Claim]:
        return [claim for claim in self.values() if claim.held]


@dataclass
class LedgerHarness:
    """One process: a ledger and its claims."""

    ledger: Ledger
    config: Config
    owner: str
    claims: Claims = field(default_factory=Claims)

    @classmethod
    async def open(
        cls,
        config: Config,
        *,
        owner: str = "one",
        partitions: int = 1,
        claim: bool = True,
        home: str = "",
        **settings: Any,
    ) -> "LedgerHarness":
        """``settings``: batch_events_max, and arguments of the ledger. Each owner has a home of its own."""
        events_max = settings.pop("batch_events_max", config.batch_events_max)
        own = replace(config, batch_events_max=events_max, home=config.home / (home or owner))
        claims = Claims()
        ledger = Ledger(own, claims, CODEC, topic=TOPIC, partitions=partitions, owner=owner, **settings)
        harness = cls(ledger, config, owner, claims)
        if claim:
            for partition in range(partitions):
                await harness.claim(partition)
        return harness

    async def claim(self, partition: int = 0) -> Claim:
        """Take a partition, as an assignment does."""
        conn = await connect_writer(self.config)
        try:
            fresh = await fence.claim(
                conn,
                consumer="ledger",
                topic=TOPIC,
                partition=partition,
                owner=self.owner,
                cluster_id="k",
                topic_id="t",
            )
        finally:
            await conn.close()
        self.claims[partition] = fresh
        return fresh

    def get(self, _topic: str, partition: int) -> Claim | None:
        return self.claims.get(partition)

    def batch(self, log: Log, until: int | None = None) -> Batch:
        """What the log holds for this process beyond its offsets."""
        messages = [m for records in log.records.values() for m in records[:until]]
        return select(messages, self)

    async def read(self, log: Log, until: int | None = None) -> None:
        """Process everything the log holds, in one batch."""
        batch = self.batch(log, until)
        if batch.messages:
            await self.ledger.process(batch)

    async def read_one_by_one(self, log: Log) -> None:
        """A batch a record."""
        for message in self.batch(log).messages:
            await self.ledger.process(Batch(messages=[message], claims=self.claims))

    async def close(self) -> None:
        await self.ledger.stop()


class Heard:
    """In the publisher's place: the heads that the ledger says."""

    def __init__(self) -> None:
        self.heads: list[NetworkHead] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def offer(self, _stretches: Sequence[Stretch], heads: Sequence[NetworkHead]) -> None:
        self.heads += heads


def rows(config: Config, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """What a query answers, on a connection of its own."""
    with psycopg.connect(config.postgres, options="-c timezone=UTC") as conn:
        return conn.execute(query.encode(), values).fetchall()


def say_hashes_repeat(config: Config, repeat: object, network: str = NETWORK) -> None:
    """As `ft migrate` keeps it of a network's configuration."""
    rows(
        config,
        "INSERT INTO ref.networks (network, family, confirmed, finalized, settings) VALUES (%(network)s, 'evm', 'safe',"
        " 'safe', jsonb_build_object('transaction_hashes_repeat', %(repeat)s::jsonb))"
        " ON CONFLICT (network) DO UPDATE SET settings = excluded.settings RETURNING 1",
        {"network": network, "repeat": json.dumps(repeat)},
    )


def owners(config: Config) -> dict[tuple[str, int], tuple[str, int]]:
    """(contract, token) -> (account, quantity) of the visible single holdings."""
    found = rows(config, "SELECT contract, token_id, account, quantity FROM projection.ownership_view")
    return {(row[0], int(row[1])): (row[2], int(row[3])) for row in found}


def balances(config: Config) -> dict[tuple[str, int, str], int]:
    """(contract, token, account) -> quantity of everything visible."""
    found = rows(config, "SELECT contract, token_id, account, quantity FROM projection.ownership_view")
    return {(row[0], int(row[1]), row[2]): int(row[3]) for row in found}


def live_events(config: Config) -> list[tuple[Any, ...]]:
    """Transaction, block, log index, revision of the events in force."""
    return rows(
        config,
        "SELECT tx_hash, block_number, log_index, revision FROM ledger.normalized_events"
        " ORDER BY block_number, log_index, sub_index",
    )


def journal(config: Config, ops: Iterable[str] = ("apply", "revert")) -> list[tuple[Any, ...]]:
    """op, block number, transaction, revision, in the order of seq."""
    return rows(
        config,
        "SELECT op, block_number, tx_hash, revision FROM ledger.events WHERE op = ANY(%(ops)s) ORDER BY partition, seq",
        {"ops": list(ops)},
    )


def tx(name: str) -> str:
    """The hash that :class:`Event` gives a transaction of this name."""
    return "0x" + name.encode().hex().rjust(64, "0")
