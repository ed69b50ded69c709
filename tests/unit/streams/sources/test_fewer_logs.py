"""Logs that are fewer than the header's filter has bits for: a chain's custom, or a node that is late."""

from collections.abc import Callable
from typing import Any

import pytest

from ft.streams.sources import SourceError
from ft.streams.sources.evm.standing import Standing
from tests.unit.streams.sources.made import APES, MadeBlock, Node, block, move
from tests.unit.streams.sources.test_ladder import BULK, LOGS, SINGLE, outcome, read, the_block, two_moves

FAILED = "0x" + "dead" * 10
"""A contract whose logs went with a transaction that failed."""


def leaking(number: int = 7) -> MadeBlock:
    return two_moves(number).leak(FAILED)


@pytest.mark.parametrize("items", [(FAILED,), ()], ids=["of a failed transaction", "every bit"])
@pytest.mark.parametrize("logs_window", [1, 2000])
async def test_of_a_final_block_they_are_taken_and_called_unproven(items: tuple[str, ...], logs_window: int) -> None:
    node = Node(two_moves(6).leak(*items), two_moves(7).leak(*items))

    async with read(node, proof="logs", logs_window=logs_window) as evm:
        found = [each async for each in evm.blocks(6, 7)]

    assert [outcome(each) for each in found] == 2 * [("logs", ("bloom_superset",), 3)]


async def test_of_a_fresh_block_they_wait_until_the_same_answer_has_stood(quick: None) -> None:
    now = [100.0]
    node = Node(leaking())

    async with read(node, final=False, proof="logs") as evm:
        evm._asking.standing = Standing(lambda: now[0], 30.0)
        for seconds in (0.0, 20.0, 9.0):
            now[0] += seconds
            with pytest.raises(SourceError, match="nothing proves it yet"):
                [each async for each in evm.blocks(7, 7)]
        now[0] += 1.0
        (found,) = [each async for each in evm.blocks(7, 7)]

    assert outcome(found) == ("logs", ("bloom_superset",), 3)


async def test_another_answer_begins_to_stand_anew(quick: None) -> None:
    now = [100.0]
    node = Node(leaking())
    node.tells[LOGS] = lambda _, logs: logs[:2]

    async with read(node, final=False, proof="logs") as evm:
        evm._asking.standing = Standing(lambda: now[0], 30.0)
        with pytest.raises(SourceError):
            [each async for each in evm.blocks(7, 7)]
        node.tells.clear()
        now[0] += 29.0
        with pytest.raises(SourceError):
            [each async for each in evm.blocks(7, 7)]
        now[0] += 29.0
        with pytest.raises(SourceError):
            [each async for each in evm.blocks(7, 7)]


async def test_a_second_provider_that_says_the_same_is_enough() -> None:
    found = await the_block(Node(leaking()), Node(leaking()), final=False, proof="logs")

    assert outcome(found) == ("logs", ("bloom_superset",), 3)


async def test_a_second_provider_that_says_more_is_believed_instead() -> None:
    late, whole = Node(two_moves()), Node(two_moves())
    late.tells[LOGS] = lambda _, logs: logs[:1]

    assert outcome(await the_block(late, whole, final=False, proof="logs")) == ("logs", (), 3)


@pytest.mark.parametrize("logs_window", [1, 2000])
@pytest.mark.parametrize("order", [1, -1], ids=["the first has fewer", "the second has fewer"])
async def test_of_a_final_block_the_provider_with_more_logs_is_believed(order: int, logs_window: int) -> None:
    """Though neither list makes the filter."""
    late, whole = Node(leaking(6), leaking(7)), Node(leaking(6), leaking(7))
    late.tells[LOGS] = lambda _, logs: logs[:1]

    async with read(*[late, whole][::order], proof="logs", logs_window=logs_window) as evm:
        found = [each async for each in evm.blocks(6, 7)]

    assert [outcome(each) for each in found] == 2 * [("logs", ("bloom_superset",), 3)]


class Said:
    """What providers say of one block, as time passes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.standing = Standing(lambda: self.now, 30.0)

    def __call__(self, provider: str, logs: int) -> bool:
        """Whether it is believed."""
        self.standing.note("0xb", provider, f"{logs} logs", logs)
        return self.standing.believes("0xb", provider, f"{logs} logs")


def test_fewer_are_not_believed_while_a_provider_has_given_more() -> None:
    said = Said()

    assert not said("late", 1)
    assert not said("ahead", 2)
    said.now += 31.0
    assert not said("late", 1)
    assert said("ahead", 2)


def test_a_provider_that_gives_now_fewer_and_now_more_is_believed_in_the_more() -> None:
    """The answer need not stand without a break: the first time and this one are enough."""
    said = Said()

    for at in range(31):
        said.now = float(at)
        assert not said("flapping", 1)
        assert said("flapping", 2) == (at >= 30)


def test_fewer_are_not_believed_though_two_give_them_after_one_of_them_gave_more() -> None:
    said = Said()

    said("a", 2)
    assert not said("a", 1)
    assert not said("b", 1)


def test_what_a_provider_has_not_given_again_for_five_minutes_is_in_nobodys_way() -> None:
    said = Said()
    said("gone", 2)
    said("here", 1)

    said.now = 299.0
    assert not said("here", 1)
    said.now = 300.0
    assert said("here", 1)


def test_a_block_has_a_bound_of_answers_that_are_remembered() -> None:
    said = Said()

    for logs in range(1_000):
        said.now += 1.0
        said("mad", logs)

    assert len(said.standing._known["0xb"]) <= 16


@pytest.mark.parametrize("final", [True, False])
async def test_none_at_all_are_taken_where_the_receipts_say_so_too(final: bool) -> None:
    """A transaction that failed, alone in its block: what it logged is in the filter only."""
    made = block(7, [], []).leak(FAILED, APES)

    nodes = [Node(made)] if final else [Node(made), Node(made)]
    found = await the_block(*nodes, final=final, proof="logs")

    assert outcome(found) == ("logs", ("bloom_superset",), 0)


async def test_a_block_without_transactions_may_have_any_filter() -> None:
    assert outcome(await the_block(Node(block(7).leak()), proof="logs")) == ("logs", ("bloom_superset",), 0)


@pytest.mark.parametrize(
    "late",
    [
        {BULK: lambda *_: None, SINGLE: lambda *_: None},
        {BULK: lambda *_: [], SINGLE: lambda *_: None},
        {BULK: lambda _, receipts: receipts[:1], SINGLE: lambda *_: None},
        {BULK: lambda *_: [], SINGLE: lambda _, receipt: receipt | {"blockHash": None}},
        {},
    ],
    ids=["no receipts", "an empty list", "a short list", "pending ones", "receipts with logs"],
)
async def test_none_at_all_are_not_taken_where_the_receipts_do_not_say_so(
    late: dict[str, Callable[[int, Any], Any]], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Final at the node as the block is, and however long it stands."""
    monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", 0.0)
    node = Node(block(7, [move(1)], []))
    node.tells |= {LOGS: lambda *_: [], **late}

    with pytest.raises(SourceError, match="nothing proves it yet"):
        await the_block(node, proof="logs")


def test_what_is_remembered_has_a_bound() -> None:
    standing = Standing(lambda: 0.0)

    for number in range(20_000):
        standing.note(f"0x{number}", "a", "", 1)

    assert len(standing._known) <= 16_384
