"""Progress of claims: who stands still while records wait."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from ft.config import Config
from ft.errors import BrokerUnavailable
from ft.streams import watch
from ft.streams.checkpoint import Claim
from ft.streams.claims import Claims
from ft.streams.watch import Progress, Watch


def claim(next_offset: int = 0, epoch: int = 1) -> Claim:
    return Claim(consumer="c", topic="t", partition=0, epoch=epoch, next_offset=next_offset, next_seq=1)


def test_a_claim_that_stands_still_while_records_wait_is_stalled() -> None:
    progress, held = Progress(60.0), claim()

    assert progress.stalled({held: 5}, 0.0) is None
    assert progress.stalled({held: 5}, 59.0) is None
    assert progress.stalled({held: 5}, 60.0) is held


def test_a_claim_without_waiting_records_is_never_stalled() -> None:
    progress, held = Progress(60.0), claim(next_offset=5)

    assert progress.stalled({held: 5}, 0.0) is None
    assert progress.stalled({held: 5}, 600.0) is None
    assert progress.stalled({held: 6}, 601.0) is None
    assert progress.stalled({held: 6}, 659.0) is None


def test_progress_begins_the_time_anew() -> None:
    progress, held = Progress(60.0), claim()
    progress.stalled({held: 5}, 0.0)
    held.next_offset = 1

    assert progress.stalled({held: 5}, 61.0) is None
    assert progress.stalled({held: 5}, 120.0) is None
    assert progress.stalled({held: 5}, 121.0) is held


def test_a_new_claim_begins_the_time_anew() -> None:
    progress = Progress(60.0)
    progress.stalled({claim(): 5}, 0.0)

    assert progress.stalled({claim(epoch=2): 5}, 61.0) is None


def test_time_without_a_broker_is_forgiven() -> None:
    progress, held = Progress(60.0), claim()
    progress.stalled({held: 5}, 0.0)

    progress.forgive()

    assert progress.stalled({held: 5}, 61.0) is None
    assert progress.stalled({held: 5}, 121.0) is held


class Watched:
    """A watch over one claim: what its consumer and another client answer, and whether it ends the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, patience_s: float = 0.2) -> None:
        config = Config(home=Path("unused"), cache=Path("unused"), addresses={}, watchdog_s=patience_s)
        self.claim, self.failed = claim(), list[BaseException]()
        self.own: BaseException | int = 5
        self.other: BaseException | int = 5
        claims = Claims(config, "here:1:1")
        monkeypatch.setattr(claims, "held", lambda consumer: [self.claim] if consumer == "ledger" else [])
        monkeypatch.setattr(watch, "ends_of", lambda config, partitions: dict.fromkeys(partitions, said(self.other)))
        self.watch = Watch(config, claims, self._ends, self._fail, "")

    async def _ends(self, claims: list[Claim]) -> Mapping[Claim, int]:
        return dict.fromkeys(claims, said(self.own))

    async def _fail(self, exc: BaseException) -> None:
        self.failed.append(exc)

    async def look(self, times: int = 8, every_s: float = 0.05) -> list[str]:
        """Look at it now and again for longer than its patience; what it ended the process with."""
        for _ in range(times):
            await self.watch._check_progress(0)
            await asyncio.sleep(every_s)
        return [type(exc).__name__ for exc in self.failed]


def said(answer: BaseException | int) -> int:
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def test_a_hop_that_hangs_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)

    assert "Stalled" in await watched.look()
    assert "got none at offset 0 of 5" in str(watched.failed[0])


async def test_a_consumer_that_says_nothing_while_the_broker_answers_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    watched.own = TimeoutError()

    assert "Stalled" in await watched.look()


async def test_a_broker_that_is_away_ends_nothing_and_neither_does_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, patience_s=0.3)
    await watched.watch._check_progress(0)
    watched.own, watched.other = TimeoutError(), BrokerUnavailable("no broker")
    assert await watched.look(times=10) == []

    watched.own = 5
    await watched.watch._check_progress(0)
    watched.claim.next_offset = 5

    assert await watched.look() == []
