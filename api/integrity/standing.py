"""Pure: whose state the parts of an answer are: the ledger's, or `project`'s, which follows it."""

from typing import Final

from ft.api.http.heads import HeadRow
from ft.api.integrity.rows import StandingRow

_UNKNOWN: Final = -1


def head_of(row: StandingRow) -> HeadRow | None:
    """The ledger's head that came with a row; None if its partition has not read the network."""
    if row.position is None or row.partition is None or row.head_number is None:
        return None
    return HeadRow(
        network=row.network,
        partition=row.partition,
        position=row.position,
        head_number=row.head_number,
        head_hash=row.head_hash or "",
        head_time=row.head_time,
        safe=_UNKNOWN if row.safe is None else row.safe,
        finalized=_UNKNOWN if row.finalized is None else row.finalized,
    )


def counted_head(row: StandingRow) -> HeadRow | None:
    """The head of what `project` counted, without a position of its own; None if it has none there."""
    if row.partition is None or row.counted_number is None:
        return None
    return HeadRow(
        network=row.network,
        partition=row.partition,
        position=_UNKNOWN,
        head_number=row.counted_number,
        head_hash=row.counted_hash or "",
        head_time=row.counted_time,
        safe=_UNKNOWN if row.counted_safe is None else row.counted_safe,
        finalized=_UNKNOWN if row.counted_finalized is None else row.counted_finalized,
    )


def is_level(row: StandingRow) -> bool:
    """Whether `project` has reached the block that the ledger is at, the whole of it, and all below it."""
    at = (row.counted_number, row.counted_hash) == (row.head_number, row.head_hash)
    return at and row.open_block is None and not row.uncounted


def is_amid_block(row: StandingRow, last_block: int | None) -> bool:
    """Whether counters may be those of no block: a part is missing below it, or they hold a part of the next one. Those
    that saw no event as high are still of the block before."""
    if row.uncounted:
        return True
    return row.open_block is not None and last_block is not None and last_block >= row.open_block
