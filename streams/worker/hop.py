"""Records in, exactly once: the loop that every agent runs, and what a hop must offer to be run by it.

The loop takes record batches without acknowledging them, and then:
1. takes them apart, drops records of partitions that this process does not hold, sorts, drops repeats and what is
   already in Postgres;
2. stops the process at a gap: a record that is missing is a loss;
3. hands the batch to the hop, which commits its effects together with the fence (fence.Writer);
4. tries the same batch again after a passing error, drops it when a newer claim of this process took over;
5. acknowledges to Faust, which only reports progress: what counts is in Postgres; what the hop has left over waits for
   what follows it, but no longer than for a second: then the hop is given it alone.
Anything else ends the process with a non-zero code; a supervisor starts it again.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final, Protocol, TypeAlias

import structlog

from ft.errors import FtError, OffsetMismatch
from ft.streams.kafka.message import Message
from ft.streams.worker.fence import Claim, Superseded
from ft.telemetry import tracing
from ft.telemetry.log import of_error
from ft.telemetry.metrics import BUSY_SECONDS

log = structlog.get_logger(__name__)

LEFT_S: Final = 1.0
"""How long records that a hop left over wait for those that follow them."""
RETRY_DELAYS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0, 5.0)
"""Waits between tries of one batch after passing errors; after the last one the process ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records of one topic, ordered by partition and offset, gapless from each claim's ``next_offset`` on."""

    messages: Sequence[Message]
    claims: Mapping[int, Claim]
    """Partition -> its claim, for every partition that occurs in ``messages``."""

    def by_partition(self) -> dict[int, list[Message]]:
        """Partition -> its records, in order."""
        return {key: list(group) for key, group in groupby(self.messages, key=attrgetter("partition"))}


class Hop(Protocol):
    """What an agent runs: from one topic to its effects.

    ``process`` is called for one batch at a time and must commit it, fence included, or raise and leave nothing. It
    may leave over the last records of a partition: they come again with those that follow, or alone after a second,
    when it must take them. It is called again with the same records after an error whose ``retryable`` is true, when
    some of their partitions may have been committed already (those are no longer in the batch).
    """

    consumer: str
    """Name in ``system.partition_owner``: normalize | ledger | project."""

    async def start(self) -> None:
        """Open connections, start timers. Called once, before the first batch."""

    async def process(self, batch: Batch) -> float | None:
        """Commit the effects of every record, then count them in metrics.EVENTS_PROCESSED. Returns for how many seconds
        it waited for others on purpose; None: for none."""

    async def stop(self) -> None:
        """Stop timers, close connections. Nothing that must be durable may wait for this."""


class HeldClaims(Protocol):
    """Which partitions this process may write, by topic and partition."""

    def get(self, topic: str, partition: int) -> Claim | None: ...


Fail: TypeAlias = Callable[[BaseException], Awaitable[None]]
"""Ends the process; in a worker it does not return."""


async def run_hop(
    stream: Any, hop: Hop, claims: HeldClaims, fail: Fail, *, batches_max: int, within_s: float,
    current: Callable[[Any], bool] = lambda _: True,
) -> None:  # fmt: skip
    """Run ``hop`` over a Faust stream of record batches until the stream ends. Takes ``batches_max`` at a time, at
    most, waiting ``within_s`` for more. ``current``: whether a record batch is still of the assignment that it was
    taken under; others are dropped, for they are read again."""
    left: Sequence[Any] = ()
    batches = _Batches(stream.noack_take(batches_max, within=within_s))
    with contextlib.closing(batches):
        while (taken := await batches.next(LEFT_S if left else None)) is not None:
            events, left = [event for event in [*left, *taken] if current(event)], ()
            if not events:
                continue
            try:
                done, left = await handle(events, hop, claims)
            except Exception as exc:  # noqa: BLE001 - whatever it is ends the process
                messages = [message for event in events for message in event.message.messages]
                log.error("hop failed", agent=hop.consumer, **_places(messages), **of_error(exc))
                await fail(exc)
                return
            for event in done:
                await stream.ack(event)


class _Batches:
    """A stream's batches, for which one need not wait for ever."""

    def __init__(self, batches: AsyncIterator[Sequence[Any]]) -> None:
        self._batches = batches
        self._coming: asyncio.Task[Sequence[Any] | None] | None = None

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._coming is not None:
            self._coming.cancel()

    async def next(self, timeout_s: float | None) -> Sequence[Any] | None:
        """The next batch, or an empty one after ``timeout_s`` seconds; None at the stream's end."""
        if timeout_s is None and self._coming is None:
            return await self._next()
        if self._coming is None:
            self._coming = asyncio.create_task(self._next(), name="next batch")
        await asyncio.wait({self._coming}, timeout=timeout_s)
        if not self._coming.done():
            return ()
        coming, self._coming = self._coming, None
        return coming.result()

    async def _next(self) -> Sequence[Any] | None:
        return await anext(self._batches, None)


