"""Who speaks for an answer, and how final it is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import json
from msgspec.structs import replace

from ft.api.http import freshness
from ft.api.http.heads import HeadRow

HEAD = HeadRow(
    network="polygon",
    partition=0,
    position=7,
    head_number=100,
    head_hash="0xaa",
    head_time=datetime(2024, 5, 1, tzinfo=UTC),
    safe=90,
    finalized=80,
)


@pytest.mark.parametrize(
    ("block", "status"), [(80, "finalized"), (81, "confirmed"), (90, "confirmed"), (91, "pending"), (None, "pending")]
)
def test_marks_decide_finality(block: int | None, status: str) -> None:
    assert freshness.finality(block, HEAD) == status
    assert freshness.finality(block, None) == "pending"


def test_what_rests_on_no_event_is_pending_also_where_nothing_is_final() -> None:
    assert freshness.finality(-1, replace(HEAD, finalized=-1, safe=-1)) == "pending"
    assert freshness.finality(-1, HEAD) == "pending"


def test_the_lowest_position_speaks_not_the_lowest_head() -> None:
    behind = replace(HEAD, partition=1, position=6, head_number=120)

    assert freshness.speaking([HEAD, behind], 2) == behind


def test_nobody_speaks_while_a_partition_has_read_nothing() -> None:
    assert freshness.speaking([HEAD], 2) is None


def test_the_oldest_head_speaks_for_several_networks() -> None:
    older = replace(HEAD, network="base", head_time=datetime(2024, 4, 1, tzinfo=UTC))

    assert freshness.oldest([HEAD, older]) == older
    assert freshness.oldest([]) is None


def test_as_of_is_the_head_in_utc_with_its_lag() -> None:
    recent = replace(HEAD, head_time=datetime.now(UTC) - timedelta(seconds=3))

    shown = freshness.as_of(recent, "polygon")

    assert (shown.block_number, shown.block_hash, shown.finality_status) == (100, "0xaa", "pending")
    assert shown.lag_ms is not None
    assert 3_000 <= shown.lag_ms < 60_000
    assert json.decode(json.encode(shown))["block_time"].endswith("Z")


def test_without_a_head_nothing_is_claimed() -> None:
    unread = freshness.as_of(None, "polygon")

    assert unread == freshness.as_of(replace(HEAD, head_number=-1), "polygon")
    assert (unread.network, unread.block_number, unread.finality_status) == ("polygon", None, "pending")


@dataclass
class Advancing:
    """A head that moves by one block each time it is asked."""

    number: int

    async def __call__(self) -> HeadRow:
        self.number += 1
        return replace(HEAD, head_number=self.number)


async def test_waiting_ends_with_the_block() -> None:
    head = Advancing(97)

    reached = await freshness.reached(100, head)

    assert reached is not None
    assert (reached.head_number, head.number) == (100, 100)
