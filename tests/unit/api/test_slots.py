"""Who may ask the database: in turn, never all for one, and nobody waits in vain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog

from ft.api.found import Transfers, TransfersAsk
from ft.api.main import build
from ft.api.problems import problem_of
from ft.api.slots import Overloaded, Slots
from ft.telemetry.sampling import Seldom
from tests.unit.api.test_transfers import Ledger


@asynccontextmanager
async def holding(slots: Slots, client: str, count: int) -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(slots.slot(client))
        yield stack


async def test_one_client_leaves_a_slot_to_others() -> None:
    slots = Slots(10, waiting_max=10, patience_s=0.01)

    async with holding(slots, "greedy", 8):
        with pytest.raises(Overloaded):
            async with slots.slot("greedy"):
                pass
        async with slots.slot("other"), slots.slot("third"):
            pass


async def test_clients_that_wait_take_turns() -> None:
    slots = Slots(1, waiting_max=100, patience_s=5)
    order: list[str] = []

    async def ask(client: str) -> None:
        async with slots.slot(client):
            order.append(client)

    async with slots.slot("first"):
        asked = [asyncio.create_task(ask(client)) for client in ("a", "a", "a", "b", "c")]
        await asyncio.sleep(0)
    await asyncio.gather(*asked)

    assert order == ["a", "b", "c", "a", "a"]


async def test_waiting_ends_with_the_patience() -> None:
    slots = Slots(1, waiting_max=10, patience_s=0.01)

    async with slots.slot("a"):
        with pytest.raises(Overloaded, match=r"within 0\.01 s"):
            async with slots.slot("b"):
                pass
    async with slots.slot("b"):
        pass


async def test_beyond_the_bound_nobody_is_kept_waiting() -> None:
    slots = Slots(1, waiting_max=4, patience_s=60)

    async def ask(client: str) -> None:
        async with slots.slot(client):
            pass

    async with slots.slot("first"):
        asked = [asyncio.create_task(ask(client)) for client in ("a", "a", "b", "b")]
        await asyncio.sleep(0)
        for client in ("a", "c"):
            with pytest.raises(Overloaded, match="expected fewer waiting"):
                await ask(client)
    await asyncio.gather(*asked)


async def test_one_client_is_half_of_those_who_wait_at_most() -> None:
    slots = Slots(1, waiting_max=4, patience_s=60)

    async def ask(client: str) -> None:
        async with slots.slot(client):
            pass

    async with slots.slot("first"):
        asked = [asyncio.create_task(ask(client)) for client in ("a", "a")]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await ask("a")
        asked.append(asyncio.create_task(ask("b")))
        await asyncio.sleep(0)
    await asyncio.gather(*asked)


async def test_who_goes_away_while_waiting_takes_no_slot_along() -> None:
    slots = Slots(1, waiting_max=10, patience_s=60)

    async def ask() -> None:
        async with slots.slot("b"):
            pass

    async with slots.slot("a"):
        gone, too_late = asyncio.create_task(ask()), asyncio.create_task(ask())
        await asyncio.sleep(0)
        gone.cancel()
    too_late.cancel()  # its turn has just come
    await asyncio.gather(gone, too_late, return_exceptions=True)

    await asyncio.wait_for(ask(), 1)


async def test_one_address_asks_so_much_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft.api.observe._ASKING_MAX", 3)
    entered = asyncio.Semaphore(0)
    leave = asyncio.Event()

    class Slow(Ledger):
        async def transfers(self, ask: TransfersAsk) -> Transfers:
            entered.release()
            await leave.wait()
            return await super().transfers(ask)

    app: Any = build(Slow([]))

    def of(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url="http://ft")

    url = "/api/v1/transfers?network=polygon"
    async with of("192.0.2.1") as greedy, of("192.0.2.2") as other:
        asked = [asyncio.create_task(greedy.get(url)) for _ in range(3)]
        for _ in asked:
            await entered.acquire()
        refused = await greedy.get(url)
        beside = asyncio.create_task(other.get(url))
        await entered.acquire()
        leave.set()
        answered = [answer.status_code for answer in await asyncio.gather(*asked, beside)]
        again = await greedy.get(url)

    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, "overloaded", "2")
    assert refused.headers["X-Request-ID"] == refused.json()["request_id"]
    assert (answered, again.status_code) == ([200] * 4, 200)


def test_overload_is_told_as_such_and_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("ft.api.problems._overload", Seldom(structlog.get_logger("test"), lambda: now))

    with structlog.testing.capture_logs() as lines:
        problems = [problem_of(Overloaded("no free connection")) for _ in range(50)]
        now += 1
        problems.append(problem_of(Overloaded("no free connection")))

    assert {(each.status, each.code, each.headers["Retry-After"]) for each in problems} == {(503, "overloaded", "2")}
    assert [(line["event"], line["unsaid"]) for line in lines] == [("overloaded", 0), ("overloaded", 49)]