async def handle(events: Sequence[Any], hop: Hop, claims: HeldClaims) -> tuple[list[Any], list[Any]]:
    """Have the hop process the events, a record batch each.

    Returns those to acknowledge, whose effects are in Postgres, and those of which the hop left something over. What is
    dropped because a newer claim took over, or because the partition is not held, is among neither.
    """
    try:
        await process([message for event in events for message in event.message.messages], hop, claims)
    except Superseded:
        return [event for event in events if _is_done(event, claims)], []
    done = [event for event in events if _is_done(event, claims)]
    held = [event for event in events if claims.get(event.message.topic, event.message.partition) is not None]
    return done, [event for event in held if not _is_done(event, claims)]


async def process(messages: Sequence[Message], hop: Hop, claims: HeldClaims) -> None:
    """Have the hop process what is left to do of the messages, again after a passing error.

    Raises Superseded where they are dropped, OffsetMismatch at a gap, what the hop raises.
    """
    delays = iter(RETRY_DELAYS_S)
    while (batch := select(messages, claims)).messages:
        try:
            began_ns = time.time_ns()
            waited_s = await hop.process(batch)
            _report(hop, batch, began_ns, time.time_ns(), waited_s or 0.0)
            return
        except Superseded as exc:
            log.info("batch dropped", agent=hop.consumer, **_places(batch.messages), reason=str(exc))
            raise
        except FtError as exc:
            delay = next(delays, None) if exc.retryable else None
            if delay is None:
                raise
            log.warning(
                "batch is tried again", agent=hop.consumer, **_places(batch.messages), in_s=delay, error=str(exc)
            )
            await asyncio.sleep(delay)


def _places(messages: Sequence[Any]) -> dict[str, Any]:
    """For a log line: how many records, and the first and the last offset of each partition."""
    offsets: dict[str, list[int]] = {}
    for message in messages:
        offsets.setdefault(f"{message.topic}-{message.partition}", []).append(message.offset)
    return {"records": len(messages), "offsets": {at: [min(found), max(found)] for at, found in offsets.items()}}


def _report(hop: Hop, batch: Batch, began_ns: int, ended_ns: int, waited_s: float) -> None:
    BUSY_SECONDS.labels(hop.consumer).inc(max(0.0, (ended_ns - began_ns) / 1e9 - waited_s))
    parents = (message.headers[tracing.HEADER] for message in batch.messages if tracing.HEADER in message.headers)
    tracing.record(hop.consumer, parents, began_ns, ended_ns, records=len(batch.messages))


def select(messages: Iterable[Message], claims: HeldClaims) -> Batch:
    """The records still to be processed, in order. Raises OffsetMismatch at a gap."""
    by_partition: dict[tuple[str, int], list[Message]] = {}
    for message in messages:
        by_partition.setdefault((message.topic, message.partition), []).append(message)
    kept: list[Message] = []
    held: dict[int, Claim] = {}
    for (topic, partition), found in sorted(by_partition.items(), key=itemgetter(0)):
        claim = claims.get(topic, partition)
        if claim is None:
            continue
        fresh = _gapless(found, claim)
        if fresh:
            held[partition] = claim
            kept += fresh
    return Batch(messages=kept, claims=held)


def _gapless(messages: list[Message], claim: Claim) -> list[Message]:
    """What follows the claim's ``next_offset``, once each. Raises OffsetMismatch."""
    fresh, next_offset = [], claim.next_offset
    for message in sorted(messages, key=attrgetter("offset")):
        if message.offset < next_offset:
            continue
        if message.offset > next_offset:
            raise OffsetMismatch(
                f"{claim.consumer} of {message.topic}-{message.partition}: expected offset {next_offset}, "
                f"got {message.offset}. Records are missing; the process stops rather than skip them."
            )
        fresh.append(message)
        next_offset += 1
    return fresh


def message_of(record: Any) -> Message:
    """The driver's record as ours; a header without a value is left out."""
    headers = {key: value for key, value in record.headers if value is not None}
    return Message(record.topic, record.partition, record.offset, record.value, headers)


def _is_done(event: Any, claims: HeldClaims) -> bool:
    """A record batch's offset is that of its last record."""
    claim = claims.get(event.message.topic, event.message.partition)
    return claim is not None and event.message.offset < claim.next_offset
