"""The journal -> ledger.ownership_changed, ledger.finality, ledger.reorg_detected, catalog.asset_created.

Guarantee: every row of the journal is announced at least once, in order, partition p on partition p of each topic;
a repeat has the seq it had. Unit of parallelism: the ledger's partition, under the ledger's claim.
A round:
1. takes what follows each partition's cursor, from memory if the ledger committed it just now, else from the journal
2. sends its records in order, and waits until all are acknowledged
3. sends the heads at which the ledger stood between these rows, or behind them, and waits again. They are in memory
   alone; after a start the ledger says them anew
4. moves the cursors, under the epoch of the claims
A broker that is away is waited for. A record refused five times stops its partition until `ft dlq replay`.
While a bulk backfill is open nothing is announced (``hold_back``).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Protocol

import psycopg
import structlog

from ft.agents.columns import columns as arrays
from ft.agents.ledger.journal import Led, Stretch, last_announced
from ft.agents.ledger.posting import NetworkHead
from ft.agents.ledger.reads import columns_of
from ft.agents.ledger.unsettled import Marks
from ft.agents.ledger.validated_input import Block, Columns
from ft.agents.publish.announcements import TOPICS, Announcement, Announcer, Cursor, Topic
from ft.agents.publish.heads import Heads
from ft.agents.publish.publish_buffer import PublishBuffer
from ft.agents.publish.publish_pause import PublishPause
from ft.config import Config
from ft.errors import BrokerError, DatabaseUnavailable
from ft.schemas.codec import Codec
from ft.sql.queries import load
from ft.sql.session import Connection, connect_writer
from ft.stopping import end_task
from ft.streams.kafka.outbox import Outbox
from ft.streams.kafka.producer import Headers
from ft.streams.kafka.topics import Topics
from ft.streams.worker.fence import Claim
from ft.streams.worker.hop import Fail
from ft.telemetry.metrics import BUSY_SECONDS, EVENTS_PROCESSED, OUTBOX_UNPUBLISHED
from ft.telemetry.outage import DATABASE
from ft.telemetry.tracing import HEADER, traceparent

log = structlog.get_logger(__name__)

ROWS_MAX: Final = 4_000
"""Journal rows of one partition that a round takes."""
POLL_S: Final = 0.5
"""How long a round waits for a commit before it asks the journal."""
TRIES: Final = 5
"""How often a refused record is sent before its partition is blocked."""
_RETRY_S: Final = 1.0
_NAMES: Final = ("partition", "epoch", "seq_before", "seq", "ownership_seq", "finality_seq", "reorg_seq", "created_seq")


class LedgerClaims(Protocol):
    """Which partitions of the ledger this process holds."""

    def held(self, consumer: str) -> list[Claim]: ...


@dataclass(slots=True)
class _Place:
    """Where a partition's announcing stands under one claim."""

    claim: Claim
    epoch: int
    cursor: Cursor
    blocked: bool
    passed: dict[NetworkHead, int] = field(default_factory=dict)
    """Heads at whose place this round has come by -> seq of the last record of ownership_changed before it."""


