"""The block that the projections are the state of: its number, and of that very block hash and time, or neither."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from ft.schemas.changes import AnyChange
from ft.schemas.events import OwnershipChanged
from ft.streams.worker import heads
from ft.streams.worker.heads import LedgerHead, PartitionHead

MINT = OwnershipChanged(
    seq=1, prev_seq=0, kind="mint", op="apply", network="n", block_number=3, block_hash="0x3", block_time=1_003
)


def after(
    before: Mapping[str, PartitionHead], records: Iterable[AnyChange], ledger: Mapping[str, LedgerHead] | None = None
) -> dict[str, PartitionHead]:
    read = list(records)
    return heads.after(before, read, ledger or {}, read[-1].seq)


BEFORE = {"n": PartitionHead(head_number=2, head_hash="0x2", head_time=1_002)}


def test_an_event_of_a_higher_block_is_the_head() -> None:
    (head,) = after(BEFORE, [MINT]).values()

    assert (head.head_number, head.head_hash, head.head_time) == (3, "0x3", 1_003)


def test_of_the_block_below_a_retraction_neither_hash_nor_time_is_known() -> None:
    (head,) = after(BEFORE, [MINT, replace(MINT, op="revert")]).values()

    assert (head.head_number, head.head_hash, head.head_time) == (2, "", 0)


def test_a_retraction_above_the_head_changes_nothing() -> None:
    assert after(BEFORE, [replace(MINT, op="revert")]) == BEFORE


def test_what_the_ledger_says_of_its_head_is_taken_whole() -> None:
    said = replace(MINT, kind="finality", op="finality", block_number=2, block_hash="0xb", block_time=1_002)

    (head,) = after(BEFORE, [MINT, replace(MINT, op="revert"), said]).values()

    assert (head.head_number, head.head_hash, head.head_time) == (2, "0xb", 1_002)


@pytest.mark.parametrize("number", [2, 1])
def test_an_event_that_is_not_final_is_of_the_branch_that_counts_also_where_nothing_was_retracted(number: int) -> None:
    other = replace(MINT, block_number=number, block_hash="0xb", block_time=1_010, finality_status="pending")

    (head,) = after(BEFORE, [other, replace(other, seq=2)]).values()

    assert (head.head_number, head.head_hash, head.head_time) == (number, "0xb", 1_010)


def test_a_final_event_below_the_head_was_read_late_and_leaves_it() -> None:
    assert after(BEFORE, [replace(MINT, block_number=1, finality_status="finalized")]) == BEFORE


SAID = PartitionHead(position=9, head_number=7, head_hash="0x7", head_time=1_007, safe=6, finalized=5)


@pytest.mark.parametrize("place", [1, 2])
def test_a_head_counts_from_its_place_among_the_records_on(place: int) -> None:
    two = replace(MINT, seq=2, block_number=8, block_hash="0x8", block_time=1_008)

    (head,) = after(BEFORE, [MINT, two], {"n": LedgerHead(seq=1, after=place, head=SAID)}).values()

    assert head == (SAID if place == 2 else replace(SAID, head_number=8, head_hash="0x8", head_time=1_008))


def test_a_head_beyond_the_records_has_to_wait() -> None:
    (head,) = after(BEFORE, [MINT], {"n": LedgerHead(seq=1, after=2, head=SAID)}).values()

    assert (head.head_number, head.position) == (3, -1)


def test_a_head_of_a_network_of_which_nothing_was_read_counts_too() -> None:
    assert after(BEFORE, [MINT], {"quiet": LedgerHead(seq=1, after=1, head=SAID)})["quiet"] == SAID
