"""A chain whose filter always holds more than its logs make, at one provider: its answers stand side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ft.streams.sources import SourceUnripe
from ft.streams.sources.evm.ahead import AHEAD_BLOCKS, Ahead
from ft.streams.sources.evm.source import EvmSource
from ft.streams.sources.evm.standing import Standing
from tests.unit.streams.sources.made import MadeBlock, Node, block, move
from tests.unit.streams.sources.nodes import serving, source

FAILED = "0x" + "dead" * 10
LOGS = "eth_getLogs"


class Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def leaking(first: int, last: int) -> list[MadeBlock]:
    return [block(number, [move(number)]).leak(FAILED) for number in range(first, last + 1)]


@asynccontextmanager
async def followed(node: Node, clock: Clock, **changes: Any) -> AsyncIterator[EvmSource]:
    """As a follower has it: no limit to its patience, and only block 0 is final."""
    node.blocks[0] = block(0)
    async with serving(node) as url, source("ethereum", url, give_up_s=None, proof="logs", **changes) as evm:
        evm._asking.standing = Standing(clock, 30.0)
        evm._asking.ahead = Ahead(evm._asking.standing)
        await evm.marks()
        yield evm


async def read(evm: EvmSource, first: int, last: int) -> list[int]:
    """The heights that come, up to one that has to stand."""
    found: list[int] = []
    try:
        async for each in evm.blocks(first, last):
            found.append(each.height)
    except SourceUnripe:
        pass
    return found


@pytest.mark.parametrize("batch_max", [1, 4, 20])
@pytest.mark.parametrize("logs_window", [1, 2000])
async def test_the_answers_of_the_blocks_behind_stand_beside_the_first_ones(batch_max: int, logs_window: int) -> None:
    clock, node = Clock(), Node(*leaking(1, 8))

    async with followed(node, clock, batch_max=batch_max, logs_window=logs_window) as evm:
        assert await read(evm, 1, 8) == []
        clock.now += 29.9
        assert await read(evm, 1, 8) == [], "none of them earlier"
        clock.now += 0.1
        assert await read(evm, 1, 8) == list(range(1, 9))


async def test_a_block_that_comes_later_has_to_stand_as_long() -> None:
    clock, node = Clock(), Node(*leaking(1, 4))

    async with followed(node, clock) as evm:
        await read(evm, 1, 4)
        clock.now += 20.0
        node.blocks |= {each.number: each for each in leaking(5, 6)}
        await evm.marks()
        assert await read(evm, 1, 6) == []
        clock.now += 10.0
        assert await read(evm, 1, 6) == [1, 2, 3, 4]
        clock.now += 19.9
        assert await read(evm, 5, 6) == []
        clock.now += 0.1
        assert await read(evm, 5, 6) == [5, 6]


async def test_the_blocks_behind_are_asked_for_once_until_they_may_be_believed() -> None:
    clock, node = Clock(), Node(*leaking(1, 30))

    async with followed(node, clock) as evm:
        await read(evm, 1, 30)
        await read(evm, 1, 30)
        asked = node.calls[LOGS]
        await read(evm, 1, 30)

    assert node.calls[LOGS] - asked == 2, "those of the first block, by its hash and by its height"


async def test_blocks_that_the_filter_proves_are_asked_for_once_behind_one_that_waits() -> None:
    clock = Clock()
    node = Node(*leaking(1, 1), *(block(number, [move(number)]) for number in range(2, 20)))

    async with followed(node, clock) as evm:
        await read(evm, 1, 19)
        await read(evm, 1, 19)
        asked = node.calls[LOGS]
        await read(evm, 1, 19)
        again = node.calls[LOGS] - asked
        clock.now += 30.0
        assert await read(evm, 1, 19) == list(range(1, 20))

    assert again == 2, "those of the first block, by its hash and by its height"


async def test_what_is_asked_for_ahead_has_a_bound() -> None:
    clock, node = Clock(), Node(*leaking(1, AHEAD_BLOCKS + 50))
    last = AHEAD_BLOCKS + 50

    async with followed(node, clock) as evm:
        for _ in range(8):
            await read(evm, 1, last)
        assert {max(told) for told in evm._asking.ahead._told.values()} == {AHEAD_BLOCKS + 1}
        clock.now += 30.0
        assert await read(evm, 1, last) == list(range(1, AHEAD_BLOCKS + 2))


def test_what_is_remembered_has_a_bound() -> None:
    ahead = Ahead(Standing(lambda: 0.0))

    for height in range(2_000):
        ahead.heard("a", height, f"0x{height}")

    assert len(ahead._told["a"]) <= 2 * AHEAD_BLOCKS


async def test_another_block_of_the_same_height_has_to_stand_itself_and_so_have_those_above() -> None:
    clock, node = Clock(), Node(*leaking(1, 20))

    async with followed(node, clock, batch_max=1) as evm:
        for _ in range(3):  # some behind the first one each time
            await read(evm, 1, 20)
        clock.now += 10.0
        for each in leaking(4, 20):
            node.blocks[each.number] = each.reseal(extraData="0x01")
        clock.now += 20.0
        assert await read(evm, 1, 20) == [1, 2, 3]
        assert await read(evm, 4, 20) == []
        clock.now += 29.9
        assert await read(evm, 4, 20) == []
        clock.now += 0.1
        assert await read(evm, 4, 20) == list(range(4, 21))


async def test_logs_that_come_while_others_wait_are_taken_at_once_in_their_turn() -> None:
    clock, node = Clock(), Node(*(block(number, [move(number), move(9)]) for number in range(1, 5)))
    node.tells[LOGS] = lambda _, logs: logs[:1]

    async with followed(node, clock) as evm:
        assert await read(evm, 1, 4) == []
        node.tells.clear()
        assert await read(evm, 1, 4) == [1, 2, 3, 4]
