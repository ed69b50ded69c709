"""The rule of who holds a token, against a plain model that recomputes from all that is live."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.agents.ownership import NOWHERE, Arrival, Holding, Position, Token, movements
from ft.schemas.families import EVM_ZERO

ACCOUNTS = ("a", "b", "c", EVM_ZERO)


def at(block: int, log_index: int = 0) -> Position:
    return (block, log_index, 0)


def held(account: str, block: int, log_index: int = 0) -> Holding:
    return Holding(account=account, position=at(block, log_index), time=block)


def arrival(account: str, block: int, log_index: int = 0, *, single: bool = True) -> Arrival:
    return Arrival(at(block, log_index), account, block, single)


def test_nothing_is_known_of_a_token_before_its_first_event() -> None:
    assert Token().holding is None


def test_the_first_event_seen_gives_the_token_to_its_receiver() -> None:
    token = Token()
    token.apply(arrival("b", 5))

    assert token.holding == held("b", 5)


def test_a_later_event_moves_the_token_on() -> None:
    token = Token([arrival("a", 5)])
    token.apply(arrival("b", 5, 1))

    assert token.holding == held("b", 5, 1)


def test_an_event_that_is_older_changes_nothing() -> None:
    token = Token([arrival("a", 5)])
    token.apply(arrival("b", 4, 9))

    assert token.holding == held("a", 5)


def test_after_a_retraction_the_token_is_with_the_receiver_of_the_greatest_event_left() -> None:
    token = Token([arrival("a", 2), arrival("b", 3)])
    token.retract(at(3), EVM_ZERO)

    assert token.holding == held("a", 2)


def test_retracting_an_older_event_changes_nothing() -> None:
    token = Token([arrival("a", 2), arrival("b", 3)])
    token.retract(at(2), EVM_ZERO)

    assert token.holding == held("b", 3)


def test_a_burn_that_named_a_spender_gives_the_token_back_to_its_holder() -> None:
    token = Token([arrival("a", 2), arrival(EVM_ZERO, 3)])
    token.retract(at(3), "spender")

    assert token.holding == held("a", 2)


def test_a_token_without_a_live_event_is_with_whom_its_latest_retraction_names_implicitly() -> None:
    token = Token([arrival("b", 5), arrival("c", 6)])
    token.retract(at(6), "b")
    token.retract(at(5), "a")

    assert token.holding == Holding(account="a", position=NOWHERE, time=0)
    assert token.holding.implicit


@pytest.mark.parametrize("block", [0, 4, 9])
def test_any_event_that_is_read_later_overrides_an_implicit_holding(block: int) -> None:
    token = Token(given="a")
    token.apply(arrival("b", block))

    assert token.holding == held("b", block)


def test_a_retracted_event_that_comes_again_lower_counts_at_its_new_place() -> None:
    token = Token([arrival("a", 2), arrival("b", 6, 3)])
    token.retract(at(6, 3), "a")
    token.apply(arrival("b", 6, 1))

    assert token.holding == held("b", 6, 1)


def test_events_of_balances_move_a_token_that_one_account_holds() -> None:
    token = Token([arrival("a", 2)])
    token.apply(arrival("b", 3, single=False))

    assert token.holding == held("b", 3)


def test_where_no_live_event_says_that_one_account_holds_it_the_balances_of_a_token_count() -> None:
    token = Token([arrival("a", 2, single=False), arrival("b", 3)])
    token.retract(at(3), "a")

    assert token.has_balances
    assert token.holding is None


def test_what_a_retraction_of_a_balance_leaves_without_a_live_event_nobody_holds() -> None:
    token = Token([arrival("a", 2, single=False), arrival("b", 3)])
    token.retract(at(3), "a")
    token.retract(at(2), None)

    assert not token.has_balances
    assert token.holding is None


@pytest.mark.parametrize(
    ("source", "target", "op", "expected"),
    [
        ("a", "b", "apply", [("a", -7), ("b", 7)]),
        ("a", "b", "revert", [("a", 7), ("b", -7)]),
        (EVM_ZERO, "b", "apply", [("b", 7)]),
        ("a", EVM_ZERO, "apply", [("a", -7)]),
        ("a", "a", "apply", []),
        (EVM_ZERO, EVM_ZERO, "apply", []),
    ],
    ids=["transfer", "its retraction", "mint", "burn", "to oneself", "of nobody to nobody"],
)
def test_a_multi_event_moves_its_quantity(source: str, target: str, op: str, expected: list[tuple[str, int]]) -> None:
    assert list(movements(source, target, 7, op)) == expected


Told = tuple[Position, str, str, bool]
"""Position, from, to, and whether the event's standard says that one account holds the token."""


