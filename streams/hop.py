"""Records in, exactly once: the loop that every agent runs, and what a hop must offer to be run by it.

The loop takes a batch without acknowledging it, and then:
1. drops records of partitions that this process does not hold, sorts, drops repeats and what is already in Postgres;
2. stops the process at a gap: a record that is missing is a loss;
3. hands the batch to the hop, which commits its effects together with the fence (checkpoint.Writer);
4. tries the same batch again after a passing error, drops it when a newer claim of this process took over;
5. acknowledges to Faust, which only reports progress: what counts is in Postgres.
Anything else ends the process with a non-zero code; a supervisor starts it again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, Protocol, TypeAlias

import structlog

from ft.errors import FtError, OffsetMismatch
from ft.streams import tracing
from ft.streams.checkpoint import Claim, Superseded
from ft.streams.metrics import BUSY_SECONDS

log = structlog.get_logger(__name__)

RETRY_DELAYS_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0, 5.0)
"""Waits between tries of one batch after passing errors; after the last one the process ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One record as Kafka has it. ``value`` is framed Avro, or None for a record without one."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Mapping[str, bytes]


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

    ``process`` is called for one batch at a time and must commit all of it, fence included, or raise and leave
    nothing: it is called again with the same records after an error whose ``retryable`` is true, when some of their
    partitions may have been committed already (those are no longer in the batch).
    """

    consumer: str
    """Name in ``system.partition_owner``: normalize | ledger | project."""

    async def start(self) -> None:
        """Open connections, start timers. Called once, before the first batch."""

    async def process(self, batch: Batch) -> None:
        """Commit the effects of every record, then count them in metrics.EVENTS_PROCESSED."""

    async def stop(self) -> None:
        """Stop timers, close connections. Nothing that must be durable may wait for this."""


class HeldClaims(Protocol):
    """Which partitions this process may write, by topic and partition."""

    def get(self, topic: str, partition: int) -> Claim | None: ...


Fail: TypeAlias = Callable[[BaseException], Awaitable[None]]
"""Ends the process; in a worker it does not return."""


async def run_hop(stream: Any, hop: Hop, claims: HeldClaims, fail: Fail, *, max_records: int, within_s: float) -> None:
    """Run ``hop`` over a Faust stream of raw values until the stream ends. Takes ``max_records`` at a time, at most,
    waiting ``within_s`` for more."""
    async for events in _batches(stream, max_records, within_s):
        try:
            done = await handle(events, hop, claims)
        except Exception as exc:
            log.error("hop failed", agent=hop.consumer, error=repr(exc), exc_info=exc)
            await fail(exc)
            return
        for event in done:
            await stream.ack(event)


def _batches(stream: Any, max_records: int, within_s: float) -> AsyncIterator[Sequence[Any]]:
    batches: AsyncIterator[Sequence[Any]] = stream.noack_take(max_records, within=within_s)
    return batches


async def handle(events: Sequence[Any], hop: Hop, claims: HeldClaims) -> list[Any]:
    """Have the hop process the events; returns those to acknowledge: all whose effects are in Postgres."""
    delays = iter(RETRY_DELAYS_S)
    while True:
        batch = select([_message(event) for event in events], claims)
        try:
            if batch.messages:
                began_ns = time.time_ns()
                await hop.process(batch)
                _report(hop, batch, began_ns, time.time_ns())
            break
        except Superseded as exc:
            log.info("batch dropped", agent=hop.consumer, records=len(batch.messages), reason=str(exc))
            break
        except FtError as exc:
            delay = next(delays, None) if exc.retryable else None
            if delay is None:
                raise
            log.warning("batch is tried again", agent=hop.consumer, in_s=delay, error=str(exc))
            await asyncio.sleep(delay)
    return [event for event in events if _is_done(event, claims)]


def _report(hop: Hop, batch: Batch, began_ns: int, ended_ns: int) -> None:
    BUSY_SECONDS.labels(hop.consumer).inc((ended_ns - began_ns) / 1e9)
    parents = (message.headers[tracing.HEADER] for message in batch.messages if tracing.HEADER in message.headers)
    tracing.record(hop.consumer, parents, began_ns, ended_ns, records=len(batch.messages))


def select(messages: Sequence[Message], claims: HeldClaims) -> Batch:
    """The records still to be processed, in order. Raises OffsetMismatch at a gap."""
    kept: list[Message] = []
    held: dict[int, Claim] = {}
    expected: dict[int, int] = {}
    for message in sorted(messages, key=lambda m: (m.topic, m.partition, m.offset)):
        claim = claims.get(message.topic, message.partition)
        if claim is None:
            continue
        next_offset = expected.get(message.partition, claim.next_offset)
        if message.offset < next_offset:
            continue
        if message.offset > next_offset:
            raise OffsetMismatch(
                f"{claim.consumer} of {message.topic}-{message.partition}: expected offset {next_offset}, "
                f"got {message.offset}. Records are missing; the process stops rather than skip them."
            )
        held[message.partition] = claim
        expected[message.partition] = message.offset + 1
        kept.append(message)
    return Batch(messages=kept, claims=held)


def _message(event: Any) -> Message:
    message = event.message
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Message(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        value=message.value,
        headers={key: bytes(value) for key, value in pairs if value is not None},
    )


def _is_done(event: Any, claims: HeldClaims) -> bool:
    claim = claims.get(event.message.topic, event.message.partition)
    return claim is not None and event.message.offset < claim.next_offset