class Publisher:
    """Runs beside the ledger, in the same process, for the partitions that it holds."""

    def __init__(
        self, config: Config, claims: LedgerClaims, codecs: Mapping[Topic, Codec], *, topic: str,
        generation: int = 0, fail: Fail | None = None,
    ) -> None:  # fmt: skip
        """``topic``: the normalized topic, under which the ledger's claims are. ``generation``: of the records."""
        topics = Topics(config.topic_prefix)
        self._config = config
        self._claims = claims
        self._topic = topic
        self._names: dict[Topic, str] = {name: getattr(topics, name) for name in TOPICS}
        self._announcer = Announcer(codecs, generation)
        self._fail = fail
        self._buffer = PublishBuffer()
        self._heads = Heads()
        self._pause = PublishPause()
        self._places: dict[int, _Place] = {}
        self._outbox: Outbox | None = None
        self._conn: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    def offer(self, stretches: Sequence[Stretch], heads: Sequence[NetworkHead] = ()) -> None:
        """The ledger has committed these rows, which need not be read back, and stands at these heads."""
        self._heads.offer(heads)
        self._buffer.offer(stretches)

    async def start(self) -> None:
        """Start announcing in the background."""
        self._task = asyncio.create_task(self._run(), name="publisher")

    async def stop(self) -> None:
        """Stop; what was sent and not noted is sent again by the next holder."""
        if self._task is not None:
            await end_task(self._task, POLL_S)
            self._task = None
        await self._let_go()

    async def round(self) -> int:
        """Announce what follows each cursor; returns the number of journal rows."""
        began = time.perf_counter()
        if await self._pause.lasts(self._connection):
            self._buffer.keep(())  # the journal has it all
            return 0
        places = await self._held()
        before = {place.claim.partition: replace(place.cursor) for place in places}
        try:
            for place in places:
                self._send_rows(place, *await self._taken(place))
                await asyncio.sleep(0)
            await self._flush()
            if sum(self._send_heads(place) for place in places):
                await self._flush()
        except BrokerError as exc:
            log.warning("a record was refused; what was not acknowledged is sent one by one", error=str(exc))
            self._drop_outbox()
            for place in places:
                place.cursor = before[place.claim.partition]
                place.passed.clear()
            return sum([await self._one_by_one(place) for place in places])
        await self._move(places, before)
        for place in places:
            self._heads.sent(list(place.passed))
            place.passed.clear()
        announced = sum(place.cursor.seq - before[place.claim.partition].seq for place in places)
        EVENTS_PROCESSED.labels(agent="publisher").inc(announced)
        BUSY_SECONDS.labels(agent="publisher").inc(time.perf_counter() - began)
        return announced

    async def _run(self) -> None:
        while True:
            try:
                if not await self.round():
                    await self._buffer.wait(POLL_S)
            except (psycopg.Error, DatabaseUnavailable) as exc:
                DATABASE.aside(log)("announcing waits for Postgres", error=str(exc))
                await self._let_go()
                await asyncio.sleep(_RETRY_S)
            except Exception as exc:
                if self._fail is None:
                    raise
                await self._fail(exc)
                return

    async def _held(self) -> list[_Place]:
        """The partitions to announce now: held, and not blocked. Cursors are read once a claim."""
        claims = {claim.partition: claim for claim in self._claims.held("ledger")}
        self._buffer.keep(claims)
        self._heads.keep(claims)
        self._places = {
            partition: place
            for partition, place in self._places.items()
            if partition in claims and not place.blocked and place.epoch == claims[partition].epoch
        }
        missing = sorted(set(claims) - set(self._places))
        if missing:
            conn = await self._connection()
            await conn.execute(load("publish")["add_cursors"], {"partitions": missing})
            rows = await (await conn.execute(load("publish")["cursors"], {"partitions": missing})).fetchall()
            await conn.commit()
            for partition, seq, changed, finality, reorg, created, blocked in rows:
                cursor = Cursor(
                    seq=seq, ownership_changed=changed, finality=finality, reorg_detected=reorg, asset_created=created
                )
                claim = claims[partition]
                self._places[partition] = _Place(claim, claim.epoch, cursor, blocked is not None)
        for place in self._places.values():
            unpublished = max(place.claim.next_seq - 1 - place.cursor.seq, 0)
            OUTBOX_UNPUBLISHED.labels(partition=place.claim.partition).set(unpublished)
        return [place for place in self._places.values() if not place.blocked and self._behind(place)]

    def _behind(self, place: _Place) -> bool:
        claim, seq = place.claim, place.cursor.seq
        self._heads.forget_before(claim.partition, seq)
        return claim.next_seq - 1 > seq or bool(self._heads.standing_at(claim, seq))

    async def _taken(self, place: _Place) -> tuple[list[Stretch], dict[str, Marks]]:
        """What follows the cursor, and the networks' marks: read after it, so that what was final when the ledger wrote
        it is announced as final."""
        rows = await self._next(place)
        return rows, await self._marks(place.claim.partition) if rows else {}

    async def _marks(self, partition: int) -> dict[str, Marks]:
        rows = await self._asked("marks", {"partition": partition})
        return {network: Marks(safe, finalized) for network, safe, finalized in rows}

    async def _next(self, place: _Place, rows_max: int = ROWS_MAX) -> list[Stretch]:
        partition, after = place.claim.partition, place.cursor.seq
        if place.claim.next_seq - 1 <= after:
            return []
        found, before = self._buffer.take(partition, after, rows_max)
        if found:
            return found
        before = min(before, place.claim.next_seq)  # the ledger has yet to say which heads stand beyond
        # One row more: it says whether the last one ends its block.
        values = {"partition": partition, "after": after, "before": before, "rows_max": rows_max + 1}
        return stretches_of(partition, await self._asked("journal_rows", values), rows_max)

    def _send_rows(self, place: _Place, rows: Sequence[Stretch], marks: Mapping[str, Marks]) -> None:
        self._pass_heads(place)
        for stretch in rows:
            headers = _headers(stretch)
            for announcement in self._announced(place, stretch, marks):
                self._send(place, announcement, headers)
            self._pass_heads(place)

    def _pass_heads(self, place: _Place) -> None:
        for head in self._heads.standing_at(place.claim, place.cursor.seq):
            place.passed.setdefault(head, place.cursor.ownership_changed)

    def _send_heads(self, place: _Place) -> int:
        for head, ownership_seq in place.passed.items():
            self._send(place, self._head(place, head, ownership_seq), None)
        return len(place.passed)

    async def _flush(self) -> None:
        if self._outbox is not None:
            await self._outbox.flush()

    def _head(self, place: _Place, head: NetworkHead, ownership_seq: int) -> Announcement:
        seq = self._heads.numbered(head, place.epoch, place.cursor.finality)
        return self._announcer.head(head, ownership_seq, seq, place.cursor)

    def _announced(self, place: _Place, stretch: Stretch, marks: Mapping[str, Marks]) -> Any:
        return self._announcer.announce(stretch, place.cursor, marks.get(stretch.network, Marks()))

    def _send(self, place: _Place, announcement: Announcement, headers: Headers | None) -> None:
        if self._outbox is None:
            self._outbox = Outbox(self._config)
        self._outbox.send(self._names[announcement.topic], place.claim.partition, announcement.value, headers)

    async def _move(self, places: Sequence[_Place], before: Mapping[int, Cursor]) -> None:
        moved = [place for place in places if place.cursor != before[place.claim.partition]]
        if not moved:
            return
        rows = []
        for place in moved:
            c = place.cursor
            where = (place.claim.partition, place.epoch, before[place.claim.partition].seq)
            rows.append((*where, c.seq, c.ownership_changed, c.finality, c.reorg_detected, c.asset_created))
        done = await self._asked("move_cursors", {**arrays(_NAMES, rows), "topic": self._topic})
        for lost in {place.claim.partition for place in moved} - {row[0] for row in done}:
            log.info("another process announces the partition now", partition=lost)
            self._places.pop(lost, None)

    async def _asked(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """A statement's rows: a transaction of its own, and one way to Postgres and back."""
        conn = await self._connection()
        async with conn.pipeline():
            cursor = await conn.execute(load("publish")[query], values, prepare=True)
            await conn.commit()
            return await cursor.fetchall()

    async def _one_by_one(self, place: _Place) -> int:
        """Announce the rows of one round singly, so that the one which is refused is known."""
        start, (rows, marks) = place.cursor.seq, await self._taken(place)
        await self._insist_on_heads(place)
        for stretch in rows:
            headers = _headers(stretch)
            for seq in range(max(stretch.seq_from, place.cursor.seq + 1), stretch.seq_to + 1):
                before = replace(place.cursor)
                for announcement in self._announced(place, row_of(stretch, seq), marks):
                    error = await self._insist(place, announcement, headers)
                    if error is not None:
                        place.cursor = before
                        await self._block(place, stretch.network, announcement, error)
                        return seq - 1 - start
                await self._move([place], {place.claim.partition: before})
                await self._insist_on_heads(place)
        return place.cursor.seq - start

    async def _insist_on_heads(self, place: _Place) -> None:
        """Announce singly the heads that stand at the cursor. After one that is refused they wait, and rows go on."""
        for head in self._heads.standing_at(place.claim, place.cursor.seq):
            before = replace(place.cursor)
            error = await self._insist(place, self._head(place, head, before.ownership_changed), None)
            if error is not None:
                place.cursor = before
                self._heads.refused(head)
                log.error("a head is not announced", partition=head.partition, network=head.network, error=error)
                return
            await self._move([place], {place.claim.partition: before})
            self._heads.sent([head])

    async def _insist(self, place: _Place, announcement: Announcement, headers: Headers | None) -> str | None:
        """Send one record until it is acknowledged, five times at most; returns why it is refused."""
        error = ""
        for _ in range(TRIES):
            try:
                self._send(place, announcement, headers)
                assert self._outbox is not None
                await self._outbox.flush()
                return None
            except BrokerError as exc:
                error = str(exc)
                self._drop_outbox()
        return error

    async def _block(self, place: _Place, network: str, refused: Announcement, error: str) -> None:
        partition, topic = place.claim.partition, self._names[refused.topic]
        log.error("announcing is blocked", partition=partition, topic=topic, seq=refused.seq, error=error)
        conn = await self._connection()
        await conn.execute(load("publish")["put_dead"], {
            "topic": topic, "partition": partition, "seq": refused.seq, "network": network, "error": error[:500],
            "payload": refused.value,
        })  # fmt: skip
        await conn.execute(load("publish")["block_cursor"], {
            "reason": f"{topic}: {error}"[:500], "partition": partition, "epoch": place.epoch, "topic": self._topic,
        })  # fmt: skip
        await conn.commit()
        place.blocked = True

    async def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = await connect_writer(self._config, application="ft publisher")
        return self._conn

    def _drop_outbox(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    async def _let_go(self) -> None:
        """Close everything; the next round reads the cursors again."""
        self._drop_outbox()
        self._places.clear()
        if self._conn is not None:
            await self._conn.close()
            self._conn = None


def stretches_of(partition: int, rows: Sequence[tuple[Any, ...]], rows_max: int = ROWS_MAX) -> list[Stretch]:
    """Rows of the query ``journal_rows`` as the stretches that they were written as, or pieces of them.

    ``rows_max``: so many of the rows are taken; one more is there to be compared with.
    """
    found: list[Stretch] = []
    behind, before = _stretch_key(rows[rows_max]) if len(rows) > rows_max else None, None
    for (key, _), group in groupby(enumerate(rows[:rows_max]), key=_run_key):
        piece = [row for _, row in group]
        network, number, block_hash, block_time, op, is_control = key
        if key == before and not is_control:
            found[-1] = replace(found[-1], ends=False)
        before = key
        block = Block(number, block_hash, block_time)
        if is_control:
            found += [
                Stretch(partition=partition, seq_from=row[0], network=network, block=block, op=op, control=row[6])
                for row in piece
            ]
            continue
        found.append(
            Stretch(
                partition=partition,
                seq_from=piece[0][0],
                network=network,
                block=block,
                op=op,
                columns=columns_of(list(zip(*[row[8:22] for row in piece], strict=True))),
                revision=[row[7] for row in piece],
                led=_led_of(piece),
            )
        )
    if found and behind == before:
        found[-1] = replace(found[-1], ends=False)
    return found


def _led_of(rows: Sequence[tuple[Any, ...]]) -> dict[int, Led]:
    """What the rows led to, where they do not say so."""
    return {
        at: Led(holder=row[22], holder_before=row[23], holder_block=row[24], holder_time=row[25], block_end=row[26])
        for at, row in enumerate(rows)
        if row[22:27].count(None) < 5
    }


def row_of(stretch: Stretch, seq: int) -> Stretch:
    """One row of a stretch as a stretch."""
    if stretch.control is not None:
        return stretch
    at = seq - stretch.seq_from
    columns = Columns(**{name: getattr(stretch.columns, name)[at : at + 1] for name in Columns.__slots__})
    return replace(
        stretch,
        seq_from=seq,
        columns=columns,
        revision=stretch.revision[at : at + 1],
        led={0: stretch.led[at]} if at in stretch.led else {},
        ends=stretch.ends and at == last_announced(stretch),
    )


def _stretch_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Network, block number, hash and time, op; whether it is a control row."""
    return (*row[1:6], row[6] is not None)


def _run_key(placed: tuple[int, tuple[Any, ...]]) -> tuple[tuple[Any, ...], int]:
    """A stretch ends where its key does, and where the journal has forgotten a row in between."""
    place, row = placed
    return _stretch_key(row), row[0] - place


def _headers(stretch: Stretch) -> Headers | None:
    trace = traceparent(stretch.block.hash)
    return None if trace is None else [(HEADER, trace)]
