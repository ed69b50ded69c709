"""The ledger's RocksDB table: faster than Postgres, and never the reason for another outcome.

It keeps the unfinal blocks' transactions of a network whose hashes do not come twice: one that does is told apart.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from ft.streams.worker.tables import Table
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import Block, Event, LedgerHarness, Log, live_events, say_hashes_repeat, tx

TWICE = [(tx("mint"), 1, 0, 1), (f"{tx('mint')}~2", 2, 0, 1)]
MINT = Event(tx="mint", target="alice")


@pytest.fixture(autouse=True)
def believed(config: Config) -> None:
    say_hashes_repeat(config, False)


def applied(config: Config) -> Path:
    return config.home / "home" / "rocksdb" / "ledger" / "ledger.normalized-0"


async def test_transactions_come_back_from_the_folder_without_a_query(
    config: Config, ledger: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    log.append(Block(1, [MINT]))
    await ledger.read(log)
    ledger.ledger._cache.forget()
    log.append(Block(2, [MINT]))

    async def unwanted(*_: object) -> None:
        raise AssertionError("asked Postgres")

    monkeypatch.setattr("ft.agents.ledger.cache._refill", unwanted)
    await ledger.read(log)

    assert live_events(config) == TWICE


async def test_a_final_block_and_a_reverted_one_leave_the_folder(config: Config, ledger: LedgerHarness) -> None:
    log = Log()
    log.append(Block(1, [MINT]))
    log.append(second := Block(2, [Event(tx="second", token=2, target="alice")]))
    await ledger.read(log)
    log.finalized = 1
    log.revert(second)
    await ledger.read(log)

    await ledger.close()

    table = Table(replace(config, home=config.home / ledger.owner), ledger.claims[0])
    assert table.fits(ledger.claims[0])
    assert table.get([b"\x02index"]) == {b"\x02index": b"[]"}
    table.close()


@pytest.mark.parametrize("harm", ["missing", "broken", "stale"])
async def test_a_folder_that_is_missing_broken_or_stale_is_filled_again_from_postgres(
    config: Config, make_ledger: MakeLedger, harm: str
) -> None:
    log = Log()
    log.append(Block(1, [MINT]))
    first = await make_ledger(owner="first", home="home")
    await first.read(log)
    await first.close()
    if harm == "missing":
        shutil.rmtree(applied(config))
    elif harm == "broken":
        for path in applied(config).iterdir():
            path.write_bytes(b"broken")
    second = await make_ledger(owner="first" if harm != "stale" else "second", home="home")
    log.append(Block(2, [MINT]))

    await second.read(log)

    assert live_events(config) == TWICE
