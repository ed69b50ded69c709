"""Many blocks at once: in order, fetched ahead, cut short where nobody has more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest

from ft.demo.recording import Recording, load_recording
from ft.networks import Mark
from ft.streams.sources import SourceUnavailable
from ft.streams.sources.evm.source import EvmSource
from tests.devnet.faulty_node import Faults, FaultyNode
from tests.unit.streams.sources.nodes import source

LAST = 79
"""Head 82, finalized 74, safe 78."""


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording()


@pytest.fixture
async def node(recording: Recording) -> AsyncIterator[FaultyNode]:
    async with FaultyNode(recording, step=LAST) as serving:
        yield serving


async def heights(evm: EvmSource, first: int, last: int) -> list[int]:
    return [block.height async for block in evm.blocks(first, last)]


async def test_blocks_come_in_order_and_link(node: FaultyNode) -> None:
    async with source("devnet", node.url) as evm:
        blocks = [block async for block in evm.blocks(0, 82)]

    assert [block.height for block in blocks] == list(range(83))
    assert all(above.parent_hash == below.hash for below, above in pairwise(blocks))
    assert {block.proof for block in blocks} == {"receipts"}


async def test_requests_are_under_way_side_by_side(recording: Recording) -> None:
    open_now, most = 0, 0

    class Counting(FaultyNode):
        async def reply(self, method: str, params: list[object]) -> bytes:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(0.02)
            open_now -= 1
            return await super().reply(method, params)

    async with Counting(recording, step=LAST) as slow, source("devnet", slow.url, batch_max=2) as evm:
        assert await heights(evm, 0, 60) == list(range(61))

    assert most >= 6


async def test_it_ends_where_no_provider_has_more(node: FaultyNode) -> None:
    async with source("devnet", node.url) as evm:
        assert await heights(evm, 80, 200) == [80, 81, 82]


async def test_a_provider_that_lags_is_made_up_for_by_the_next(node: FaultyNode, recording: Recording) -> None:
    async with FaultyNode(recording, step=60) as lagging, source("devnet", lagging.url, node.url) as evm:
        assert await heights(evm, 75, 82) == list(range(75, 83))


async def test_a_log_window_asks_for_the_logs_of_many_blocks_at_once(node: FaultyNode) -> None:
    async with source("devnet", node.url, proof="logs", logs_window=2000) as evm:
        blocks = [block async for block in evm.blocks(0, 82)]

    assert {block.proof for block in blocks} == {"logs"}
    assert 0 < node.calls["eth_getLogs"] < 20
    assert node.calls["eth_getBlockReceipts"] == 0


async def test_a_log_dropped_from_a_window_is_seen(node: FaultyNode, recording: Recording) -> None:
    async with (
        FaultyNode(recording, Faults(dropped_log=0), step=LAST) as wrong,
        source("devnet", wrong.url, node.url, proof="logs", logs_window=2000) as evm,
    ):
        blocks = [block async for block in evm.blocks(0, 30)]

    assert {block.provider for block in blocks if block.logs} == {node.url.removeprefix("http://")}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [(set(), (82, 78, 74)), ({"safe", "finalized"}, (82, 82 - 32, 82 - 64)), ({"safe"}, (82, 74, 74))],
)
async def test_marks_come_from_tags_or_depth(node: FaultyNode, tags: set[str], expected: tuple[int, int, int]) -> None:
    node.faults.without_tags = tags

    async with source("devnet", node.url) as evm:
        marks = await evm.marks()

    assert (marks.head, marks.safe, marks.finalized) == expected


async def test_a_mark_of_depth_never_asks_for_the_tag(node: FaultyNode) -> None:
    off = Mark(tag=None, depth=1)

    async with source("devnet", node.url, confirmed=off, finalized=replace(off, depth=10)) as evm:
        marks = await evm.marks()

    assert (marks.head, marks.safe, marks.finalized) == (82, 81, 72)
    assert node.calls["eth_getBlockByNumber"] == 1


async def test_a_tag_that_was_answered_once_is_not_made_up_for_by_depth_when_it_fails(node: FaultyNode) -> None:
    async with source("devnet", node.url, give_up_s=1.0) as evm:
        assert (await evm.marks()).finalized == 74
        node.faults.without_tags = {"finalized"}
        again = await evm.marks()
        evm._survey._told.clear()  # it is too old to count
        with pytest.raises(SourceUnavailable, match="expected its block of tag finalized, as before, got none"):
            await evm.marks()

    assert again.finalized == 74
