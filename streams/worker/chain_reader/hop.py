"""The hop that reads a raw log for one consumer.

Guarantee: every record that follows from a raw record carries the raw offset as its position, in raw order, with no
gap; repeats are possible, and are dropped by their position. Unit of parallelism: a network.

For a batch of raw records, as soon as there is room before the ledger for the events of one:
1. read them, and the canonical rows that they name
2. take each through the chain's rule, and send what follows: slices, reverts, watermarks; as far as there is room
3. wait until all of it is acknowledged
4. write blocks, coverage, quarantine, dead letters and the head together with the fence, in one transaction
5. keep the chain for the next batch, and have the RocksDB table follow
Between batches a timer tells partitions that got nothing how far the network is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Generic

import structlog

from ft.config import Config
from ft.errors import BrokerError, DatabaseUnavailable
from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock
from ft.sql.session import Connection
from ft.streams.kafka.message import Message
from ft.streams.worker.chain_reader import unit_of_work as store
from ft.streams.worker.chain_reader.canonical import Chain, wanted
from ft.streams.worker.chain_reader.dedup import REFILL_MAX, Dedup
from ft.streams.worker.chain_reader.fold import Fold, Unreadable
from ft.streams.worker.chain_reader.reader import Reading, S
from ft.streams.worker.chain_reader.sender import Sender
from ft.streams.worker.chain_reader.unit_of_work import UnitOfWork
from ft.streams.worker.claims import Claims
from ft.streams.worker.fence import Claim, Move, Writer
from ft.streams.worker.hop import Batch
from ft.streams.worker.room import Room
from ft.streams.worker.timers import ended
from ft.telemetry.metrics import EVENTS_PROCESSED, REORG_DEPTH, REORGS_DETECTED
from ft.telemetry.outage import DATABASE

log = structlog.get_logger(__name__)

WATERMARK_S: Final = 0.5
"""How often partitions that got nothing are told the network's head."""
CHUNK_RECORDS_MAX: Final = 256
CHUNK_BYTES_MAX: Final = 32 * 1024 * 1024
"""One transaction's raw records, at most (one record may exceed it)."""


