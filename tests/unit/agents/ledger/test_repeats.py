"""What transactions are called whose hash comes in two live blocks."""

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from ft.agents.ledger.repeats import Copies, CopyKey, Hashes, HashKey, Repeats, hash_digest, parted, plain_digests
from ft.agents.ledger.validated_input import Append, Block, Columns, Head
from ft.schemas.ids import transaction_hash

NETWORK = "synthetic"
KEY = (3, NETWORK)
REPEATS = frozenset({NETWORK})
TIME = 1_704_067_200


def slice_of(block: str, *txs: str, final: bool = False) -> Append:
    """A block's slice with one event a transaction."""
    count = len(txs)
    columns = Columns(
        tx_hash=list(txs), tx_from=["s"] * count, contract=["c"] * count, topic0=["t"] * count, n=[0] * count,
        sub_index=[0] * count, log_index=list(range(count)), standard=["erc721"] * count, token_id=["1"] * count,
        from_account=["a"] * count, to_account=["b"] * count, operator=[None] * count, quantity=["1"] * count,
    )  # fmt: skip
    return Append(
        network=NETWORK, position=0, partition=KEY[0], head=Head(9, "h", TIME, -1, 9 if final else -1),
        block=Block(5, block, TIME), proof="receipts", digest="", columns=columns,
    )  # fmt: skip


class Batch:
    """One batch of a network whose hashes may come twice, unless it is told otherwise."""

    def __init__(
        self,
        *,
        repeat: bool = True,
        plain: Sequence[str] = (),
        copies: Mapping[str, Copies] | None = None,
        unfinal: Mapping[str, str] | None = None,
    ) -> None:
        self.changed: dict[CopyKey, bool] = {}
        known: dict[HashKey, Copies] = {(*KEY, tx): found for tx, found in (copies or {}).items()}
        hashes = Hashes(repeat=REPEATS if repeat else frozenset(), plain={KEY: set(plain)}, copies=known)
        live = {hash_digest(tx): block for tx, block in (unfinal or {}).items()}
        self.repeats = Repeats(hashes, {KEY: live}, self.changed)

    def apply(self, block: str, *txs: str, final: bool = False) -> list[str]:
        return list(self.repeats.named(slice_of(block, *txs, final=final))[0].tx_hash)

    def revert(self, *names: str) -> None:
        self.repeats.retract(KEY, names)

    def written(self) -> dict[tuple[str, int], bool]:
        return {(tx, copy): live for (_, _, tx, copy), live in self.changed.items()}


def test_a_hash_that_is_not_live_is_taken_as_it_is() -> None:
    batch = Batch()

    assert batch.apply("A", "x", "y", "x") == ["x", "y", "x"]
    assert batch.written() == {}


def test_a_hash_that_is_live_gets_a_number_in_all_its_events_and_the_others_none() -> None:
    batch = Batch(plain=["x"])

    assert batch.apply("B", "x", "y", "x") == ["x~2", "y", "x~2"]
    assert batch.written() == {("x", 1): True, ("x", 2): True}


def test_the_second_and_the_third_of_one_batch_are_numbered_in_their_order() -> None:
    batch = Batch()

    assert [batch.apply(block, "x") for block in "ABC"] == [["x"], ["x~2"], ["x~3"]]


def test_the_second_comes_back_under_its_number_while_the_first_is_live() -> None:
    batch = Batch(copies={"x": Copies(plain=True, free=[], top=2)})
    batch.revert("x~2")

    assert batch.apply("B'", "x") == ["x~2"]
    assert batch.written() == {("x", 2): True}


def test_a_number_that_was_freed_before_is_taken_before_a_new_one() -> None:
    batch = Batch(copies={"x": Copies(plain=True, free=[2, 4], top=7)})

    assert [batch.apply(block, "x") for block in "ABC"] == [["x~2"], ["x~4"], ["x~8"]]


def test_the_lowest_free_number_is_taken_wherever_it_became_free() -> None:
    batch = Batch(copies={"x": Copies(plain=True, free=[3], top=4)})
    batch.revert("x~2")

    assert [batch.apply(block, "x") for block in "AB"] == [["x~2"], ["x~3"]]


def test_the_first_comes_back_as_it_was_and_leaves_the_second_alone() -> None:
    batch = Batch(copies={"x": Copies(plain=True, free=[], top=2)})
    batch.revert("x")

    assert batch.apply("A'", "x") == ["x"]
    assert batch.written() == {("x", 1): True}


def test_both_are_reverted_and_come_back_in_their_order() -> None:
    batch = Batch(copies={"x": Copies(plain=True, free=[], top=2)})
    batch.revert("x~2")
    batch.revert("x")

    assert [batch.apply(block, "x") for block in ("A", "B")] == [["x"], ["x~2"]]


