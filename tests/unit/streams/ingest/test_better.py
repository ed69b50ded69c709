"""Which unfinal blocks are asked for again, and when."""

from dataclasses import replace

import pytest

from ft.streams.ingest.better import Again
from ft.streams.ingest.reconcile import Row

ROW = Row(height=5, hash="0x5", parent="0x4", offset=9, proof="logs")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(again: Again, clock: Clock, rows: list[Row], *, seconds: int) -> list[tuple[float, int]]:
    """When and what, looking once a second."""
    found = []
    for second in range(seconds):
        clock.now = float(second)
        found += [(clock.now, row.height) for row in again.due(rows)]
    return found


def test_a_lesser_block_is_asked_for_again_and_again_with_longer_pauses() -> None:
    clock = Clock()

    assert [at for at, _ in asked(Again("receipts", clock), clock, [ROW], seconds=400)] == [
        2,
        6,
        14,
        30,
        62,
        126,
        246,
        366,
    ]


@pytest.mark.parametrize(
    ("row", "network", "lesser"),
    [
        (ROW, "receipts", True),
        (ROW, "logs", False),
        (replace(ROW, reasons=("bloom_superset",)), "logs", True),
        (replace(ROW, proof="receipts"), "receipts", False),
        (replace(ROW, proof="receipts"), "logs", False),
        (replace(ROW, proof="receipts", reasons=("header",)), "receipts", True),
        (replace(ROW, proof="receipts", reasons=("state_sync",)), "receipts", False),
        (replace(ROW, proof="receipts", reasons=("state_sync_missing",)), "receipts", True),
        (replace(ROW, proof="receipts", reasons=("bloom_superset",)), "receipts", True),
        (replace(ROW, proof="receipts", reasons=("outside_receipts",)), "receipts", False),
        (replace(ROW, proof="receipts", reasons=("bloom_superset", "outside_receipts")), "receipts", True),
        (replace(ROW, final=True), "receipts", False),
        (replace(ROW, offset=None), "receipts", False),
        (replace(ROW, proof=""), "receipts", False),
    ],
)
def test_only_what_is_less_proven_than_usual_and_may_still_change_is_asked_for(
    row: Row, network: str, lesser: bool
) -> None:
    clock = Clock()

    assert bool(asked(Again(network, clock), clock, [row], seconds=9)) == lesser


def test_a_look_asks_for_a_few_only_and_everyone_has_a_turn() -> None:
    clock = Clock()
    rows = [replace(ROW, height=height, hash=f"0x{height}") for height in range(20)]
    again = Again("receipts", clock)

    found = asked(again, clock, rows, seconds=20)

    assert max(sum(at == second for at, _ in found) for second in range(20)) == 2
    assert {height for _, height in found} == set(range(20))


def test_what_went_or_was_proven_is_forgotten() -> None:
    clock = Clock()
    again = Again("receipts", clock)
    asked(again, clock, [ROW], seconds=9)

    assert again.due([replace(ROW, proof="receipts")]) == []
    assert again._due == {}


def test_a_block_whose_new_answer_has_to_stand_is_asked_for_first_once_it_has() -> None:
    clock = Clock()
    again = Again("receipts", clock)
    others = [replace(ROW, height=at, hash=f"0x{at}") for at in range(10, 400)]
    again.due([ROW, *others])
    again.ripens(ROW, 30.0)

    clock.now = 29.9
    assert ROW not in again.due([ROW, *others])
    clock.now = 30.0
    assert again.due([ROW, *others])[0] == ROW
    assert ROW not in again.due([ROW, *others])
