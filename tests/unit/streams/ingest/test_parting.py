"""Where a node's chain parts from the log, whoever asks: the contradiction, and the command that it advises."""

from collections.abc import Mapping, Sequence

import pytest

from ft.streams.ingest.parting import parts_at


@pytest.mark.parametrize(
    ("denied_from", "top", "parted"),
    [
        (5_000, 4_999, 5_000),
        (4_999, 4_999, 4_999),
        (4_000, 4_999, 4_000),
        (3_999, 4_999, 3_999),
        (1_234, 4_999, 1_234),
        (0, 4_999, 0),
        (0, -1, 0),
    ],
)
async def test_the_lowest_block_of_the_stretch_that_the_node_denies_is_found(
    denied_from: int, top: int, parted: int
) -> None:
    asked: list[int] = []

    async def in_log(low: int, high: int) -> Mapping[int, str]:
        return {height: f"log {height}" for height in range(low, high + 1)}

    async def at_node(heights: Sequence[int], known: Mapping[int, str]) -> Mapping[int, str | None]:
        asked.extend(heights)
        return {height: known[height] if height < denied_from else f"node {height}" for height in heights}

    assert await parts_at(in_log, at_node, top) == parted
    assert len(asked) <= top + 1 - parted + 1_000


async def test_a_height_that_the_log_or_the_node_does_not_have_ends_the_search() -> None:
    async def in_log(low: int, high: int) -> Mapping[int, str]:
        return {height: "log" for height in range(low, high + 1) if height != 7}

    async def at_node(heights: Sequence[int], known: Mapping[int, str]) -> Mapping[int, str | None]:
        return {height: None if height < 9 else "node" for height in heights}

    assert await parts_at(in_log, at_node, 12) == 9
