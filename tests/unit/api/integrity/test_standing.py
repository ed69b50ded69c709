"""Whose state the parts of an answer are."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from ft.api.collections import views
from ft.api.collections.rows import CollectionRow
from ft.api.integrity.standing import counted_head, head_of, is_amid_block, is_level
from tests.unit.api.integrity.grounds import PROVEN

ROW = CollectionRow(
    network="polygon",
    contract="0xc0",
    standard="erc721",
    owners=2,
    assets=3,
    supply="3",
    transfers=1,
    mints=3,
    burns=0,
    first_block=10,
    last_block=100,
    held=True,
    **asdict(PROVEN),
    version="1",
    partition=0,
    position=7,
    head_number=100,
    head_hash="0xaa",
    head_time=datetime(2024, 5, 1, tzinfo=UTC),
    safe=90,
    finalized=80,
    counted_number=100,
    counted_hash="0xaa",
    counted_time=datetime(2024, 5, 1, tzinfo=UTC),
    counted_safe=90,
    counted_finalized=80,
    open_block=None,
    uncounted=False,
)
UNREAD = replace(ROW, position=None, head_number=None, counted_number=None)


@pytest.mark.parametrize(
    ("behind", "level"),
    [
        ({}, True),
        ({"counted_number": 99}, False),
        ({"counted_hash": "0xbb"}, False),
        ({"counted_number": None, "counted_hash": None}, False),
        ({"open_block": 101}, False),
        ({"uncounted": True}, False),
    ],
)
def test_project_is_level_at_the_same_block_and_the_whole_of_it(behind: dict[str, Any], level: bool) -> None:
    assert is_level(replace(ROW, **behind)) is level


@pytest.mark.parametrize(
    ("open_block", "last_block", "amid"), [(None, 100, False), (100, 100, True), (101, 100, False)]
)
def test_counters_that_saw_nothing_of_the_open_block_are_whole(
    open_block: int | None, last_block: int, amid: bool
) -> None:
    row = replace(ROW, open_block=open_block)

    assert is_amid_block(row, last_block) is amid
    assert is_amid_block(row, None) is False


def test_counters_that_lack_a_part_below_the_head_are_of_no_block() -> None:
    row = replace(ROW, uncounted=True)

    assert is_amid_block(row, 100)
    assert is_amid_block(row, None)


def test_each_head_is_its_own() -> None:
    row = replace(ROW, counted_number=98, counted_hash="0xbb", counted_finalized=None)

    ledger, counted = head_of(row), counted_head(row)

    assert ledger is not None
    assert counted is not None
    assert (ledger.head_number, ledger.head_hash, ledger.finalized) == (100, "0xaa", 80)
    assert (counted.head_number, counted.head_hash, counted.finalized) == (98, "0xbb", -1)
    assert (head_of(UNREAD), counted_head(UNREAD)) == (None, None)


def test_counters_amid_a_block_are_null_with_the_reason() -> None:
    row = replace(ROW, open_block=100, counted_number=99)

    stats = views.collection_answer(row, None).stats

    counters = (stats.owners, stats.assets, stats.supply, stats.transfers, stats.mints, stats.burns, stats.last_block)
    assert counters == (None,) * 7
    assert (stats.reason, stats.finality_status) == ("block_incomplete", "pending")
    assert stats.as_of is not None
    assert stats.as_of.block_number == 99


def test_counters_that_are_level_have_no_as_of_of_their_own() -> None:
    stats = views.collection_answer(ROW, None).stats

    assert (stats.supply, stats.as_of, stats.reason) == ("3", None, None)
