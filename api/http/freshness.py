"""How far and how surely an answer is known: ``as_of``, finality, and waiting for a block."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from ft.api.http.heads import BlockRow, HeadRow

Finality = Literal["pending", "confirmed", "finalized"]
MIN_BLOCK_PATIENCE_S: Final = 2.0
_POLL_S: Final = 0.05


class AsOf(Struct, frozen=True, kw_only=True):
    """The block that an answer is the state of. Nulls: nothing of that network has been read yet; hash and time alone:
    a reorg is under way, and they are not known for a moment."""

    network: Annotated[str | None, Meta(description="null in an answer about no network at all")]
    block_number: int | None
    block_hash: str | None
    block_time: datetime | None
    finality_status: Finality
    lag_ms: Annotated[int | None, Meta(description="milliseconds between the head's time and the answer")]


def finality(block_number: int | None, head: HeadRow | None) -> Finality:
    """Whether a fact that rests on that block is final for the partition that was read; on none: pending."""
    if head is None or block_number is None or block_number < 0:
        return "pending"
    if block_number <= head.finalized:
        return "finalized"
    return "confirmed" if block_number <= head.safe else "pending"


def as_of(head: HeadRow | None, network: str | None) -> AsOf:
    """The state of ``head``; with none, an answer that knows of no block."""
    if head is None or head.head_number < 0:
        return AsOf(
            network=network, block_number=None, block_hash=None, block_time=None, finality_status="pending", lag_ms=None
        )
    return AsOf(
        network=head.network,
        block_number=head.head_number,
        block_hash=head.head_hash or None,
        block_time=head.head_time,
        finality_status=finality(head.head_number, head),
        lag_ms=_lag_ms(head.head_time),
    )


def as_of_block(head: HeadRow, number: int, block: BlockRow | None) -> AsOf:
    """The state once block ``number`` was applied (-1: none); hash and time are null where it was not read.

    Nor are they told of a block that the chain has there now and the partition has not got to: amid a reorg it stands
    on another one.
    """
    told = block if block is not None and block.position <= head.position else None
    at_head = number == head.head_number
    return AsOf(
        network=head.network,
        block_number=number if number >= 0 else None,
        block_hash=(head.head_hash or None) if at_head else told.hash if told else None,
        block_time=head.head_time if at_head else told.time if told else None,
        finality_status=finality(number, head) if number >= 0 else "pending",
        lag_ms=_lag_ms(head.head_time),
    )


def speaking(heads: Sequence[HeadRow], partitions: int) -> HeadRow | None:
    """Of one network's partitions the one with the lowest position; None while one has read nothing."""
    if len(heads) < partitions:
        return None
    return min(heads, key=lambda head: head.position)


def oldest(heads: Sequence[HeadRow]) -> HeadRow | None:
    """Of several networks the one whose head is oldest."""
    return min(heads, key=lambda head: head.head_time or datetime.min.replace(tzinfo=UTC), default=None)


async def reached(number: int, head: Callable[[], Awaitable[HeadRow | None]]) -> HeadRow | None:
    """Wait up to 2 s for the head to reach block ``number``; returns the last head seen."""
    deadline = time.monotonic() + MIN_BLOCK_PATIENCE_S
    while True:
        seen = await head()
        if (seen is not None and seen.head_number >= number) or time.monotonic() >= deadline:
            return seen
        await asyncio.sleep(_POLL_S)


def _lag_ms(head_time: datetime | None) -> int | None:
    if head_time is None:
        return None
    return max(0, int((datetime.now(UTC) - head_time).total_seconds() * 1000))
