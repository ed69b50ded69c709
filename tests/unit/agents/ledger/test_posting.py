"""Which control rows the ledger writes around reorgs, whatever its partition holds of the blocks."""

from dataclasses import replace
from typing import Any

from ft.agents.ledger.posting import Known, Posting, post
from ft.agents.ledger.validated_input import AnyInput, Append, Block, Columns, Head, Revert, Watermark

NETWORK = "synthetic"
KEY = (0, NETWORK)
TIME = 1_704_067_200


class Chain:
    """Steps of one network for partition 0, the network's control partition where there is only one."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.position = 0

    def append(self, tx: str) -> Append:
        """The next block, with one event."""
        self.head += 1
        columns = Columns(
            tx_hash=[tx], tx_from=["0xs"], contract=["0xc"], topic0=["0xt"], n=[0], sub_index=[0], log_index=[0],
            standard=["erc721"], token_id=["1"], from_account=["a"], to_account=["b"], operator=[None], quantity=["1"],
        )  # fmt: skip
        return Append(block=self._block(self.head, tx), proof="receipts", digest="", columns=columns, **self._step())

    def grow(self, blocks: int = 1) -> Watermark:
        """Blocks of which this partition gets nothing."""
        self.head += blocks
        return Watermark(**self._step())

    def revert(self, fork: str = "", reason: str = "reorg") -> Revert:
        self.head -= 1
        return Revert(block=self._block(self.head + 1, fork), reason=reason, **self._step())

    def _step(self) -> dict[str, Any]:
        self.position += 1
        head = Head(self.head, f"0x{self.head}", TIME)
        return {"network": NETWORK, "position": self.position, "partition": 0, "head": head}

    def _block(self, number: int, fork: str) -> Block:
        return Block(number, f"0x{number}{fork}", TIME)


def posted(steps: list[AnyInput], before: Posting | None = None) -> Posting:
    """In a transaction of its own, on top of the one before."""
    known = Known(
        partition_heads=before.partition_heads if before else {},
        slices=before.slices if before else {},
        rows={
            (s.partition, s.network, s.block.hash): (s.columns, s.revision)
            for s in (before.stretches if before else ())
            if s.op == "apply"
        },
        retracted={},
        live={},
        next_seq=before.next_seq if before else {0: 1},
    )
    return post(steps, known, partitions=1)


def control(posting: Posting) -> list[tuple[object, ...]]:
    return [(s.op, s.block.number, *_range(s.control)) for s in posting.stretches if s.control is not None]


def _range(said: object) -> tuple[int, ...]:
    assert isinstance(said, dict)
    return (said["from"], said["to"]) if "from" in said else ()


def test_two_reorgs_with_nothing_between_them_in_this_partition_are_two() -> None:
    chain = Chain(40)
    steps: list[AnyInput] = [chain.grow(), chain.revert()]
    chain.grow(12)
    steps += [chain.revert() for _ in range(4)]
    steps.append(chain.grow(5))

    assert control(posted(steps)) == [("reorg", 40, 41, 41), ("reorg", 48, 52, 49)]


def test_a_second_reorg_of_the_same_heights_is_a_second_one() -> None:
    chain = Chain(40)
    steps: list[AnyInput] = [chain.grow(2), chain.revert(), chain.revert()]
    chain.grow(2)
    steps += [chain.revert("b"), chain.revert("b"), chain.revert(), chain.grow()]

    assert control(posted(steps)) == [("reorg", 40, 42, 41), ("reorg", 39, 42, 40)]


def test_a_run_goes_on_from_one_transaction_to_the_next() -> None:
    chain = Chain(41)
    first = posted([chain.grow(), chain.revert()])
    second = posted([chain.revert(), chain.grow()], first)

    assert control(first) == []
    assert control(second) == [("reorg", 40, 42, 41)]


def test_a_replaced_block_ends_a_reorg_and_is_none() -> None:
    chain = Chain(40)
    steps: list[AnyInput] = [chain.grow(2), chain.revert(), chain.revert(reason="replace"), chain.grow()]

    assert control(posted(steps)) == [("reorg", 41, 42, 42)]


def test_a_slice_at_or_below_the_head_that_the_partition_had_is_late() -> None:
    chain = Chain(40)
    first = chain.append("s")
    low = replace(chain.append("t"), block=Block(40, "0x40b", TIME))
    posting = posted([first, low, chain.append("u")])

    assert [s.block.number for s in posting.stretches] == [41, 40, 43]
    assert posting.late == {1}


def test_of_what_comes_at_or_below_a_head_the_last_event_of_each_contract_is_noted() -> None:
    chain = Chain(40)
    first = chain.append("s")
    low = replace(chain.append("t"), block=Block(40, "0x40b", TIME))
    events = low.columns
    twice = Columns(**{name: list(getattr(events, name)) * 2 for name in Columns.__slots__})
    low = replace(low, columns=replace(twice, tx_hash=["t", "u"], echo=[False, True]))

    assert posted([first]).late_seqs == {}
    assert posted([first, low, chain.append("v")]).late_seqs == {(NETWORK, "0xc"): 2}


def test_what_is_taken_back_is_late_and_so_is_what_comes_up_to_the_height_of_then() -> None:
    chain = Chain(40)
    begun = posted([chain.append("s"), chain.grow(2)])
    taken = posted([chain.revert(), chain.revert(), chain.revert("s")], begun)
    again = posted([chain.grow(), chain.append("w"), chain.append("x"), chain.append("y")], taken)
    quiet = posted([chain.revert(), chain.grow()], posted([chain.grow()]))

    assert taken.late_seqs == {(NETWORK, "0xc"): 2}
    assert [s.block.number for s in again.stretches if s.op == "apply"] == [42, 43, 44]
    assert again.late_seqs == {(NETWORK, "0xc"): again.stretches[-1].seq_from - 1}
    assert quiet.late_seqs == {}


def test_a_replaced_block_in_the_middle_leaves_the_head_alone() -> None:
    chain = Chain(40)
    begun = posted([chain.append("t"), chain.grow(9)])
    revert = Revert(block=Block(41, "0x41t", TIME), reason="replace", **chain._step())
    replaced = posted([revert, chain.grow()], begun)

    assert control(replaced) == []


def test_one_record_a_position_takes_effect() -> None:
    chain = Chain(head=4)
    first = chain.append("one")
    second = replace(chain.append("two"), position=first.position)

    posting = posted([first, second])

    assert [stretch.columns.tx_hash for stretch in posting.stretches] == [["one"]]


def test_head_and_marks_are_copied_and_never_compared() -> None:
    chain = Chain(head=4)
    high = replace(chain.grow(5), head=Head(9, "0x9", TIME, safe=8, finalized=7))
    low = replace(chain.grow(), head=Head(6, "0x6", TIME, safe=5, finalized=3))

    posting = posted([high, low])

    assert posting.partition_heads[KEY].head == low.head
