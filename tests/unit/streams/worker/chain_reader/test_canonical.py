"""The canonical chain's rule: each case by itself, then against a plain model, with rows forgotten and read back."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ft.schemas.events import RawBlock
from ft.streams.worker.chain_reader.canonical import (
    Appended,
    Block,
    Chain,
    Claimed,
    Finalized,
    Ignored,
    Outcome,
    OutOfPlace,
    Repeated,
    Reverted,
    needs_lease,
    wanted,
)


def name(height: int, branch: str = "") -> str:
    return f"0x{height}{branch}"


def append(
    height: int, branch: str = "", *, parent: str | None = None, lease: int = 0, finalized: int = -1, safe: int = -1,
    starts: bool = False, proof: str = "receipts",
) -> RawBlock:  # fmt: skip
    return RawBlock(
        network="n",
        op="append",
        lease=lease,
        height=height,
        hash=name(height, branch),
        parent_hash=name(height - 1, branch) if parent is None else parent,
        time=1_700_000_000 + height,
        finalized=finalized,
        safe=safe,
        starts_range=starts,
        proof=proof,
    )


def revert(height: int, branch: str = "", *, lease: int = 0, reason: str = "reorg") -> RawBlock:
    return RawBlock(network="n", op="revert", lease=lease, height=height, hash=name(height, branch), reason=reason)


def finalize(height: int, branch: str = "", *, lease: int = 0) -> RawBlock:
    return RawBlock(network="n", op="finalize", lease=lease, height=height, hash=name(height, branch))


CLAIM = RawBlock(network="n", op="claim")


def fold(*records: RawBlock) -> tuple[Chain, list[Outcome]]:
    chain = Chain()
    return chain, [chain.step(record, offset) for offset, record in enumerate(records)]


@pytest.mark.parametrize(
    ("first", "then", "better"),
    [
        (("logs", []), ("receipts", []), True),
        (("receipts", []), ("logs", []), False),
        (("receipts", []), ("receipts", []), False),
        (("receipts", ["header"]), ("receipts", []), True),
        (("receipts", []), ("receipts", ["header"]), False),
        (("receipts", ["header"]), ("logs", []), True),
        (("logs", ["bloom_superset"]), ("logs", []), True),
        (("receipts", ["bloom_superset"]), ("receipts", ["outside_receipts"]), True),
        (("receipts", ["bloom_superset"]), ("receipts", ["bloom_superset", "outside_receipts"]), False),
        (("logs", ["bloom_superset"]), ("receipts", ["state_sync"]), True),
        (("receipts", ["state_sync_missing"]), ("receipts", ["state_sync"]), True),
        (("receipts", ["state_sync_missing"]), ("logs", ["state_sync"]), True),
    ],
)
def test_a_block_that_comes_again_is_better_proven_by_its_proof_or_its_reasons(
    first: tuple[str, list[str]], then: tuple[str, list[str]], better: bool
) -> None:
    records = [
        replace(append(5, starts=True, finalized=9), proof=proof, reasons=reasons) for proof, reasons in (first, then)
    ]

    _, outcomes = fold(*records)

    assert isinstance(outcomes[1], Repeated)
    assert outcomes[1].better_proof == better


@pytest.mark.parametrize("reasons", [["header,logs"], [""], ["Header"], ["x" * 41], ["a"] * 17, ["nul\x00"]])
def test_reasons_that_no_version_could_have_written_are_a_misfit(reasons: list[str]) -> None:
    _, outcomes = fold(replace(append(5, starts=True, finalized=9), reasons=reasons))

    assert isinstance(outcomes[0], OutOfPlace)


def test_a_lost_claim_at_offset_zero_is_a_valid_lease() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True))

    assert isinstance(outcomes[1], Appended)
    assert chain.marks().head_number == 5


def test_before_any_claim_an_unfinal_append_is_ignored() -> None:
    _, outcomes = fold(append(5, starts=True))

    assert isinstance(outcomes[0], Ignored)


def test_a_final_append_needs_no_lease() -> None:
    chain, outcomes = fold(append(5, starts=True, finalized=9))

    assert isinstance(outcomes[0], Appended)
    assert chain.marks().finalized == 5


def test_a_zombies_block_is_ignored_after_the_next_claim() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True), CLAIM, append(6, lease=0), append(6, lease=2))

    assert isinstance(outcomes[3], Ignored)
    assert isinstance(outcomes[4], Appended)
    assert chain.marks().head_number == 6


def test_a_block_without_its_parent_breaks_the_chain_until_the_next_claim() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True), append(7), append(6), CLAIM, append(6, lease=4))

    assert isinstance(outcomes[2], OutOfPlace)
    assert isinstance(outcomes[3], Ignored)
    assert isinstance(outcomes[5], Appended)
    assert not chain.broken


def test_a_final_block_that_does_not_fit_breaks_nothing() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True), append(9, finalized=9), append(6))

    assert isinstance(outcomes[2], OutOfPlace)
    assert isinstance(outcomes[3], Appended)
    assert not chain.broken


def test_the_same_block_again_changes_nothing() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True), append(5, starts=True))

    assert outcomes[2] == Repeated(block=chain.rows[5], better_proof=False)


def test_a_better_proof_of_the_same_block_is_told() -> None:
    _, outcomes = fold(CLAIM, append(5, starts=True, proof="logs"), append(5, starts=True))

    assert isinstance(outcomes[2], Repeated)
    assert outcomes[2].better_proof


def test_another_block_at_a_taken_height_does_not_fit() -> None:
    _, outcomes = fold(CLAIM, append(5, starts=True), append(5, "b", starts=True))

    assert isinstance(outcomes[2], OutOfPlace)
    assert outcomes[2].reason == "height_taken"


def test_only_the_highest_block_is_reverted() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True), append(6), revert(5))

    assert isinstance(outcomes[3], OutOfPlace)
    assert chain.broken


def test_a_final_block_is_not_reverted_by_a_reorg() -> None:
    _, outcomes = fold(CLAIM, append(5, starts=True, finalized=5), revert(5))

    assert isinstance(outcomes[2], OutOfPlace)


def test_replace_takes_final_blocks_without_a_lease() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True, finalized=5), append(6), revert(5, lease=99, reason="replace"))

    assert isinstance(outcomes[3], Reverted)
    assert outcomes[3].reason == "replace"
    assert chain.marks().head_number == 6
    assert chain.marks().finalized == -1


def test_a_revert_of_what_is_not_canonical_is_ignored() -> None:
    chain, outcomes = fold(CLAIM, append(5, starts=True), revert(6), revert(5, "b"))

    assert isinstance(outcomes[2], Ignored)
    assert isinstance(outcomes[3], Ignored)
    assert not chain.broken


def test_finality_takes_the_ancestors_along_and_not_what_is_not_linked() -> None:
    chain, outcomes = fold(CLAIM, append(1, starts=True), append(5, starts=True), append(6), append(7), finalize(6))

    assert isinstance(outcomes[5], Finalized)
    assert [block.number for block in outcomes[5].blocks] == [6, 5]
    assert chain.marks().finalized == 6
    assert chain.lowest_unfinal == 1


def test_finality_does_not_go_down_to_a_neighbour_of_another_branch() -> None:
    chain, outcomes = fold(
        CLAIM, append(4, "dead", starts=True), append(5, starts=True, parent="0xsomething else"), append(6), finalize(6)
    )

    assert isinstance(outcomes[4], Finalized)
    assert [block.number for block in outcomes[4].blocks] == [6, 5]
    assert {height: row.final for height, row in chain.rows.items()} == {4: False, 5: True, 6: True}


def test_finality_passes_through_rows_that_are_final_already() -> None:
    chain, _ = fold(CLAIM, append(5, starts=True), append(6, finalized=6), append(7), finalize(7))

    assert {height: row.final for height, row in chain.rows.items()} == {5: True, 6: True, 7: True}


def test_a_block_below_the_head_is_late_and_one_on_top_of_what_a_reorg_left_is_not() -> None:
    chain, _ = fold(CLAIM, append(5, starts=True), append(6), revert(6), append(6, "b", parent=name(5)))
    on_top = chain.late_position
    chain.step(append(2, starts=True, finalized=9), 5)
    chain.step(append(7, "c", parent=name(6, "b")), 6)

    assert (on_top, chain.late_position) == (-1, 5)


def test_safe_stays_between_the_final_and_the_highest_block() -> None:
    chain, _ = fold(CLAIM, append(5, starts=True, safe=99), append(6, safe=1), append(7, safe=6), revert(7))
    capped, _ = fold(CLAIM, append(5, starts=True, finalized=5, safe=2))

    assert chain.marks().safe == 6
    assert capped.marks().safe == 5


@pytest.mark.parametrize(
    "record",
    [
        replace(append(5, starts=True), op="surprise"),
        replace(append(5, starts=True), proof="trust me"),
        append(-1, starts=True),
        append(2**62 + 1, starts=True),
        replace(append(5, starts=True), hash=""),
        replace(append(5, starts=True), hash="0x\x00"),
        replace(append(5, starts=True), parent_hash=""),
    ],
)
def test_what_is_not_known_is_a_dead_letter(record: RawBlock) -> None:
    chain, outcomes = fold(CLAIM, record)

    assert isinstance(outcomes[1], OutOfPlace)
    assert chain.rows == {}


BRANCHES = st.sampled_from(["", "b"])
HEIGHTS = st.integers(0, 7)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, int, str, int, bool, bool, bool]:
    op = draw(st.sampled_from(["append"] * 6 + ["revert"] * 3 + ["finalize", "claim"]))
    old_lease = draw(st.integers(0, 9)) == 0
    final, starts = draw(st.integers(0, 3)) == 0, draw(st.integers(0, 4)) == 0
    return op, draw(HEIGHTS), draw(BRANCHES), draw(st.integers(-1, 8)), old_lease, final, starts


class Model:
    """The rules as the architecture words them, over a plain dictionary of all rows."""

    def __init__(self) -> None:
        self.rows: dict[int, list[object]] = {}  # height -> [hash, parent, final]
        self.lease = -1
        self.broken = False

    def step(self, record: RawBlock, offset: int) -> None:
        if record.op == "claim":
            self.lease, self.broken = offset, False
        elif needs_lease(record) and (record.lease != self.lease or self.broken):
            pass
        elif not self.fits(record) and (needs_lease(record) or 0 < record.lease == self.lease):
            self.broken = True

    def fits(self, record: RawBlock) -> bool:
        row = self.rows.get(record.height)
        same = row is not None and row[0] == record.hash
        if record.op == "append":
            below = self.rows.get(record.height - 1)
            linked = record.starts_range or (below is not None and below[0] == record.parent_hash)
            if row is None and linked:
                above = self.rows.get(record.height + 1)
                final = record.height <= record.finalized or (
                    above is not None and above[2] and above[1] == record.hash
                )
                self.rows[record.height] = [record.hash, record.parent_hash, final]
                return True
            return same
        if not same or row is None:
            return True
        if record.op == "revert":
            if record.reason != "replace" and (row[2] or record.height != max(self.rows)):
                return False
            del self.rows[record.height]
            return True
        height = record.height
        while True:
            row[2] = True
            below = self.rows.get(height - 1)
            if below is None or below[0] != row[1]:
                return True
            row, height = below, height - 1


def record_of(step: tuple[str, int, str, int, bool, bool, bool], chain: Chain) -> RawBlock:
    op, height, branch, aim, old_lease, final, starts = step
    lease = -7 if old_lease else chain.claim_offset
    if op == "claim":
        return CLAIM
    if op == "append":
        if aim >= 4:  # mostly onto the head, so that chains grow
            head = chain.rows.get(chain.head)
            height = chain.head + 1 if head is not None else height
            parent = head.hash if head is not None else ""
        else:
            parent = name(height - 1, branch)
        return append(
            height, branch, parent=parent or "0x", lease=lease, finalized=height if final else -1, safe=aim,
            starts=starts or not chain.rows,
        )  # fmt: skip
    if aim >= 4 and chain.head >= 0:
        height, branch = chain.head, chain.rows[chain.head].hash.removeprefix(f"0x{chain.head}")
    if op == "revert":
        return revert(height, branch, lease=lease, reason="replace" if final else "reorg")
    return finalize(height, branch, lease=lease)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps(), max_size=60), st.integers(1, 7))
@example(
    [
        ("append", 7, "", 0, True, True, True),
        ("append", 0, "", 4, True, True, True),
        ("append", 6, "", 0, False, False, True),
        ("finalize", 0, "", 4, False, True, True),
    ],
    1,
)
def test_forgetting_rows_and_reading_them_back_changes_nothing(
    plan: list[tuple[str, int, str, int, bool, bool, bool]], batch: int
) -> None:
    """The chain of a worker keeps few rows, and restarts from what is stored; the model keeps all of them."""
    model, chain, stored = Model(), Chain(), dict[int, Block]()
    for offset, step in enumerate(plan):
        record = record_of(step, chain)
        chain.load([stored[height] for height in wanted(record) if height in stored])
        if record.op == "revert":
            below = [row for height, row in stored.items() if height < record.height]
            finals = [row for row in below if row.final]
            chain.load([max(rows, key=lambda row: row.number) for rows in (below, finals) if rows])
        outcome = chain.step(record, offset)
        model.step(record, offset)
        follow(stored, outcome)
        assert {h: [r.hash, r.parent, r.final] for h, r in stored.items()} == model.rows
        assert (chain.broken, chain.claim_offset) == (model.broken, model.lease)
        assert_marks(chain, stored)
        if offset % batch == 0:
            chain.trim()
        if offset % (batch * 3) == 0:
            chain = restarted(chain, stored)


def follow(stored: dict[int, Block], outcome: Outcome) -> None:
    match outcome:
        case Appended(block=block):
            stored[block.number] = block
        case Reverted(block=block):
            del stored[block.number]
        case Finalized(blocks=blocks):
            stored.update({block.number: block for block in blocks})
        case Claimed() | Ignored() | OutOfPlace() | Repeated():
            pass


def assert_marks(chain: Chain, stored: dict[int, Block]) -> None:
    marks = chain.marks()
    finals = [height for height, row in stored.items() if row.final]
    assert marks.head_number == max(stored, default=-1)
    assert marks.finalized == max(finals, default=-1)
    assert marks.finalized <= marks.safe <= marks.head_number
    assert chain.lowest_unfinal == min(set(stored) - set(finals), default=None)


def restarted(chain: Chain, stored: dict[int, Block]) -> Chain:
    """What load_chain reads: the head, the highest final row, all from the lowest unfinal one on."""
    floor = chain.lowest_unfinal if chain.lowest_unfinal is not None else 2**62
    fresh = Chain(
        claim_offset=chain.claim_offset,
        broken=chain.broken,
        safe=chain.safe,
        position=chain.position,
        late_position=chain.late_position,
    )
    fresh.load([row for h, row in stored.items() if h >= floor or h in (chain.head, chain.finalized)])
    return fresh
