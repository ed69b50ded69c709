"""Waiting for a block: whatever an answer shows must be there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from ft.api.http import freshness
from ft.api.http.heads import HeadRow
from ft.api.http.min_block import await_block
from ft.api.http.problems import Problem


@dataclass
class Heads:
    """Each consumer's head, by block; one that is not named has read nothing."""

    numbers: dict[str, int]
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def network_names(self, sought: str) -> Sequence[str]:
        return ("base", "polygon")

    async def head(self, network: str, contract: str | None, consumer: str) -> HeadRow | None:
        self.asked.append((consumer, contract))
        if consumer not in self.numbers:
            return None
        number = self.numbers[consumer]
        time = datetime(2024, 5, 1, tzinfo=UTC)
        return HeadRow(network=network, partition=0, position=number, head_number=number, head_hash="0x",
                       head_time=time, safe=-1, finalized=-1)  # fmt: skip


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "MIN_BLOCK_PATIENCE_S", 0.0)


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [({"ledger": 100, "project": 99}, 99), ({"ledger": 98, "project": 100}, 98), ({"ledger": 100}, None)],
)
async def test_the_one_furthest_behind_is_waited_for_and_told(numbers: dict[str, int], shown: int | None) -> None:
    with pytest.raises(Problem) as refused:
        await await_block(Heads(numbers), "polygon:100", "polygon", "0xc0", ("ledger", "project"))

    assert refused.value.as_of is not None
    assert refused.value.as_of.block_number == shown


async def test_what_an_answer_does_not_show_is_not_waited_for() -> None:
    heads = Heads({"ledger": 100})

    await await_block(heads, "polygon:100", "polygon", "0xc0")

    assert heads.asked == [("ledger", "0xc0")]


async def test_a_request_about_every_network_waits_for_all_of_the_one_that_is_named() -> None:
    heads = Heads({"ledger": 100})

    await await_block(heads, "base:100", None)

    assert heads.asked == [("ledger", None)]


async def test_a_block_of_another_network_than_the_requests_is_refused_at_once() -> None:
    heads = Heads({"ledger": 100})

    with pytest.raises(Problem) as refused:
        await await_block(heads, "base:100", "polygon", "0xc0")

    assert (refused.value.status, refused.value.code, heads.asked) == (422, "invalid_request", [])
    assert refused.value.detail == "expected a block of polygon, which the request is about, got base:100"


@pytest.mark.parametrize("about", [None, "polygon"])
async def test_a_block_of_a_network_that_nobody_knows_is_refused_at_once(about: str | None) -> None:
    heads = Heads({"ledger": 100})

    with pytest.raises(Problem) as refused:
        await await_block(heads, "nowhere:100", about)

    assert (refused.value.status, refused.value.code, heads.asked) == (422, "unknown_network", [])
    assert refused.value.detail == "expected a configured network (base, polygon), got 'nowhere'"


@pytest.mark.parametrize("header", ["polygon:100,base:7", "polygon:100, base:7"])
async def test_two_blocks_are_refused_with_what_was_expected(header: str) -> None:
    with pytest.raises(Problem) as refused:
        await await_block(Heads({"ledger": 100}), header, None)

    assert refused.value.detail == f"expected one <network>:<block number>, got {header!r}"
