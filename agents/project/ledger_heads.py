"""ledger.finality -> the heads that the projections have where nothing happens.

A head says after which record of ownership_changed it stands. Where the projections are just there, it is theirs;
where they are behind, it waits in Postgres until they come there (``hop``); where they are further, what they read
since says more. Who of the two comes later sees what the other one wrote: both lock the partition's heads.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from ft.agents.project.heads import LEDGER_SAYS, LedgerHead, PartitionHead
from ft.agents.project.said import TEXT_MAX, TIME_END, are_texts
from ft.config import Config
from ft.errors import MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import SCHEMA_VERSION
from ft.sql.queries import load
from ft.streams.checkpoint import Connection, Move, Writer
from ft.streams.generations import ONLY_ONE, Generations
from ft.streams.hop import Batch, Message
from ft.streams.metrics import EVENTS_PROCESSED

log = structlog.get_logger(__name__)

CONSUMER: Final = "heads"
_BIGINT_MAX: Final = 2**63 - 1


class LedgerHeads:
    """The hop. Guarantee: the newest head of each network counts; a record that cannot be read is dropped, for a newer
    one says more. Parallel by partition, whoever holds the projections' one."""

    consumer = CONSUMER

    def __init__(
        self, config: Config, owner: str, codec: Codec, topic: str, generations: Generations = ONLY_ONE
    ) -> None:
        """``topic``: of the events, under which project's claims are."""
        self._writer = Writer(config, owner, application="ft heads")
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
            await lock(conn, ends)
            await _put(conn, newest)
            await conn.execute(
                load("project")["take_ledger_heads"], {"topic": self._topic, "partitions": sorted(ends)}, prepare=True
            )
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


async def lock(conn: Connection, partitions: Mapping[int, Any]) -> None:
    """Nobody else moves these partitions' heads until the transaction ends."""
    await conn.execute(load("project")["lock_heads"], {"partitions": sorted(partitions)}, prepare=True)


async def waiting(conn: Connection, partitions: Mapping[int, Any]) -> dict[int, dict[str, LedgerHead]]:
    """The newest heads that the ledger has said, by partition and network."""
    rows = await conn.execute(load("project")["ledger_heads"], {"partitions": sorted(partitions)}, prepare=True)
    found: dict[int, dict[str, LedgerHead]] = {partition: {} for partition in partitions}
    for partition, network, seq, after, *values in await rows.fetchall():
        head = PartitionHead(**dict(zip(LEDGER_SAYS, values, strict=True)))
        found[partition][network] = LedgerHead(seq=seq, after=after, head=head)
    return found


async def _put(conn: Connection, heads: Mapping[tuple[int, str], LedgerHead]) -> None:
    async with conn.pipeline():
        for (partition, network), told in sorted(heads.items()):
            values = {name: getattr(told.head, name) for name in LEDGER_SAYS}
            await conn.execute(
                load("project")["put_ledger_head"],
                {"partition": partition, "network": network, "seq": told.seq, "after": told.after, **values},
            )
