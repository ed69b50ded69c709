"""Rows of the journal, read back: the stretches that are announced together."""

from typing import Any

from ft.agents.publish.publisher import stretches_of


def event(seq: int, block: int = 7) -> tuple[Any, ...]:
    """A row of the query ``journal_rows``."""
    values = ("0xtx", "0xsender", "0xc", "0xt", seq, 0, seq, "erc721", "1", "0xa", "0xb", None, "1", False)
    return (seq, "n", block, f"0x{block}", 1_700_000_000, "apply", None, 1, *values, None, None, None, None, None)


def finality(seq: int) -> tuple[Any, ...]:
    return (seq, "n", 7, "0x7", 1_700_000_000, "finality", {"safe": 1}, 0, *[None] * 14, None, None, None, None, None)


def told(rows: list[tuple[Any, ...]], rows_max: int = 10) -> list[tuple[int, int, int, bool]]:
    """First and last seq of each stretch, its block, whether it ends it."""
    return [(s.seq_from, s.seq_to, s.block.number, s.ends) for s in stretches_of(3, rows, rows_max)]


def test_a_block_is_one_stretch_and_the_last_row_says_that_it_ends() -> None:
    assert told([event(4), event(5), event(6, block=8)]) == [(4, 5, 7, True), (6, 6, 8, True)]


def test_where_a_row_is_no_longer_kept_each_row_has_its_seq_and_the_block_goes_on() -> None:
    assert told([event(4), event(6), event(7, block=8)]) == [(4, 4, 7, False), (6, 6, 7, True), (7, 7, 8, True)]


def test_rows_of_kind_finality_stand_alone() -> None:
    assert told([event(4), finality(5), finality(7)]) == [(4, 4, 7, True), (5, 5, 7, True), (7, 7, 7, True)]


def test_a_block_of_which_more_rows_follow_does_not_end() -> None:
    assert told([event(4), event(5), event(6)], rows_max=2) == [(4, 5, 7, False)]
    assert told([event(4), event(5), event(6, block=8)], rows_max=2) == [(4, 5, 7, True)]
