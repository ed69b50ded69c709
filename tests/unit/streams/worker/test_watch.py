"""What a worker does about claims that stand still while records wait."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ft.config import Config
from ft.errors import BrokerUnavailable
from ft.streams.worker import watch
from ft.streams.worker.claims import Claims
from ft.streams.worker.fence import Claim
from ft.streams.worker.membership import Membership, membership
from ft.streams.worker.watch import Watch
from tests.unit.streams.worker.test_progress import claim


class Watched:
    """A watch over one claim: what its consumer and another client answer, and whether it ends the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, patience_s: float = 0.2) -> None:
        config = Config(home=Path("unused"), cache=Path("unused"), addresses={}, watchdog_s=patience_s)
        self.claim, self.failed = claim(), list[BaseException]()
        self.held = [self.claim]
        self.own: BaseException | int = 5
        self.other: BaseException | int = 5
        self.member = Membership(joined=True)
        claims = Claims(config, "here:1:1")
        monkeypatch.setattr(claims, "held", lambda consumer: self.held if consumer == "ledger" else [])
        monkeypatch.setattr(watch, "ends_of", lambda config, partitions: dict.fromkeys(partitions, said(self.other)))
        monkeypatch.setattr(watch, "partition_counts", lambda config: said(self.other))
        monkeypatch.setattr(watch, "REBALANCE_S", 0.0)
        self.watch = Watch(config, claims, self._ends, lambda: self.member, self._fail, "")

    async def _ends(self, claims: list[Claim]) -> Mapping[Claim, int]:
        return dict.fromkeys(claims, said(self.own))

    async def _fail(self, exc: BaseException) -> None:
        self.failed.append(exc)

    async def look(self, times: int = 8, every_s: float = 0.05) -> list[str]:
        """Look at it now and again for longer than its patience; what it ended the process with."""
        for _ in range(times):
            await self.watch._check_progress(0)
            await self.watch._check_group(0)
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


async def test_a_partition_that_stands_still_while_another_is_read_is_told_of_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched, other = Watched(monkeypatch), claim(partition=1)
    watched.held.append(other)

    with capture_logs() as lines:
        for offset in range(1, 10):
            other.next_offset = offset
            assert await watched.look(times=1) == []
            if offset < 3:
                assert starved("c") is None
            watched.own = offset + 5

    told = [line for line in lines if line["event"] == "partition is starved"]
    assert [(line["partition"], line["offset"]) for line in told[:1]] == [(0, 0)]
    assert len(told) <= 2
    assert starved("c") == 1


async def test_a_rebalance_that_never_ends_ends_the_process_though_it_holds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    watched.held.clear()
    watched.member = Membership(joined=False)

    assert "Stalled" in await watched.look()
    assert "expected a rebalance to end" in str(watched.failed[0])


async def test_a_rebalance_in_time_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.held.clear()

    for joined in (False, True, False, True):
        watched.member = Membership(joined=joined)
        assert await watched.look(times=2) == []


async def test_a_broker_that_is_away_keeps_everybody_out_of_the_group_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    watched.held.clear()
    watched.member, watched.other = Membership(joined=False), BrokerUnavailable("no broker")

    assert await watched.look() == []


async def test_what_the_driver_keeps_for_a_caller_that_never_comes_ends_the_process_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    watched.member = Membership(joined=True, error=PermissionError("no right on the group"))

    assert await watched.look(times=1) == ["NoMember"]
    assert "got PermissionError: no right on the group" in str(watched.failed[0])


@pytest.mark.parametrize(
    ("generation", "rebalancing", "joined"), [(3, False, True), (3, True, False), (-1, False, False), (-1, True, False)]
)
async def test_a_member_is_who_is_of_the_present_generation_and_in_no_rebalance(
    generation: int, rebalancing: bool, joined: bool
) -> None:
    assert membership(await coordinator(generation), rebalancing=rebalancing) == Membership(joined=joined)


async def test_a_group_task_that_died_and_one_that_waits_to_tell_are_both_heard() -> None:
    dead, waits = KeyError("died"), KeyError("waits")

    assert membership(await coordinator(1, dead), rebalancing=False).error is dead
    assert membership(await coordinator(1, pending=waits), rebalancing=False).error is waits


async def coordinator(
    generation: int, ended: BaseException | None = None, pending: BaseException | None = None
) -> SimpleNamespace:
    """The fields of aiokafka's that are read."""
    task = asyncio.get_running_loop().create_future()
    if ended is not None:
        task.set_exception(ended)
    return SimpleNamespace(_coordination_task=task, _pending_exception=pending, generation=generation)


def starved(consumer: str) -> float | None:
    return REGISTRY.get_sample_value("partitions_starved", {"consumer": consumer})
