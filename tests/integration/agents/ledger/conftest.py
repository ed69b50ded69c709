"""A ledger on a real Postgres, fed with records as normalize sends them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from ft.agents.ledger.recount import Recounter
from ft.config import Config
from tests.integration.agents.ledger.harness import LedgerHarness

MakeLedger = Callable[..., Awaitable[LedgerHarness]]


@pytest.fixture
async def make_ledger(config: Config) -> AsyncIterator[MakeLedger]:
    """Opens ledgers on one database; two of them are two processes."""
    opened: list[LedgerHarness] = []

    async def make(*, owner: str = "one", partitions: int = 1, **settings: Any) -> LedgerHarness:
        harness = await LedgerHarness.open(config, owner=owner, partitions=partitions, **settings)
        opened.append(harness)
        return harness

    yield make
    for harness in opened:
        await harness.close()


@pytest.fixture
async def recounter(config: Config) -> AsyncIterator[Recounter]:
    made = Recounter(config)
    yield made
    await made.close()


@pytest.fixture
async def ledger(make_ledger: MakeLedger) -> LedgerHarness:
    return await make_ledger()
