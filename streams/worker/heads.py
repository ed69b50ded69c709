"""Pure: the records of a partition -> the block that a subscriber's tables are the state of, by network.

A record of kind finality, and one of ledger.finality at its place among them, says where the ledger stands: nothing
lies between it and what was announced before. An event of a higher block moves the head to that block, a retraction to
the block below its own, of which neither hash nor time is known here. An event that is not final yet is of the newest
branch, also where it is not above the head: what fell had nothing for this partition, so nobody said so. A final one
below the head was read late, and leaves it where it is. Amid a block (``block_end`` of its last record is yet to come)
the projections are the state of none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ft.schemas.changes import FINALITY, AnyChange


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionHead:
    """A row of ``system.partition_head`` of a subscriber. Heights are -1 where unknown, times (unix seconds) 0."""

    position: int = -1
    head_number: int = -1
    head_hash: str = ""
    head_time: int = 0
    safe: int = -1
    finalized: int = -1
    open_block: int | None = None
    """The block that was taken in part; None: every block is whole."""


LEDGER_SAYS: Final = ("position", "head_number", "head_hash", "head_time", "safe", "finalized")
"""The fields of a :class:`PartitionHead` that are the ledger's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """A head of one network, as a record of ``ledger.finality`` says it."""

    seq: int
    after: int
    """Seq of the last record of ownership_changed before it."""
    head: PartitionHead


def after(
    heads: Mapping[str, PartitionHead],
    records: Iterable[AnyChange],
    ledger: Mapping[str, LedgerHead],
    until: int,
) -> dict[str, PartitionHead]:
    """The heads of the networks that moved, after the records. ``heads``: those before, by network.

    ``ledger``: what the ledger has said of heads beyond those before; those count that stand at a place up to the seq
    ``until``, which is that of the last record or a little more.
    """
    moved: dict[str, PartitionHead] = {}
    ahead = dict(ledger)
    for record in records:
        if ahead:
            for network in [network for network, told in ahead.items() if told.after < record.seq]:
                moved[network] = ahead.pop(network).head
        head = moved.get(record.network) or heads.get(record.network) or PartitionHead()
        moved[record.network] = _moved(head, record)
    return moved | {network: told.head for network, told in ahead.items() if told.after <= until}


def _moved(head: PartitionHead, record: AnyChange) -> PartitionHead:
    """1. finality: what it says; 2. a retraction; 3. an event above the head, or of another branch; 4. one at or below
    it."""
    number = record.block_number
    if record.kind == FINALITY:
        return PartitionHead(
            position=record.position, head_number=number, head_hash=record.block_hash, head_time=record.block_time,
            safe=record.safe, finalized=record.finalized,
        )  # fmt: skip
    open_block = number if record.block_end is False else None
    if record.op == "revert":
        if number <= head.head_number:
            return replace(head, head_number=number - 1, head_hash="", head_time=0, open_block=open_block)
    elif number > head.head_number or _is_of_another_branch(record, head):
        return replace(
            head, head_number=number, head_hash=record.block_hash, head_time=record.block_time, open_block=open_block
        )
    return head if open_block == head.open_block else replace(head, open_block=open_block)


def _is_of_another_branch(record: AnyChange, head: PartitionHead) -> bool:
    """Of an event that is not above the head."""
    return record.block_hash != head.head_hash and record.finality_status != "finalized"


def may_end_block(record: AnyChange) -> bool:
    """Whether no record of the same block follows, as far as this one says."""
    return record.kind == FINALITY or record.block_end is not False
