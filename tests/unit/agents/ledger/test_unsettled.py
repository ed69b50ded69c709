"""A mark is worth a record to subscribers of the events where it moves over one of theirs, and only there."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ft.agents.ledger import unsettled
from ft.agents.ledger.unsettled import Marks, Unsettled


def test_a_mark_that_moves_over_nothing_is_worth_no_record() -> None:
    assert not Unsettled([10]).passed(Marks(3, 2), Marks(9, 8))


def test_each_of_the_two_marks_is_told_when_it_comes_to_the_block() -> None:
    blocks = Unsettled([10])

    assert blocks.passed(Marks(9, 2), Marks(10, 3))
    assert not blocks.passed(Marks(10, 3), Marks(12, 9))
    assert blocks.passed(Marks(12, 9), Marks(13, 10))


def test_a_block_that_was_retracted_is_waited_for_no_more() -> None:
    blocks = Unsettled([10])
    blocks.reverted(10)

    assert not blocks.passed(Marks(9, 9), Marks(10, 10))


def test_a_mark_that_falls_is_told_and_so_is_its_return() -> None:
    blocks, marks = Unsettled(), [Marks(12, 9), Marks(9, 8), Marks(10, 8), Marks(14, 12), Marks(20, 18)]
    told = []
    for before, after in pairwise(marks):
        told.append(blocks.passed(before, after))
        blocks.settle(before, after)

    assert told == [True, True, True, False]


@given(
    blocks=st.lists(st.integers(0, 60), max_size=20),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20),
)
def test_every_block_is_told_safe_once_and_final_once_and_nothing_else_is(
    blocks: list[int], steps: list[tuple[int, int]]
) -> None:
    kept, told = Unsettled(blocks), Marks()
    for safe, finalized in steps:
        final = told.finalized + finalized
        now = Marks(max(told.safe + safe, final), final)
        moved = {b for b in blocks for was, is_now in zip(told, now, strict=True) if was < b <= is_now}

        assert kept.passed(told, now) == bool(moved)

        kept.settle(told, now)
        told = now
    assert {b for b in blocks if b in kept} == {b for b in blocks if b > told.finalized}


@given(st.data())
def test_where_finality_does_not_come_it_remembers_little_and_leaves_none_out(data: st.DataObject) -> None:
    kept = Unsettled()
    for number in range(3 * unsettled.BLOCKS_MAX):
        kept.applied(number)
    told = data.draw(st.integers(-1, 3 * unsettled.BLOCKS_MAX - 2))

    assert len(kept) <= unsettled.BLOCKS_MAX
    assert kept.passed(Marks(told, told), Marks(told + 1, told + 1))
