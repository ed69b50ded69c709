"""ledger.normalized -> the journal and who owns what, one Postgres transaction a batch.

Guarantee: every slice takes effect exactly once, in the order of its partition. Unit of parallelism: the partition.
A transaction:
1. locks the fence, and reads what the ledger holds of the slices that the batch names
2. posts the steps (``posting``: pure)
3. writes who has each single token, which says what each row led to (``owners``)
4. appends the journal rows by COPY; writes slices, retractions, heads, quarantine and dead letters
5. writes the balances, netted and in key order
6. writes what contradicts (``findings``)
7. moves the fence and commits (``fence.Writer``); then the cache, then the publisher learn of it
What a transaction finds missing (a month of the journal, live events in months without indexes) is made or read
outside of it, and it begins again.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Final, Protocol

import psycopg
import structlog

from ft.agents.ledger import findings, owners
from ft.agents.ledger import reads as ledger_reads
from ft.agents.ledger import writes as ledger_writes
from ft.agents.ledger.bare import Bare
from ft.agents.ledger.cache import Cache
from ft.agents.ledger.chunks import Incoming, cut
from ft.agents.ledger.hashes import ensure_month
from ft.agents.ledger.journal import Stretch, month_of
from ft.agents.ledger.kinds import kinds
from ft.agents.ledger.owners import BareMonths, Disordered, Owned
from ft.agents.ledger.posting import NetworkHead, NetworkKey, PartitionHead, Posting, announce, post
from ft.agents.ledger.singles import Token
from ft.agents.ledger.validated_input import Refused, read
from ft.agents.ownership import Arrival
from ft.config import Config
from ft.errors import DatabaseUnavailable, MalformedRecord
from ft.schemas.codec import Codec
from ft.sql.queries import load
from ft.sql.session import Connection, translated
from ft.stopping import end_task
from ft.streams.kafka.message import Message
from ft.streams.worker.fence import Claim, Move, Superseded, Writer
from ft.streams.worker.hop import Batch, Fail
from ft.streams.worker.tables import Table
from ft.telemetry.metrics import EVENTS_PROCESSED
from ft.telemetry.outage import DATABASE

log = structlog.get_logger(__name__)

FINALITY_INTERVAL_S: Final = 1.0
"""Least time between two heads that one partition and network is said to have."""
TICK_S: Final = 0.25
"""How often the timer looks for heads that were put off."""
_TRIES: Final = 6
"""How often a transaction may find something missing: months, bare months, the order of its tokens."""


class LedgerClaims(Protocol):
    """Which partitions this process may write."""

    def held(self, consumer: str) -> list[Claim]: ...


class Announcing(Protocol):
    """What announces the journal: it runs as long as the ledger, and is told of every stretch that was committed."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def offer(self, stretches: Sequence[Stretch], heads: Sequence[NetworkHead]) -> None: ...


class MissingMonths(Exception):
    """The journal lacks months that the transaction in hand needs; they are made outside of it. ``hashed``: months
    (network, year, month) in which transactions have to be looked for by their hash, and are not yet."""

    def __init__(self, months: set[tuple[int, int]], hashed: set[tuple[str, int, int]]) -> None:
        super().__init__(months, hashed)
        self.months = months
        self.hashed = hashed