class ChainReading(Generic[S]):
    """The hop of one consumer and one network."""

    def __init__(
        self,
        config: Config,
        claims: Claims,
        reading: Reading[S],
        codec: Codec,
        make_sender: Callable[[Reading[S]], Sender[S]],
        fail: Callable[[BaseException], Awaitable[None]],
        room: Room | None = None,
    ) -> None:
        """``fail``: told of an error of the timer. ``room``: how much may be sent for now; None: anything."""
        self.consumer = reading.consumer
        self._config = config
        self._reading = reading
        self._claims = claims
        self._codec = codec
        self._make_sender = make_sender
        self._fail = fail
        self._room = room
        self._writer = Writer(config, claims.owner, application=f"ft {reading.consumer} {reading.network}")
        self._sender: Sender[S] | None = None
        self._held: tuple[Claim, Chain] | None = None
        self._dedup: Dedup | None = None
        self._reorg_depth = 0
        self._lock = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the timer; what costs a connection waits for a claim that has something to say."""
        self._timer = asyncio.create_task(self._tell_heads(), name=f"watermarks {self._reading.network}")

    async def process(self, batch: Batch) -> float:
        """Take the records of the network's one partition, a transaction for each chunk, or for what there is room for.
        Where none comes as long as the partition is held, the rest is left: it is read again by whoever holds it next.
        """
        waited_s = 0.0
        for chunk in _chunks(batch.messages):
            claim, rest = batch.claims[chunk[0].partition], chunk
            while rest:
                began = time.monotonic()
                has_room = await self._has_room(claim)
                waited_s += time.monotonic() - began
                if not has_room:
                    return waited_s
                async with self._lock:
                    try:
                        rest = rest[await self._take_chunk(claim, rest) :]
                    except BrokerError:
                        self._sender = None  # a producer that was refused something sends nothing more
                        raise
        return waited_s

    async def _has_room(self, claim: Claim) -> bool:
        """Waits for it; False once the partition is not held any more."""
        return self._room is None or await self._room.opens(lambda: claim.held)

    async def stop(self) -> None:
        """Stop the timer and disconnect."""
        if self._timer is not None:
            await ended(self._timer)
        await self._writer.close()
        self._let_go()

    async def _take_chunk(self, claim: Claim, chunk: Sequence[Message]) -> int:
        """Take its records as far as there is room, one at least; returns how many."""
        known, sender = await self._chain(claim)
        chain = known.copy()
        unit = UnitOfWork(network=self._reading.network, reorg_depth=self._reorg_depth)
        work = Fold(reading=self._reading, chain=chain, unit=unit, sender=sender)
        records = [(message, work.read(message, self._codec)) for message in chunk]  # 1
        await self._load_rows(chain, [record for _, record in records if not isinstance(record, Unreadable)])
        taken = await self._take(work, records)  # 2
        await sender.acknowledged()  # 3
        move = Move(claim=claim, next_offset=chunk[taken - 1].offset + 1, next_seq=claim.next_seq)

        async def write(conn: Connection) -> Sequence[Move]:
            await store.write(conn, self._reading, unit, chain)
            return (move,)

        await self._writer.commit(write)  # 4
        self._reading.kept.committed()
        chain.trim()  # 5
        self._held, self._reorg_depth = (claim, chain), unit.reorg_depth
        if self._dedup is not None:
            self._dedup.take(unit, claim)
        self._report(unit, chain)
        return taken

    async def _take(self, work: Fold[S], records: Sequence[tuple[Message, RawBlock | Unreadable]]) -> int:
        for taken, (message, record) in enumerate(records, start=1):
            events = await work.take(message, record)
            await asyncio.sleep(0)
            if self._room is not None:
                self._room.send(message.offset, events)
                if not self._room.is_open():
                    return taken
        return len(records)

    async def _chain(self, claim: Claim) -> tuple[Chain, Sender[S]]:
        """The chain as the claim's last transaction left it; read from Postgres for a claim that is new here."""
        if self._sender is None:
            self._sender = self._make_sender(self._reading)
        if self._held is None or self._held[0] is not claim or self._held[1].position != claim.next_offset - 1:
            chain = await self._reload(claim)
            self._held = (claim, chain)
            self._reorg_depth = 0
            self._sender.reset()
        return self._held[1], self._sender

    async def _reload(self, claim: Claim) -> Chain:
        self._let_go()
        self._dedup = Dedup(self._config, claim)
        async with self._writer.reading() as conn:
            chain = await store.load_chain(conn, self._reading)
            await self._reading.kept.load(conn, claim.next_offset)
            if not self._dedup.fits:
                self._dedup.refill(await store.newest_rows(conn, self._reading, REFILL_MAX), claim)
        chain.position = claim.next_offset - 1
        if self._room is not None:
            self._room.begin(chain.position)
        return chain

    def _let_go(self) -> None:
        """Another process may want the RocksDB folder."""
        self._held = None
        if self._dedup is not None:
            self._dedup.close()
            self._dedup = None

    async def _load_rows(self, chain: Chain, records: Sequence[RawBlock]) -> None:
        """Put the rows that the records name into the chain, where it does not have them."""
        named = {height for record in records for height in wanted(record)} - chain.rows.keys()
        heights = sorted(height for height in named if 0 <= height < chain.head)  # none is above the head
        reverted = sorted({r.height for r in records if r.op == "revert" and 0 <= r.height <= chain.head})
        known = self._dedup.rows(heights) if self._dedup is not None else []
        missing = sorted(set(heights) - {block.number for block in known})
        if missing or reverted:
            async with self._writer.reading() as conn:
                known += await store.load_rows(conn, self._reading, missing, reverted)
        if known:
            chain.load(known)

    async def _tell_heads(self) -> None:
        """Every half second: watermarks to the partitions that have seen less than what is committed."""
        while True:
            await asyncio.sleep(WATERMARK_S)
            try:
                async with self._lock:
                    claim = self._claims.get(self.consumer, self._reading.raw_topic, 0)
                    if claim is None:
                        self._let_go()
                    elif claim.next_offset > 0:
                        chain, sender = await self._chain(claim)
                        sender.tell(chain.position, chain.marks())
            except DatabaseUnavailable as exc:
                DATABASE.aside(log)("watermarks wait", network=self._reading.network, partition=0, error=str(exc))
            except Exception as exc:  # noqa: BLE001 - a silent timer would look like a network that stands still
                await self._fail(exc)

    def _report(self, unit: UnitOfWork, chain: Chain) -> None:
        EVENTS_PROCESSED.labels(agent=self.consumer).inc(unit.events)
        for depth in unit.reorg_depths if self._reading.counts_reorgs else ():
            REORGS_DETECTED.labels(network=self._reading.network).inc()
            REORG_DEPTH.labels(network=self._reading.network).set(depth)
            at = {"block": chain.head, "partition": 0, "offset": chain.position}
            log.warning("reorg", network=self._reading.network, depth=depth, **at)
        log.debug(
            "chain read",
            consumer=self.consumer,
            network=self._reading.network,
            block=chain.head,
            partition=0,
            offset=chain.position,
            events=unit.events,
        )


def _chunks(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Cut a batch into what one transaction takes."""
    chunk: list[Message] = []
    size = 0
    for message in messages:
        length = len(message.value or b"")
        if chunk and (len(chunk) >= CHUNK_RECORDS_MAX or size + length > CHUNK_BYTES_MAX):
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += length
    if chunk:
        yield chunk