def test_a_hash_that_was_never_live_twice_comes_back_without_a_trace() -> None:
    batch = Batch(plain=["x"])
    batch.revert("x")

    assert batch.apply("A'", "x") == ["x"]
    assert batch.written() == {}


def test_what_the_journal_knows_is_not_changed_by_a_batch_that_may_be_begun_again() -> None:
    known = Copies(plain=True, free=[2], top=3)
    batch = Batch(copies={"x": known})
    batch.apply("A", "x")

    assert known == Copies(plain=True, free=[2], top=3)


def test_another_partition_and_another_network_have_hashes_of_their_own() -> None:
    hashes = Hashes(repeat={NETWORK, "other"}, plain={(0, NETWORK): {"x"}, (KEY[0], "other"): {"x"}})
    repeats = Repeats(hashes, {}, {})

    assert repeats.named(slice_of("B", "x"))[0].tx_hash == ["x"]


def test_where_hashes_do_not_repeat_an_unfinal_block_that_has_it_is_told_apart_all_the_same() -> None:
    batch = Batch(repeat=False, unfinal={"x": "A"})

    assert batch.apply("B", "y", "x") == ["y", "x~2"]
    assert batch.apply("C", "x", "y") == ["x~3", "y~2"]
    assert batch.written() == {("x", 1): True, ("x", 2): True, ("x", 3): True, ("y", 1): True, ("y", 2): True}


def test_where_hashes_do_not_repeat_final_blocks_are_believed_and_cost_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = Batch(repeat=False, unfinal={"x": "A"})
    monkeypatch.setattr("ft.agents.ledger.repeats.hash_digest", lambda _: pytest.fail("looked at a hash"))

    assert batch.apply("B", "x", final=True) == ["x"]


def test_where_hashes_do_not_repeat_one_that_did_is_known_for_good() -> None:
    batch = Batch(repeat=False, copies={"x": Copies(plain=True, free=[2], top=2)})

    assert batch.apply("B", "x", "y", final=True) == ["x~2", "y"]


def test_only_unfinal_slices_whose_networks_are_not_asked_are_remembered_and_only_by_plain_hashes() -> None:
    asked = Batch()
    believed = Batch(repeat=False, unfinal={"x": "A"})

    assert asked.repeats.named(slice_of("B", "x"))[1] == []
    assert believed.repeats.named(slice_of("B", "x", "y", "y"))[1] == [hash_digest("y")]
    assert believed.repeats.named(slice_of("C", "z", final=True))[1] == []
    assert plain_digests(["x~2", "y", "y"]) == [hash_digest("y")]


@pytest.mark.parametrize(
    ("name", "tx_hash", "copy"), [("0xab", "0xab", 1), ("0xab~2", "0xab", 2), ("0xab~17", "0xab", 17)]
)
def test_a_name_is_a_hash_and_a_number(name: str, tx_hash: str, copy: int) -> None:
    assert parted(name) == (tx_hash, copy)
    assert transaction_hash(name) == tx_hash


@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_no_name_is_live_twice_and_each_is_the_lowest_that_was_free(seed: int, repeat: bool) -> None:
    """A chain of blocks that grows, and is reverted from its end, in batches of any size; a plain model beside it."""
    random, chain, live = Random(seed), list[list[str]](), dict[str, set[int]]()
    given, block = dict[str, int](), 0
    for _ in range(30):
        batch = Batch(
            repeat=repeat,
            plain=[tx for tx, copies in live.items() if 1 in copies],
            unfinal={tx: "before" for tx, copies in live.items() if 1 in copies},
            copies={
                tx: Copies(plain=1 in live[tx], free=sorted(set(range(2, top + 1)) - live[tx]), top=top)
                for tx, top in given.items()
                if top > 1
            },
        )
        for _ in range(random.randrange(0, min(4, len(chain) + 1))):
            names = chain.pop()
            batch.revert(*names)
            for tx, copy in map(parted, names):
                live[tx].discard(copy)
        for _ in range(random.randrange(5)):
            txs, block = random.sample("abcdef", random.randrange(1, 4)), block + 1
            names = batch.apply(f"block {block}", *txs)
            for tx, (plain, copy) in zip(txs, map(parted, names), strict=True):
                held = live.setdefault(tx, set())
                assert plain == tx
                assert copy == min(set(range(1, 99)) - held)
                held.add(copy)
                given[tx] = max(given.get(tx, 1), copy)
            chain.append(names)
        for (tx, copy), is_live in batch.written().items():
            assert (copy in live[tx]) is is_live
