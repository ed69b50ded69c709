"""Source, pure: which blocks of the tail no longer stand, and whether a block fits on it. No clock, no node, no Kafka.

The tail is what this source appended above finality, one row a height, over the highest block it declared final.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ft.errors import FtError


class FinalityContradicted(FtError):
    """The node denies a block that is final: nothing is written, and the operator decides."""

    def __init__(self, message: str, height: int = -1) -> None:
        """``height``: of the block."""
        super().__init__(message)
        self.height = height


class Fit(Enum):
    """What a block is to the tail."""

    LINKED = "its parent is the row below"
    STARTS_RANGE = "nothing below was read"
    REPEATED = "it is there already"
    FORKED = "a row at its height, its parent's or its child's says otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A block of the tail."""

    height: int
    hash: str
    parent: str
    offset: int | None = None
    """Raw offset of its append; None until that is acknowledged and believed."""
    final: bool = False
    proof: str = ""
    """How it was proven; empty where an older version wrote the row."""
    reasons: tuple[str, ...] = ()
    content: str = ""
    """What it says, whatever proves it; see ``Block.content``."""
    logs: int = -1
    """How many logs it was appended with; -1: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What makes the log agree with the node."""

    reverts: tuple[Row, ...] = ()
    """Newest first."""
    appends: tuple[int, ...] = ()
    """Heights, ascending, after the reverts."""


def unfinal(rows: Sequence[Row]) -> list[Row]:
    """The rows that may still be reverted, ascending: above the highest final one."""
    base = max((row.height for row in rows if row.final), default=-1)
    return sorted((row for row in rows if row.height > base), key=lambda row: row.height)


def anchor(rows: Sequence[Row]) -> Row | None:
    """The highest final row."""
    return max((row for row in rows if row.final), key=lambda row: row.height, default=None)


def reconcile(network: str, rows: Sequence[Row], node: Mapping[int, str | None]) -> Plan:
    """Compare the tail with the node's hashes at its heights.

    1. a final row that the node denies: raises FinalityContradicted
    2. from the lowest row that the node denies upwards: reverted, newest first, and appended as the node has them
    3. from the lowest row that is not in the log upwards: appended again; readers ignore what was there
    4. a row of which the node knows nothing (its head is lower) stands, if it is in the log; else as in 2
    """
    standing = anchor(rows)
    if standing is not None:
        check_final(network, {standing.height: standing.hash}, node)
    open_rows = unfinal(rows)
    denied = [row.height for row in open_rows if _denied(row, node.get(row.height))]
    absent = [row.height for row in open_rows if row.offset is None]
    lowest = min(denied, default=None)
    reverts = () if lowest is None else tuple(row for row in reversed(open_rows) if row.height >= lowest)
    again = min([*denied, *absent], default=None)
    appends = () if again is None else tuple(row.height for row in open_rows if row.height >= again)
    return Plan(reverts=reverts, appends=appends)


def _denied(row: Row, says: str | None) -> bool:
    return row.offset is None if says is None else says != row.hash


def check_final(network: str, final: Mapping[int, str], node: Mapping[int, str | None]) -> None:
    """Raises FinalityContradicted for a final block that the node has another hash for."""
    for height, block_hash in final.items():
        got = node.get(height)
        if got not in (None, block_hash):
            raise FinalityContradicted(
                f"{network}: block {height} is final as {block_hash}, the node now says {got}: a reorg deeper than "
                "finality. Nothing was written. If the node is wrong, give another --rpc.",
                height,
            )


def fit(rows: Mapping[int, Row], height: int, block_hash: str, parent: str) -> Fit:
    """Where a block stands to the tail's rows by height."""
    same, below, above = rows.get(height), rows.get(height - 1), rows.get(height + 1)
    if same is not None:
        return Fit.REPEATED if same.hash == block_hash else Fit.FORKED
    if above is not None and above.parent != block_hash:
        return Fit.FORKED
    if below is None:
        return Fit.STARTS_RANGE
    return Fit.LINKED if below.hash == parent else Fit.FORKED


def tops(rows: Sequence[Row]) -> list[Row]:
    """The highest row of every linked stretch, ascending: what makes one of them final makes its ancestors final."""
    by_height = {row.height: row for row in rows}
    ends = [row for row in rows if (above := by_height.get(row.height + 1)) is None or above.parent != row.hash]
    return sorted(ends, key=lambda row: row.height)


def finalizable(rows: Sequence[Row], finalized: int) -> list[Row]:
    """The highest unfinal row of every stretch in the log, at or below the node's finalized height; ascending."""
    return tops([row for row in unfinal(rows) if row.height <= finalized and row.offset is not None])


def missing(rows: Mapping[int, Row], first: int, last: int) -> list[tuple[int, int]]:
    """The stretches of heights ``first`` to ``last`` that are not in the tail, ascending."""
    stretches: list[tuple[int, int]] = []
    at = first
    for height in sorted(height for height in rows if first <= height <= last):
        if height > at:
            stretches.append((at, height - 1))
        at = height + 1
    if at <= last:
        stretches.append((at, last))
    return stretches