@dataclass
class TokenChain:
    """One token on a chain with reorgs whose contract does what it likes: it mints live tokens, names spenders, burns
    what others have, moves to oneself, tells of balances as well. Old blocks are read at any time."""

    random: Random
    live: dict[Position, Arrival] = field(default_factory=dict)
    given: str | None = None
    blocks: list[list[Told]] = field(default_factory=list)
    hybrid: bool = False

    def grow(self, number: int) -> list[Told]:
        places = sorted(self.random.sample(range(9), self.random.randrange(4)))
        return [
            (at(number, i), self.random.choice(ACCOUNTS), self.random.choice(ACCOUNTS), self._is_single())
            for i in places
        ]

    def _is_single(self) -> bool:
        return not self.hybrid or self.random.random() < 0.5

    def holding(self) -> Holding | None:
        """Recomputed from scratch."""
        if any(arrival.single for arrival in self.live.values()):
            top = self.live[max(self.live)]
            return Holding(account=top.account, position=top.position, time=top.time)
        if self.live or self.given is None:
            return None
        return Holding(account=self.given, position=NOWHERE, time=0)

    def apply(self, token: Token, block: list[Told]) -> None:
        for position, _, target, single in block:
            self.live[position] = Arrival(position, target, position[0], single)
            token.apply(self.live[position])
            assert token.holding == self.holding()

    def undo(self, token: Token, block: list[Told]) -> None:
        for position, source, _, single in reversed(block):
            del self.live[position]
            self.given = source if single else None
            token.retract(position, self.given)
            assert token.holding == self.holding()


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 4), max_size=40), st.booleans())
def test_every_step_of_any_history_gives_what_a_recount_from_scratch_gives(
    random: Random, plan: list[int], hybrid: bool
) -> None:
    """Each number of the plan: 0 undoes up to four blocks; 1 reads an old one; 2 replaces one amid the chain; others
    append one."""
    chain, token, old = TokenChain(random, hybrid=hybrid), Token(), list(range(100))
    for step in plan:
        if step == 0:
            for _ in range(min(len(chain.blocks), random.randrange(1, 5))):
                chain.undo(token, chain.blocks.pop())
        elif step == 1:
            chain.apply(token, chain.grow(old.pop(random.randrange(len(old)))))
        elif step == 2 and chain.blocks:
            number = random.randrange(len(chain.blocks))
            chain.undo(token, chain.blocks[number])
            chain.blocks[number] = chain.grow(1_000 + number)
            chain.apply(token, chain.blocks[number])
        else:
            chain.blocks.append(chain.grow(1_000 + len(chain.blocks)))
            chain.apply(token, chain.blocks[-1])


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_any_order_of_arrival_gives_the_same_holding(random: Random, length: int) -> None:
    chain, in_order, shuffled = TokenChain(random, hybrid=True), Token(), Token()
    events = [Arrival(p, to, p[0], single) for number in range(length) for p, _, to, single in chain.grow(number)]
    for event in events:
        in_order.apply(event)
    for event in random.sample(events, len(events)):
        shuffled.apply(event)

    assert in_order.holding == shuffled.holding


@given(st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), st.integers(0, 2**256 - 1))))
def test_what_is_applied_and_retracted_leaves_every_balance_at_zero(events: list[tuple[str, str, int]]) -> None:
    balances: Counter[str] = Counter()
    for source, target, quantity in events:
        for op in ("apply", "revert"):
            for account, change in movements(source, target, quantity, op):
                balances[account] += change

    assert not any(balances.values())
