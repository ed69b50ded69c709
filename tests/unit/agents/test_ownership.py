"""The rule of who holds a token, against a model that keeps every live event."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.agents.ownership import NO_FLOOR, Holding, Move, Position, apply, floor_after, movements, retract
from ft.schemas.ids import EVM_ZERO

ACCOUNTS = ("a", "b", "c", EVM_ZERO)


def move(source: str, target: str, *position: int) -> Move:
    block, log_index, sub_index = (*position, 0, 0)[:3]
    return Move(from_account=source, to_account=target, position=(block, log_index, sub_index), time=block)


def held(account: str, *position: int, returned: bool = False) -> Holding:
    block, log_index, sub_index = (*position, 0, 0)[:3]
    return Holding(
        account=account, position=(block, log_index, sub_index), since=None if returned else block, returned=returned
    )


def test_the_first_event_seen_gives_the_token_to_its_receiver() -> None:
    assert apply(None, move("a", "b", 5), NO_FLOOR) == held("b", 5)


def test_a_later_event_moves_the_token_on() -> None:
    assert apply(held("a", 5), move("a", "b", 5, 1), NO_FLOOR) == held("b", 5, 1)


@pytest.mark.parametrize("position", [(4, 9), (5, 0)], ids=["older", "the same"])
def test_an_event_that_is_not_later_changes_nothing(position: tuple[int, int]) -> None:
    before = held("a", 5)

    assert apply(before, move("x", "b", *position), NO_FLOOR) is before


def test_retracting_the_event_a_row_stands_on_gives_the_token_back_just_before_it() -> None:
    assert retract(held("b", 5, 2), move("a", "b", 5, 2)) == held("a", 5, 2, -1, returned=True)


def test_retracting_an_older_event_changes_nothing() -> None:
    before = held("c", 6)

    assert retract(before, move("a", "b", 5)) is before


def test_retracting_on_goes_further_back_along_the_accounts() -> None:
    returned = held("b", 6, 0, -1, returned=True)

    assert retract(returned, move("a", "b", 5)) == held("a", 5, 0, -1, returned=True)


def test_retracting_an_older_event_of_another_account_leaves_what_was_given_back() -> None:
    returned = held("b", 6, 0, -1, returned=True)

    assert retract(returned, move("a", "c", 5)) is returned


def test_a_re_included_event_may_come_at_a_lower_position() -> None:
    returned = held("a", 6, 3, -1, returned=True)

    assert apply(returned, move("a", "b", 6, 1), 5) == held("b", 6, 1)


@pytest.mark.parametrize("block", [1, 4, 5])
def test_an_event_that_no_reorg_undid_does_not_take_on_what_was_given_back(block: int) -> None:
    returned = held("a", 6, 3, -1, returned=True)

    assert apply(returned, move("a", "b", block), 5) is returned


def test_the_floor_is_the_highest_block_that_the_last_reorg_left() -> None:
    floor = NO_FLOOR
    for op, block, expected in (
        ("apply", 9, -1),
        ("finality", 9, -1),
        ("revert", 9, 8),
        ("revert", 7, 6),
        ("finality", 4, 4),  # 6 and 5 fell too, without events here
        ("apply", 5, 4),
        ("finality", 12, 4),
        ("revert", 12, 11),
    ):
        floor = floor_after(floor, op, block)
        assert floor == expected, (op, block)


def test_the_event_by_which_an_account_has_what_was_given_back_tells_since_when() -> None:
    returned = held("b", 14, 0, -1, returned=True)

    assert apply(returned, move("a", "b", 12), 13) == Holding(
        account="b", position=(14, 0, -1), since=12, returned=True
    )


def test_retracting_what_was_never_seen_leaves_no_row() -> None:
    assert retract(None, move("a", "b", 5)) is None


@pytest.mark.parametrize(
    ("source", "target", "op", "expected"),
    [
        ("a", "b", "apply", [("a", -7), ("b", 7)]),
        ("a", "b", "revert", [("a", 7), ("b", -7)]),
        (EVM_ZERO, "b", "apply", [("b", 7)]),
        ("a", EVM_ZERO, "apply", [("a", -7)]),
        ("a", "a", "apply", []),
    ],
    ids=["transfer", "its retraction", "mint", "burn", "to oneself"],
)
def test_a_multi_event_moves_its_quantity(source: str, target: str, op: str, expected: list[tuple[str, int]]) -> None:
    assert list(movements(source, target, 7, op)) == expected


@dataclass
class TokenChain:
    """One token's way along a chain with reorgs, and its live events."""

    random: Random
    blocks: list[list[Move]] = field(default_factory=list)
    undone: list[Move] = field(default_factory=list)

    @property
    def live(self) -> dict[Position, Move]:
        return {event.position: event for block in self.blocks for event in block}

    @property
    def owner(self) -> str:
        """``to`` of the live event with the greatest position."""
        return self.live[max(self.live)].to_account if self.live else EVM_ZERO

    def grow(self) -> list[Move]:
        """A block of moves that are possible one after the other, undone ones first where they still are."""
        owner, block = self.owner, []
        log_index = 0
        for _ in range(self.random.randrange(4)):
            log_index += 1 + self.random.randrange(3)
            again = next((e for e in self.undone if e.from_account == owner), None)
            target = again.to_account if again and self.random.random() < 0.7 else self.random.choice(ACCOUNTS)
            block.append(move(owner, target, len(self.blocks), log_index, self.random.randrange(2)))
            owner = target
        self.blocks.append(block)
        self.undone.clear()
        return block

    def undo(self) -> list[Move]:
        """The highest block's events, last first."""
        block = self.blocks.pop()
        self.undone[:0] = block
        return block[::-1]


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 3), max_size=30))
def test_the_row_is_with_the_receiver_of_the_latest_live_event(random: Random, plan: list[int]) -> None:
    """Each number of the plan: 0 undoes up to four blocks, others append one."""
    chain, row, floor = TokenChain(random), None, NO_FLOOR
    for step in plan:
        if step == 0:
            for _ in range(min(len(chain.blocks), random.randrange(1, 5))):
                for event in chain.undo():
                    row, floor = retract(row, event), floor_after(floor, "revert", event.position[0])
            floor = floor_after(floor, "finality", len(chain.blocks) - 1)
        else:
            for event in chain.grow():
                row = apply(row, event, floor)

        assert (row.account if row else EVM_ZERO) == chain.owner


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_any_order_of_arrival_gives_the_same_row(random: Random, length: int) -> None:
    chain = TokenChain(random)
    events = [event for _ in range(length) for event in chain.grow()]
    in_order = shuffled = None
    for event in events:
        in_order = apply(in_order, event, NO_FLOOR)
    for event in random.sample(events, len(events)):
        shuffled = apply(shuffled, event, NO_FLOOR)

    assert in_order == shuffled


@given(st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), st.integers(0, 2**256 - 1))))
def test_what_is_applied_and_retracted_leaves_every_balance_at_zero(events: list[tuple[str, str, int]]) -> None:
    balances: Counter[str] = Counter()
    for source, target, quantity in events:
        for op in ("apply", "revert"):
            for account, change in movements(source, target, quantity, op):
                balances[account] += change

    assert not any(balances.values())
