"""ledger.finality -> the heads that a subscriber of ownership_changed has where nothing happens.

A head says after which record of ownership_changed it stands. Where the subscriber is just there, it is its own; where
it is behind, the head waits in Postgres until it comes there (``subscriber``); where it is further, what it read since
says more. Who of the two comes later sees what the other one wrote: both lock the partition's heads.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog

from ft.config import Config
from ft.errors import MalformedRecord
from ft.schemas.changes import TEXT_MAX, are_texts
from ft.schemas.codec import Codec
from ft.schemas.events import SCHEMA_VERSION
from ft.schemas.times import TIME_END
from ft.sql.queries import load
from ft.sql.session import Connection
from ft.streams.deployment.generations import ONLY_ONE, Generations
from ft.streams.kafka.message import Message
from ft.streams.worker.fence import Move, Writer
from ft.streams.worker.heads import LEDGER_SAYS, LedgerHead, PartitionHead
from ft.streams.worker.hop import Batch
from ft.telemetry.metrics import EVENTS_PROCESSED

log = structlog.get_logger(__name__)

_BIGINT_MAX: Final = 2**63 - 1


def heads_of(subscriber: str) -> str:
    """The consumer that reads heads for a subscriber; the one of ``project`` is older than the others."""
    return "heads" if subscriber == "project" else f"{subscriber}.heads"


class LedgerHeads:
    """The hop. Guarantee: the newest head of each network counts; a record that cannot be read is dropped, for a newer
    one says more. Parallel by partition, whoever holds the subscriber's one."""

    def __init__(
        self, config: Config, owner: str, codec: Codec, topic: str, generations: Generations = ONLY_ONE,
        subscriber: str = "project",
    ) -> None:  # fmt: skip
        """``topic``: of the events, under which the claims of ``subscriber`` are."""
        self.consumer = heads_of(subscriber)
        self._names = names_of(subscriber)
        self._writer = Writer(config, owner, application=f"ft {self.consumer}")
        self._codec = codec
        self._topic = topic
        self._generations = generations

    async def start(self) -> None:
        """Connect. Raises DatabaseUnavailable."""
        await self._writer.connection()

    async def stop(self) -> None:
        await self._writer.close()

    async def process(self, batch: Batch) -> None:
        """Commit the newest of each network. Raises what Writer.commit raises."""
        ends = {partition: messages[-1].offset + 1 for partition, messages in batch.by_partition().items()}
        newest: dict[tuple[int, str], LedgerHead] = {}
        for message in batch.messages:
            if (found := self._read(message)) is None:
                continue
            key, head = (message.partition, found[0]), found[1]
            if key not in newest or newest[key].seq < head.seq:
                newest[key] = head

        async def work(conn: Connection) -> Sequence[Move]:
            where = {**self._names, "topic": self._topic, "partitions": sorted(ends)}
            async with conn.pipeline():
                await conn.execute(load("subscriber")["lock_heads"], where, prepare=True)
                await self._put(conn, newest)
                await conn.execute(load("subscriber")["take_ledger_heads"], where, prepare=True)
            return [
                Move(claim=batch.claims[p], next_offset=end, next_seq=batch.claims[p].next_seq)
                for p, end in sorted(ends.items())
            ]

        await self._writer.commit(work)
        EVENTS_PROCESSED.labels(agent=self.consumer).inc(len(batch.messages))

    def _read(self, message: Message) -> tuple[str, LedgerHead] | None:
        try:
            record = self._codec.decode(message.value)
        except MalformedRecord as exc:
            _tell(message, str(exc))
            return None
        if self._generations.is_void(record["generation"], message.partition, record["ownership_seq"]):
            return None
        if (error := refusal_of(record)) is not None:
            _tell(message, error)
            return None
        head = PartitionHead(**{name: record[name] for name in LEDGER_SAYS})
        return record["network"], LedgerHead(seq=record["seq"], after=record["ownership_seq"], head=head)

    async def _put(self, conn: Connection, heads: Mapping[tuple[int, str], LedgerHead]) -> None:
        for (partition, network), told in sorted(heads.items()):
            values = {name: getattr(told.head, name) for name in LEDGER_SAYS}
            values |= {"partition": partition, "network": network, "seq": told.seq, "after": told.after}
            await conn.execute(load("subscriber")["put_ledger_head"], self._names | values, prepare=True)


def names_of(subscriber: str) -> dict[str, Any]:
    """The two consumers of a subscriber, as the queries of sql/subscriber.sql name them."""
    return {"consumer": subscriber, "told": heads_of(subscriber)}


def _tell(message: Message, error: str) -> None:
    at = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    log.error("a head is dropped", **at, error=error)


def refusal_of(record: Mapping[str, Any]) -> str | None:
    """Why a record cannot be taken, or None."""
    if record["schema_version"] != SCHEMA_VERSION:
        return f"expected schema_version {SCHEMA_VERSION}, got {record['schema_version']}"
    if not record["network"] or not are_texts((record["network"], record["head_hash"])):
        return f"expected a network and texts of at most {TEXT_MAX} characters"
    if any(not -1 <= record[name] < _BIGINT_MAX for name in _NUMBERS):
        return f"expected numbers of at least -1, got {[record[name] for name in _NUMBERS]}"
    if not 0 <= record["head_time"] < TIME_END:
        return f"head_time: expected a time before 2100, in unix seconds, got {record['head_time']}"
    return None


_NUMBERS: Final = ("seq", "head_number", "safe", "finalized", "position", "ownership_seq")


class Before(NamedTuple):
    """A partition's heads, by network, before a transaction moves them."""

    heads: dict[str, PartitionHead]
    said: dict[str, LedgerHead]
    """The newest that the ledger has said."""


async def locked(conn: Connection, subscriber: str, partitions: Collection[int]) -> dict[int, Before]:
    """The partitions' heads; nobody else moves them until the transaction ends."""
    sql, where = load("subscriber"), names_of(subscriber) | {"partitions": sorted(partitions)}
    found = {partition: Before({}, {}) for partition in partitions}
    async with conn.pipeline():
        await conn.execute(sql["lock_heads"], where, prepare=True)
        rows = await (await conn.execute(sql["heads"], where, prepare=True)).fetchall()
    for consumer, partition, network, seq, after, open_block, *values in rows:
        head = PartitionHead(open_block=open_block, **dict(zip(LEDGER_SAYS, values, strict=True)))
        if consumer == subscriber:
            found[partition].heads[network] = head
        else:
            found[partition].said[network] = LedgerHead(seq=seq, after=after, head=head)
    return found
