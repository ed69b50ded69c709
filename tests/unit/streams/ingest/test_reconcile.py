"""What the tail decides, against a model: a log, its reader, and a chain that changes whenever it likes."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.streams.ingest.reconcile import (
    FinalityContradicted,
    Fit,
    Row,
    anchor,
    finalizable,
    fit,
    missing,
    reconcile,
    unfinal,
)


def block(branch: str, height: int) -> str:
    return f"{branch}{height}"


def row(height: int, branch: str = "a", *, offset: int | None = 1, final: bool = False) -> Row:
    return Row(height=height, hash=block(branch, height), parent=block(branch, height - 1), offset=offset, final=final)


def chain(first: int, last: int, branch: str = "a") -> dict[int, str | None]:
    return {height: block(branch, height) for height in range(first, last + 1)}


def test_a_tail_that_the_node_confirms_needs_nothing() -> None:
    plan = reconcile("n", [row(h) for h in range(5, 9)], chain(5, 8))

    assert (plan.reverts, plan.appends) == ((), ())


def test_from_the_lowest_row_that_the_node_denies_all_are_reverted_newest_first() -> None:
    node = chain(5, 6) | chain(7, 9, "b")

    plan = reconcile("n", [row(h) for h in range(5, 10)], node)

    assert [r.height for r in plan.reverts] == [9, 8, 7]
    assert plan.appends == (7, 8, 9)


def test_a_row_that_the_node_confirms_above_a_denied_one_is_written_again() -> None:
    """An isolated range above a dead branch: the log reverts the highest first."""
    rows = [row(5, "b"), row(20)]

    plan = reconcile("n", rows, chain(0, 30))

    assert [r.height for r in plan.reverts] == [20, 5]
    assert plan.appends == (5, 20)


def test_rows_that_are_not_in_the_log_are_appended_again_with_all_above() -> None:
    rows = [row(5), row(6, offset=None), row(7)]

    plan = reconcile("n", rows, chain(5, 7))

    assert (plan.reverts, plan.appends) == ((), (6, 7))


def test_a_row_of_which_the_node_knows_nothing_stands_if_it_is_in_the_log() -> None:
    plan = reconcile("n", [row(5), row(6)], {5: "a5", 6: None})

    assert (plan.reverts, plan.appends) == ((), ())


def test_a_row_that_neither_log_nor_node_knows_is_reverted() -> None:
    plan = reconcile("n", [row(5), row(6, offset=None)], {5: "a5", 6: None})

    assert [r.height for r in plan.reverts] == [6]


def test_a_final_row_that_the_node_denies_is_a_contradiction_that_names_both() -> None:
    with pytest.raises(FinalityContradicted, match="block 4 is final as a4, the node now says b4"):
        reconcile("n", [row(4, final=True), row(5)], chain(0, 3) | chain(4, 9, "b"))


def test_final_rows_are_never_reverted() -> None:
    rows = [row(3, "x"), row(4, final=True), row(5)]

    assert [r.height for r in unfinal(rows)] == [5]
    assert reconcile("n", rows, chain(4, 4) | chain(5, 9, "b")).reverts == (rows[2],)


@pytest.mark.parametrize(
    ("height", "branch", "expected"),
    [
        (8, "a", Fit.LINKED),
        (8, "b", Fit.FORKED),
        (7, "a", Fit.REPEATED),
        (7, "b", Fit.FORKED),
        (30, "a", Fit.STARTS_RANGE),
        (4, "a", Fit.STARTS_RANGE),
        (4, "b", Fit.FORKED),
    ],
)
def test_a_block_fits_below_between_and_above_or_it_forks(height: int, branch: str, expected: Fit) -> None:
    rows = {h: row(h) for h in (5, 6, 7)}

    assert fit(rows, height, block(branch, height), block(branch, height - 1)) is expected


def test_only_rows_in_the_log_at_or_below_the_nodes_mark_become_final() -> None:
    rows = [row(3, final=True), row(4), row(5), row(6, offset=None)]

    assert finalizable(rows, 3) == []
    assert finalizable(rows, 4) == [rows[1]]
    assert finalizable(rows, 100) == [rows[2]]


def test_each_stretch_of_a_tail_with_gaps_is_finalized_by_its_highest_row() -> None:
    rows = [row(h) for h in (4, 5, 8, 9, 10, 12)]

    assert [r.height for r in finalizable(rows, 9)] == [5, 9]
    assert [r.height for r in finalizable(rows, 100)] == [5, 10, 12]


@given(st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(0, 40))
def test_missing_stretches_and_rows_are_the_whole_range(held: set[int], first: int, last: int) -> None:
    stretches = missing({h: row(h) for h in held}, first, last)

    found = [h for low, high in stretches for h in range(low, high + 1)]
    assert found == [h for h in range(first, last + 1) if h not in held]
    assert all(high < low - 1 for (_, high), (low, _) in pairwise(stretches))


@dataclass
class Log:
    """The log's reader: what is canonical, by the rules; a record that does not fit fails the test."""

    canonical: dict[int, str] = field(default_factory=dict)

    def append(self, new: Row, *, starts: bool) -> None:
        if self.canonical.get(new.height) == new.hash:
            return
        assert new.height not in self.canonical, f"{new.height} is canonical already"
        below = self.canonical.get(new.height - 1)
        assert below == new.parent or (starts and below is None), f"{new.height} does not link"
        self.canonical[new.height] = new.hash

    def revert(self, gone: Row) -> None:
        if self.canonical.get(gone.height) != gone.hash:
            return
        assert gone.height == max(self.canonical), f"{gone.height} is not the highest"
        del self.canonical[gone.height]


