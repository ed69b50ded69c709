"""The tail belongs to the newest registered claim: whoever held an older one writes nothing to it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ft.config import Config
from ft.errors import DatabaseUnavailable
from ft.sql.session import connect_writer
from ft.streams.ingest.raw_log import LeaseLost
from ft.streams.ingest.reconcile import Row
from ft.streams.ingest.unfinalized import UnfinalizedBlocks

ROW = Row(height=5, hash="0xfive", parent="0xfour", offset=7)


@pytest.fixture
async def tails(config: Config) -> AsyncIterator[tuple[UnfinalizedBlocks, UnfinalizedBlocks]]:
    """Of two processes that follow one network."""
    opened = UnfinalizedBlocks(config, "devnet", "topic", "one"), UnfinalizedBlocks(config, "devnet", "topic", "two")
    yield opened
    for tail in opened:
        await tail.close()


async def test_an_older_claim_writes_nothing(tails: tuple[UnfinalizedBlocks, UnfinalizedBlocks]) -> None:
    old, new = tails
    await old.take(3)
    await new.take(9)

    with pytest.raises(LeaseLost):
        await old.anchor(ROW)
    with pytest.raises(LeaseLost):
        await old.seen()

    assert await new.rows() == []


async def test_an_older_claim_is_not_registered_after_a_newer_one(
    tails: tuple[UnfinalizedBlocks, UnfinalizedBlocks],
) -> None:
    old, new = tails
    await new.take(9)

    with pytest.raises(LeaseLost):
        await old.take(3)

    await new.anchor(ROW)
    assert [row.height for row in await new.rows()] == [5]


async def test_who_follows_waits_for_postgres_as_long_as_it_takes(
    tails: tuple[UnfinalizedBlocks, UnfinalizedBlocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 40

    async def away(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left > 0:
            raise DatabaseUnavailable("connection refused")
        return await connect_writer(*args, **kwargs)

    monkeypatch.setattr("ft.streams.ingest.unfinalized.connect_writer", away)
    monkeypatch.setattr("ft.streams.ingest.unfinalized._LONGEST_PAUSE_S", 0.001)

    await tails[0].take(3)

    assert left == 0


async def test_who_stops_while_postgres_is_away_just_stops(
    tails: tuple[UnfinalizedBlocks, UnfinalizedBlocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    await tails[0].take(3)
    await tails[0].close()

    async def away(*_: Any, **__: Any) -> Any:
        raise DatabaseUnavailable("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr("ft.streams.ingest.unfinalized.connect_writer", away)
        await tails[0].let_go()
