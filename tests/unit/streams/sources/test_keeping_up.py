"""A chain whose filter always holds more than its logs make, at two providers: whichever gives fewer logs, blocks come
30 s behind the head, with the fuller logs."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from ft.streams.sources import SourceUnripe
from ft.streams.sources.evm.ahead import Ahead
from ft.streams.sources.evm.source import EvmSource
from ft.streams.sources.evm.standing import Standing
from tests.unit.streams.sources.made import MadeBlock, Node, block, move
from tests.unit.streams.sources.nodes import serving, source

FAILED = "0x" + "dead" * 10
LOGS, HEADER = "eth_getLogs", "eth_getBlockByNumber"
AWAY = {"code": -32603, "message": "internal error"}
Tell = Callable[[int, Any], Any]
LAST = 60
LOOK_S = 3


def made(number: int) -> MadeBlock:
    return block(number, [move(number)], [move(10_000 + number)]).leak(FAILED)


@dataclass
class Chain:
    """One block a second; a follower that looks every three."""

    tells: tuple[Tell | None, ...]
    batch_max: int = 20
    now: int = 0
    logs: dict[int, int] = field(default_factory=dict)
    """Of each block that came."""
    delays: dict[int, int] = field(default_factory=dict)
    """Seconds after it was made."""

    async def follow(self) -> None:
        """Up to block LAST, or until the follower is two minutes late."""
        nodes = [Node(block(0)) for _ in self.tells]
        for node, tell in zip(nodes, self.tells, strict=True):
            if tell is not None:
                node.tells[LOGS] = tell
        async with serving(nodes[0]) as one, serving(nodes[-1]) as other:
            urls = [one, other][: len(nodes)]
            changes: dict[str, Any] = {"proof": "logs", "batch_max": self.batch_max}
            async with source("ethereum", *urls, give_up_s=None, **changes) as evm:
                evm._asking.standing = Standing(lambda: float(self.now), 30.0)
                evm._asking.ahead = Ahead(evm._asking.standing)
                while len(self.logs) < LAST and self.now < LAST + 120:
                    self.now += 1
                    for node in nodes:
                        node.blocks[self.now] = made(self.now)
                    if self.now % LOOK_S == 0:
                        await evm.marks()
                        await self._read(evm)

    async def _read(self, evm: EvmSource) -> None:
        first = len(self.logs) + 1
        try:
            async for each in evm.blocks(first, min(self.now, LAST)):
                self.logs[each.height], self.delays[each.height] = each.logs, self.now - each.height
        except SourceUnripe:
            pass


def short(_: int, logs: Any) -> Any:
    return logs[:1]


def short_otherwise(_: int, logs: Any) -> Any:
    return logs[1:]


def flapping(share: float, seed: int, otherwise: Tell) -> Tell:
    """At random, so often, the answer is another one."""
    random = Random(seed)
    return lambda number, logs: otherwise(number, logs) if random.random() < share else logs


def between(first: int, last: int, otherwise: Tell) -> Tell:
    """Of these blocks the answer is another one."""
    return lambda number, logs: otherwise(number, logs) if first <= number <= last else logs


@pytest.mark.parametrize("batch_max", [1, 20])
@pytest.mark.parametrize(
    ("tells", "delay"),
    [
        ((short, None), 30),
        ((None, short), 30),
        ((None, None), 0),
        ((between(10, 35, short), None), 30),
        ((None, between(10, 35, short)), 30),
    ],
    ids=["first short", "second short", "neither", "first short for a while", "second short for a while"],
)
async def test_a_follower_keeps_up_whichever_provider_gives_fewer(
    tells: tuple[Tell | None, ...], delay: int, batch_max: int
) -> None:
    """What both give is taken at once."""
    chain = Chain(tells, batch_max)

    await chain.follow()

    assert set(chain.logs.values()) == {2}
    assert len(chain.logs) == LAST
    assert max(chain.delays.values()) <= delay + LOOK_S


@pytest.mark.parametrize(
    ("tells", "delay"), [((short, short), 0), ((short, short_otherwise), 30), ((short_otherwise, short), 30)]
)
async def test_a_follower_keeps_up_where_both_give_fewer(tells: tuple[Tell | None, ...], delay: int) -> None:
    """The same ones at once; where each gives others, one of them once it has stood."""
    chain = Chain(tells)

    await chain.follow()

    assert set(chain.logs.values()) == {1}
    assert len(chain.logs) == LAST
    assert max(chain.delays.values()) <= delay + LOOK_S


@pytest.mark.parametrize(
    "tells",
    [(short, flapping(0.5, 1, lambda *_: AWAY)), (flapping(0.5, 2, lambda *_: AWAY), short)],
    ids=["second", "first"],
)
async def test_a_follower_keeps_up_beside_a_fuller_provider_that_fails_now_and_then(
    tells: tuple[Tell | None, ...],
) -> None:
    chain = Chain(tells)

    await chain.follow()

    assert set(chain.logs.values()) == {2}
    assert len(chain.logs) == LAST
    assert max(chain.delays.values()) <= 75


@pytest.mark.parametrize(
    ("tells", "batch_max"),
    [((short, flapping(0.2, 3, short)), 20), ((flapping(0.2, 4, short), short), 20), ((flapping(0.2, 5, short),), 1)],
    ids=["second", "first", "the only one"],
)
async def test_a_follower_catches_up_beside_a_provider_that_gives_fewer_now_and_then(
    tells: tuple[Tell | None, ...], batch_max: int
) -> None:
    """A block of which it gave fewer first has to stand anew; those behind it stand meanwhile. Of which it gave fewer
    every time, as the other did, nobody knows better."""
    chain = Chain(tells, batch_max)

    await chain.follow()

    assert list(chain.logs.values()).count(1) <= 5
    assert len(chain.logs) == LAST
    assert max(chain.delays.values()) <= 100


async def test_a_provider_that_is_slow_is_heard_beside_and_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft.streams.sources.evm.listening.LISTEN_S", 0.05)
    gate, asked, before = asyncio.Event(), Counter[str](), dict[str, int]()
    quick, slow = (Node(*(made(number) for number in range(20))) for _ in range(2))
    quick.tells[LOGS] = short

    async def answer(request: Any) -> Any:
        calls = request if isinstance(request, list) else [request]
        heights = [int(call["params"][0], 16) for call in calls if call["method"] == HEADER and call["params"][1]]
        if heights and heights[0] > 1:
            asked.update(map(str, heights))
            await gate.wait()
        return slow(request)

    async with (
        serving(quick) as one,
        serving(answer) as other,
        source("ethereum", one, other, give_up_s=None, proof="logs", batch_max=4) as evm,
    ):
        await evm.marks()
        for look in range(24):
            with pytest.raises(SourceUnripe):
                [each async for each in evm.blocks(1, 19)]
            if look == 3:
                before = dict(asked)
                gate.set()

    assert before, "what is slow is under way"
    assert max(asked.values()) <= 2, "once more than by a look that was given up"