class Died(Exception):
    pass


@dataclass
class Source:
    """The source's order of writes, dying after so many of them."""

    log: Log
    tail: dict[int, Row] = field(default_factory=dict)
    left: int = 0

    def write(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died

    def settle(self, node: dict[int, str], head: int) -> None:
        says = {height: block(node[height], height) if height <= head else None for height in self.tail}
        plan = reconcile("n", list(self.tail.values()), says)
        if plan.reverts:
            self.write()
            for gone in plan.reverts:
                self.tail[gone.height] = replace(gone, offset=None)
            for gone in plan.reverts:
                self.write()
                self.log.revert(gone)
            self.write()
            for gone in plan.reverts:
                del self.tail[gone.height]
        for height in plan.appends:
            if height <= head:
                self.append(height, node)

    def append(self, height: int, node: dict[int, str]) -> None:
        new = Row(height=height, hash=block(node[height], height), parent=block(node[height - 1], height - 1))
        how = fit({h: r for h, r in self.tail.items() if h != height}, height, new.hash, new.parent)
        assert how in (Fit.LINKED, Fit.STARTS_RANGE)
        self.write()
        self.tail[height] = new
        self.write()
        self.log.append(new, starts=how is Fit.STARTS_RANGE)
        self.write()
        self.tail[height] = replace(self.tail[height], offset=1)

    def follow(self, node: dict[int, str], head: int, first: int) -> None:
        self.settle(node, head)
        for low, high in missing(self.tail, first, head):
            for height in range(low, high + 1):
                self.append(height, node)


LIVES = st.lists(st.tuples(st.integers(0, 12), st.integers(2, 14), st.integers(0, 60)), min_size=1, max_size=8)
"""Of each life of the source: where its node's chain forks off the one before, its head, and when it dies."""


@given(LIVES)
def test_whatever_the_chain_does_and_whenever_we_die_the_log_ends_as_the_nodes_chain(
    lives: list[tuple[int, int, int]],
) -> None:
    source, node, head = Source(Log()), dict.fromkeys(range(20), "a"), 0
    for number, (fork, head, left) in enumerate(lives):
        node = {h: node[h] if h < max(fork, 1) else chr(98 + number) for h in range(20)}
        source.left = left
        try:
            source.follow(node, head, 1)
        except Died:
            continue

    source.left = 10_000
    head = max([head, *source.tail])  # a node that knows less than we do says nothing about the rest
    source.follow(node, head, 1)

    assert source.log.canonical == {h: block(node[h], h) for h in range(1, head + 1)}
    assert anchor(list(source.tail.values())) is None
