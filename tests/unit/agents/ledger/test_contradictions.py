"""What contradicts, from what a transaction found: which event is told, and why."""

from hypothesis import given
from hypothesis import strategies as st

from ft.agents.ledger.contradictions import misled, overdrawn
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.singles import compare_first, contradicts, fold
from ft.agents.ledger.validated_input import Block, Columns
from ft.schemas.families import EVM_ZERO

NETWORK = "n"
TOKEN = (NETWORK, "c", "1")


def stretch(number: int, *moves: tuple[str, str, int], standard: str = "erc721", op: str = "apply") -> Stretch:
    """(from, to, quantity) of events of one token."""
    count = len(moves)
    columns = Columns(
        tx_hash=[f"0x{number}"] * count,
        tx_from=["s"] * count,
        contract=["c"] * count,
        topic0=["t"] * count,
        n=list(range(count)),
        sub_index=[0] * count,
        log_index=list(range(count)),
        standard=[standard] * count,
        token_id=["1"] * count,
        from_account=[source or EVM_ZERO for source, _, _ in moves],
        to_account=[target or EVM_ZERO for _, target, _ in moves],
        operator=[None] * count,
        quantity=[str(quantity) for _, _, quantity in moves],
    )
    block = Block(number, f"0x{number}", 1_700_000_000 + number)
    assert op in ("apply", "revert")
    return Stretch(
        partition=0, seq_from=1, network=NETWORK, block=block, op="apply" if op == "apply" else "revert",
        columns=columns, revision=[1] * count,
    )  # fmt: skip


def test_the_first_event_of_a_token_that_cannot_be_true_is_told() -> None:
    stretches = [stretch(1, ("", "a", 1)), stretch(2, ("x", "b", 1)), stretch(3, ("y", "c", 1))]
    singles = fold(stretches, {})
    compare_first(singles, singles.latest.values(), [(None, None)])

    (found,) = misled(stretches, singles).values()

    assert found.block.number == 2
    assert found.detail == {"reason": "from does not hold it", "holder": "a", "from": "x", "to": "b"}


def test_the_first_event_of_a_transaction_is_compared_with_what_was_known() -> None:
    stretches = [stretch(2, ("", "b", 1)), stretch(3, ("x", "c", 1))]
    singles = fold(stretches, {})
    compare_first(singles, singles.latest.values(), [("a", False)])

    assert misled(stretches, singles)[TOKEN].block.number == 2
    assert misled(stretches, singles)[TOKEN].detail["reason"] == "minted while held"


def test_who_has_a_token_implicitly_gave_it_to_nobody_yet() -> None:
    stretches = [stretch(2, ("a", "b", 1))]
    singles = fold(stretches, {})
    compare_first(singles, singles.latest.values(), [("a", True)])

    assert misled(stretches, singles)[TOKEN].detail["reason"] == "moved before it was minted"
    assert singles.led == {}


def test_nobody_is_nobody_however_it_is_written() -> None:
    assert not contradicts("addr_none", EVM_ZERO)
    assert not contradicts(None, EVM_ZERO)
    assert contradicts(EVM_ZERO, "a")
    assert contradicts(None, "a")
    assert contradicts("a", EVM_ZERO)


def test_a_balance_falls_below_zero_by_the_event_that_last_brought_it_there() -> None:
    stretches = [
        stretch(1, ("a", "b", 2), standard="erc1155"),
        stretch(2, ("", "a", 5), standard="erc1155"),
        stretch(3, ("a", "b", 4), ("a", "b", 1), standard="erc1155"),
        stretch(4, ("a", "b", 1), standard="erc1155"),
    ]

    found = overdrawn(stretches, {TOKEN: {"a": -3}})[TOKEN]

    assert found.block.number == 3
    assert found.detail == {"reason": "negative sum", "sums": [{"account": "a", "quantity": "-3"}]}


def test_a_balance_that_was_below_zero_before_falls_with_what_takes_from_it() -> None:
    stretches = [stretch(7, ("a", "b", 2), standard="erc1155")]

    assert overdrawn(stretches, {TOKEN: {"a": -5}})[TOKEN].block.number == 7


def test_a_balance_that_nothing_takes_from_brings_no_contradiction() -> None:
    stretches = [stretch(7, ("", "a", 2), standard="erc1155")]

    assert overdrawn(stretches, {TOKEN: {"a": -5}}) == {}


ACCOUNTS = st.sampled_from(["", "a", "b", "c"])


@given(st.lists(st.tuples(ACCOUNTS, ACCOUNTS), min_size=1, max_size=12), st.integers(1, 12))
def test_a_token_contradicts_where_a_plain_walk_says_so(moves: list[tuple[str, str]], cut: int) -> None:
    stretches = [stretch(number, (source, target, 1)) for number, (source, target) in enumerate(moves, 1)]
    before = stretches[:cut]
    held = moves[cut - 1][1] or EVM_ZERO if len(moves) >= cut else None
    wrong: list[int] = []
    holder = ""
    for number, (source, target) in enumerate(moves, 1):
        if source != holder:
            wrong.append(number)
        holder = target

    found = []
    for part, known in ((before, (None, None)), (stretches[cut:], (held, False))):
        if part:
            singles = fold(part, {})
            compare_first(singles, singles.latest.values(), [known])
            found += [one.block.number for one in misled(part, singles).values()]

    first = [next((n for n in wrong if n <= cut), None), next((n for n in wrong if n > cut), None)]
    assert found == [n for n in first if n is not None]
