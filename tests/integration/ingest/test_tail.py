"""The tail belongs to the newest registered claim: whoever held an older one writes nothing to it."""

from collections.abc import AsyncIterator

import pytest

from ft.config import Config
from ft.streams.linking import Row
from ft.streams.raw import LeaseLost
from ft.streams.tail import Tail

ROW = Row(height=5, hash="0xfive", parent="0xfour", offset=7)


@pytest.fixture
async def tails(config: Config) -> AsyncIterator[tuple[Tail, Tail]]:
    """Of two processes that follow one network."""
    opened = Tail(config, "devnet", "topic", "one"), Tail(config, "devnet", "topic", "two")
    yield opened
    for tail in opened:
        await tail.close()


async def test_an_older_claim_writes_nothing(tails: tuple[Tail, Tail]) -> None:
    old, new = tails
    await old.take(3)
    await new.take(9)

    with pytest.raises(LeaseLost):
        await old.anchor(ROW)
    with pytest.raises(LeaseLost):
        await old.seen()

    assert await new.rows() == []


async def test_an_older_claim_is_not_registered_after_a_newer_one(tails: tuple[Tail, Tail]) -> None:
    old, new = tails
    await new.take(9)

    with pytest.raises(LeaseLost):
        await old.take(3)

    await new.anchor(ROW)
    assert [row.height for row in await new.rows()] == [5]
