"""Who may ask the database: in turn, never all for one, and nobody waits in vain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog

from ft.api.http.month_range import RangeNotIndexed
from ft.api.http.slots import Overloaded, Slots
from ft.api.main import build
from ft.api.transfers.rows import Transfers, TransfersAsk
from ft.errors import DatabaseUnavailable
from ft.telemetry.sampling import Seldom
from tests.unit.api.transfers.test_routes import Ledger


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
    monkeypatch.setattr("ft.api.http.middleware._ASKING_MAX", 3)
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


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Overloaded("expected a free connection within 2 s, got none"), "overloaded"),
        (DatabaseUnavailable("connection refused"), "database_unavailable"),
    ],
)
async def test_what_is_refused_is_told_once_a_second_and_counted(failure: Exception, code: str) -> None:
    now = 100.0

    with structlog.testing.capture_logs() as lines:
        app: Any = build(Ledger([], failure))
        app._refused = Seldom(structlog.get_logger("test"), lambda: now)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
            answers = [await client.get("/api/v1/transfers?network=polygon") for _ in range(50)]
            now += 1
            answers.append(await client.get("/api/v1/transfers?network=polygon", headers={"X-Request-ID": "r-51"}))

    assert {(each.status_code, each.json()["code"], each.headers["Retry-After"]) for each in answers} == {
        (503, code, "2")
    }
    told = [line for line in lines if "database is" not in line["event"]]
    assert [(line["event"], line["log_level"], line["unsaid"]) for line in told] == [
        ("refused", "warning", 0),
        ("refused", "warning", 49),
    ]
    assert (told[1]["request_id"], told[1]["path"], told[1]["status"]) == ("r-51", "/api/v1/transfers", 503)
    assert told[1]["error"] == str(failure)


async def test_requests_that_are_turned_away_are_told_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft.api.http.middleware._ASKING_MAX", 0)

    with structlog.testing.capture_logs() as lines:
        app: Any = build(Ledger([]))
        app._refused = Seldom(structlog.get_logger("test"), lambda: 100.0)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
            answers = await asyncio.gather(*(client.get("/api/v1/transfers?network=polygon") for _ in range(50)))

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(503, "overloaded")}
    assert [line["event"] for line in lines] == ["refused"]


@pytest.mark.parametrize("failure", [RangeNotIndexed("2024-03"), KeyError("x")])
async def test_every_other_error_of_the_server_has_a_line_of_its_own(failure: Exception) -> None:
    with structlog.testing.capture_logs() as lines:
        app: Any = build(Ledger([], failure))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
            for _ in range(5):
                await client.get("/api/v1/transfers?network=polygon")

    assert [line["log_level"] for line in lines if line["event"] == "request"] == ["error"] * 5
