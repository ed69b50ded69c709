"""What a replace writes, and what it refuses, from the rules alone."""

from dataclasses import replace

import pytest

from ft.streams.ingest.reconcile import Row
from ft.streams.ingest.replace_plan import CannotReplace, Canonical, Fetched, check_final, plan


def log(*heights: int, fork: str = "", final: bool = True, proof: str = "receipts") -> dict[int, Canonical]:
    return {
        h: Canonical(height=h, hash=f"{h}{fork}", parent=f"{h - 1}{fork}", final=final, proof=proof) for h in heights
    }


def node(*heights: int, fork: str = "", proof: str = "receipts") -> list[Fetched]:
    found = [Fetched(height=h, hash=f"{h}{fork}", parent=f"{h - 1}{fork}", proof=proof, logs=2) for h in heights]
    return [replace(found[0], parent=str(heights[0] - 1)), *found[1:]]


def test_reverts_go_newest_first_and_take_what_is_canonical_only() -> None:
    found = plan("n", log(4, 5, 7, 8), [], node(5, 6, 7))

    assert [(row.height, row.hash) for row in found.reverts] == [(7, "7"), (5, "5")]
    assert not found.starts_range
    assert list(found.lines()) == [
        "block 5: the same block, read anew, proof receipts, 2 logs",
        "block 6: not in the log, proof receipts, 2 logs",
        "block 7: the same block, read anew, proof receipts, 2 logs",
    ]


def test_a_range_over_nothing_starts_anew() -> None:
    assert plan("n", {}, [], node(5, 6)).starts_range
    assert plan("n", {}, [], node(5, 6)).reverts == ()


def test_a_better_proof_is_said_once_a_stretch() -> None:
    found = plan("n", log(5, 6, 7, proof="logs"), [], node(5, 6, 7))

    assert list(found.lines()) == ["blocks 5 to 7: the same block, proof logs -> receipts, 6 logs"]


def test_what_is_not_final_above_another_block_falls_with_it() -> None:
    canonical = log(4, 5) | log(6, fork="") | log(7, 8, final=False)
    above = list(log(7, 8, 9, final=False).values())

    found = plan("n", canonical, above, [*node(5, fork="b"), replace(node(6, fork="b")[0], parent="5b")])

    assert [row.height for row in found.reverts] == [9, 8, 7, 6, 5]
    _, hashes, loose = found.lines()
    assert hashes == "    6: 6 -> 6b"
    assert loose.startswith("blocks 7 to 9: not final, and stand on a block that is gone: reverted")


def test_what_is_not_final_above_the_same_block_stays() -> None:
    found = plan("n", log(4, 5) | log(6, final=False), list(log(6, final=False).values()), node(5))

    assert [row.height for row in found.reverts] == [5]


@pytest.mark.parametrize(
    ("canonical", "above", "fetched", "said"),
    [
        (log(4, 5), {}, [*node(5), *node(6, fork="b"), *node(7)], "the providers do not agree on the chain"),
        (log(4, fork="x") | log(5), {}, node(5), "Begin lower: --from 4 or less"),
        (log(4, 5, 6), {}, node(5, fork="b"), "Go on higher: --to 6 or more"),
        (
            log(4, 5) | log(6, final=False),
            log(6, final=False) | log(8),
            node(5, fork="b"),
            "Go on higher: --to 8 or more",
        ),
        (log(5), {}, node(5, proof="logs"), "with proof receipts, the node gives logs only"),
    ],
    ids=["not linked", "parts below", "final above", "final further above", "worse proof"],
)
def test_what_would_not_hold_together_is_refused(
    canonical: dict[int, Canonical], above: dict[int, Canonical], fetched: list[Fetched], said: str
) -> None:
    with pytest.raises(CannotReplace, match=said):
        plan("n", canonical, list(above.values()), fetched)


def test_another_block_may_be_worse_proven() -> None:
    assert plan("n", log(4, 5), [], node(5, fork="b", proof="logs")).changes[0].kind == (
        "another block, proof receipts -> logs"
    )


def row(height: int, *, final: bool = False) -> Row:
    return Row(height=height, hash=str(height), parent=str(height - 1), final=final)


@pytest.mark.parametrize(
    ("canonical", "tail", "finalized", "said"),
    [
        (log(5, 6), [], 5, "--to: expected 5 or less, which is final at the node, got 6"),
        (log(5) | log(6, final=False), [], 9, "block 6 is not final in the log.* Replace up to 5 only, or let it"),
        (log(5, 6, final=False), [], 9, r"block 5 is not final in the log.* Let it become final first"),
        ({}, [row(4, final=True), row(6)], 9, "block 6 is not final in the log"),
    ],
    ids=["at the node", "above", "all", "meant by a follower"],
)
def test_only_final_blocks_are_replaced(
    canonical: dict[int, Canonical], tail: list[Row], finalized: int, said: str
) -> None:
    with pytest.raises(CannotReplace, match=said):
        check_final("n", 5, 6, canonical, tail, finalized)


def test_rows_that_finality_has_passed_do_not_hinder() -> None:
    check_final("n", 5, 6, log(5, 6), [row(5), row(6, final=True), row(7)], 6)