class Ledger:
    """The hop. ``process`` and the timer never run at the same time."""

    consumer = "ledger"

    def __init__(
        self,
        config: Config,
        claims: LedgerClaims,
        codec: Codec,
        *,
        topic: str,
        partitions: int,
        owner: str,
        cache: Cache | None = None,
        publisher: Announcing | None = None,
        fail: Fail | None = None,
        busy: set[tuple[str, str]] | None = None,
    ) -> None:
        """``busy``: has consumer and topic among it while something takes long on purpose, for whoever watches."""
        self._config = config
        self._busy: set[tuple[str, str]] = set() if busy is None else busy
        self._claims = claims
        self._codec = codec
        self._topic = topic
        self._partitions = partitions
        self._events_max = config.batch_events_max
        self._cache = cache or Cache(partial(Table, config))
        self._publisher = publisher
        self._fail = fail
        self._writer = Writer(config, owner, application="ft ledger")
        self._bare = Bare(config, owner)
        self._lock = asyncio.Lock()
        self._months: set[tuple[int, int]] = set()
        self._last: dict[NetworkKey, tuple[NetworkHead, float]] = {}
        """The last head that was said of each, and when."""
        self._timer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect, start the timer and the publisher. Raises DatabaseUnavailable."""
        await self._writer.connection()
        self._timer = asyncio.create_task(self._run_timer(), name="ledger finality timer")
        if self._publisher is not None:
            await self._publisher.start()

    async def stop(self) -> None:
        """Stop the timer and the publisher, and close the connection."""
        if self._publisher is not None:
            await self._publisher.stop()
        if self._timer is not None:
            await end_task(self._timer, FINALITY_INTERVAL_S)
            self._timer = None
        async with self._lock:
            await self._writer.close()
            self._cache.close()

    async def process(self, batch: Batch) -> None:
        """Commit the batch, in transactions of at most ``config.batch_events_max`` events."""
        async with self._lock:
            for chunk in cut(map(self._read, batch.messages), self._events_max):
                held = {message.partition: batch.claims[message.partition] for message, _ in chunk}
                await self._commit(_Work(self, chunk, held))

    async def tick(self) -> None:
        """Say the heads that were put off and are due now."""
        async with self._lock:
            claims = {claim.partition: claim for claim in self._claims.held(self.consumer)}
            self._cache.keep(claims)
            if any(not self._cache.holds(claim) for claim in claims.values()):
                await self._commit(_Work(self, [], claims))  # only reads: who stands where
            partition_heads = self._cache.partition_heads(claims).items()
            due = {
                key[0] for key, partition_head in partition_heads if self.is_due(key, partition_head, claims[key[0]])
            }
            if due:
                await self._commit(_Work(self, [], {partition: claims[partition] for partition in due}))

    def is_due(self, key: NetworkKey, partition_head: PartitionHead, claim: Claim) -> bool:
        """Nothing was said under this claim yet; or head or marks moved since, or events were written, and that is
        long enough ago."""
        said, at = self._last.get(key, (None, 0.0))
        if said is None or said.claimed != (claim.epoch, claim.times):
            return partition_head.head.number >= 0 or said is not None
        has_news = partition_head.moved or said.head != partition_head.head
        return has_news and time.monotonic() - at >= FINALITY_INTERVAL_S

    def _read(self, message: Message) -> Incoming:
        try:
            record = self._codec.decode(message.value)
        except MalformedRecord as exc:
            return message, Refused(network="", reason="unreadable", error=str(exc).replace("\0", "")[:500])
        return message, read(record, message.partition)

    async def _commit(self, work: "_Work") -> None:
        try:
            for _ in range(_TRIES):
                try:
                    with self._busy_if(self._writer.takes_longer):
                        await self._writer.commit(work)
                    break
                except MissingMonths as exc:
                    await self._ensure_months(exc.months)
                    await self._ensure_hash_months(exc.hashed)
                except BareMonths as exc:
                    work.bare |= await self._scan_bare(exc.tokens)
                except Disordered:
                    work.walk_all = True
        except BaseException:
            self._cache.forget()  # whatever happened there, the next batch reads it anew
            raise
        posting, owned = work.posting, work.owned
        if posting is None or owned is None:
            self._cache.forget()
            return
        self._learn(posting, owned, work.claims)
        work.tell(posting)
        if self._cache.outdated:
            await self._alone("forget_hash_months")
            self._cache.outdated = False

    def _learn(self, posting: Posting, owned: Owned, claims: Mapping[int, Claim]) -> None:
        self._cache.learn(posting, claims, owned.kinds.met)
        now = time.monotonic()
        self._last.update({(head.partition, head.network): (head, now) for head in posting.heads})
        EVENTS_PROCESSED.labels(agent=self.consumer).inc(sum(map(len, posting.stretches)))
        if self._publisher is not None:
            self._publisher.offer(owned.stretches, posting.heads)

    async def _scan_bare(self, tokens: Sequence[Token]) -> Mapping[Token, Sequence[Arrival]]:
        with self._busy_if(True):
            return await self._bare.scan(tokens)

    @contextmanager
    def _busy_if(self, takes_long: bool) -> Iterator[None]:
        """What takes long on purpose is no standstill."""
        if takes_long:
            self._busy.add((self.consumer, self._topic))
        try:
            yield
        finally:
            self._busy.discard((self.consumer, self._topic))

    async def _ensure_months(self, months: Iterable[tuple[int, int]]) -> None:
        for year, month in sorted(months):
            await self._alone("ensure_month", year=year, month=month)
            self._months.add((year, month))

    async def _alone(self, query: str, **values: int) -> None:
        """One statement in a transaction of its own."""
        conn = await self._writer.connection()
        try:
            await conn.execute(load("ledger")[query], values)
            await conn.commit()
        except psycopg.Error as exc:
            await conn.close()
            raise translated(exc) from exc

    async def _ensure_hash_months(self, months: Iterable[tuple[str, int, int]]) -> None:
        for network, year, month in sorted(months):
            added = await ensure_month(self._config, network, year, month)
            self._cache.hash_months.setdefault(network, set()).update(added, [date(year, month, 1)])

    async def _run_timer(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
            except (DatabaseUnavailable, Superseded) as exc:
                held = [claim.partition for claim in self._claims.held(self.consumer)]
                DATABASE.aside(log)("heads are put off", partitions=held, error=str(exc))
            except Exception as exc:
                if self._fail is None:
                    raise
                await self._fail(exc)
                return


class _Work:
    """The effects of one transaction; runs again, from the beginning, once what it lacks is there."""

    def __init__(self, ledger: Ledger, chunk: Sequence[Incoming], claims: Mapping[int, Claim]) -> None:
        self._ledger = ledger
        self._chunk = chunk
        self.claims = claims
        self.posting: Posting | None = None
        """None until the transaction is whole; stays None where the fence has moved already."""
        self.owned: Owned | None = None
        self.bare: dict[Token, Sequence[Arrival]] = {}
        """Live events in months without indexes, of tokens that were asked for."""
        self.walk_all = False
        """Every token is walked: some come in another order than the chain's."""

    async def __call__(self, conn: Connection) -> Sequence[Move]:
        self.posting = self.owned = None
        moves = self._moves({})
        if not self.claims or not await ledger_reads.claims_fit(conn, self._ledger._topic, self.claims):
            return moves
        cache = self._ledger._cache
        await cache.fill(conn, self.claims)
        steps = [step for _, step in self._chunk]
        known = await ledger_reads.known(
            conn, steps, self.claims, partition_heads=cache.partition_heads(self.claims), live=cache.live(self.claims),
            asked=cache.asked(self.claims, {step.network for step in steps}),
        )  # fmt: skip
        posting = post(steps, known, self._ledger._partitions)
        announce(posting, known, self._due(posting))
        self._check_months(posting.stretches)
        told = await kinds(conn, posting.stretches, cache.kinds(self.claims))
        owned = await owners.hold(conn, posting, kinds=told, bare=self.bare, walk_all=self.walk_all)
        messages = [message for message, _ in self._chunk]
        await ledger_writes.write(conn, posting, owned.stretches, messages, self._ledger._topic)
        await owners.settle(conn, owned)
        await findings.note(conn, posting, owned)
        self.posting, self.owned = posting, owned
        return self._moves(posting.next_seq)

    def tell(self, posting: Posting) -> None:
        """Log what was put aside, once it is in Postgres."""
        for dead in posting.dead:
            message, refused = self._chunk[dead.index][0], dead.refused
            at = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
            log.error("dead letter", network=refused.network, **at, reason=refused.reason, error=refused.error)
        for quarantine in posting.quarantined:
            message, part = self._chunk[quarantine.index][0], quarantine.slice
            at = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
            said = {"contract": part.contract, "reason": part.reason, "error": part.error}
            log.warning("quarantined", network=part.network, block=part.block.number, **at, **said)

    def _moves(self, next_seq: Mapping[int, int]) -> list[Move]:
        ends = {message.partition: message.offset + 1 for message, _ in self._chunk}
        return [
            Move(
                claim=claim,
                next_offset=ends.get(partition, claim.next_offset),
                next_seq=next_seq.get(partition, claim.next_seq),
            )
            for partition, claim in sorted(self.claims.items())
        ]

    def _due(self, posting: Posting) -> list[NetworkKey]:
        partition_heads = {**self._ledger._cache.partition_heads(self.claims), **posting.partition_heads}
        return [
            key
            for key, partition_head in sorted(partition_heads.items())
            if self._ledger.is_due(key, partition_head, self.claims[key[0]])
        ]

    def _check_months(self, stretches: Iterable[Stretch]) -> None:
        """Raises MissingMonths."""
        cache = self._ledger._cache
        named = {(s.network, s.op, *month_of(s.block.time)) for s in stretches if len(s)}
        missing = {(year, month) for *_, year, month in named} - self._ledger._months
        hashed = {
            (network, year, month)
            for network, op, year, month in named
            if op == "apply"
            and cache.repeats(network)
            and date(year, month, 1) not in cache.hash_months.get(network, ())
        }
        if missing or hashed:
            raise MissingMonths(missing, hashed)
