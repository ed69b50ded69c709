"""What nodes do instead of answering, and what the client makes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ft.networks import load_networks
from ft.streams.sources import SourceUnavailable
from ft.streams.sources.evm.provider import Provider
from ft.streams.sources.evm.providers import Providers
from ft.streams.sources.evm.rpc import ProviderFailed, RateLimited, RpcClient, RpcError
from ft.streams.sources.evm.source import open_evm
from ft.streams.sources.limits import Breaker, TokenBucket
from tests.unit.streams.sources.nodes import Handler, serving

CALLS: list[tuple[str, list[Any]]] = [("eth_a", []), ("eth_b", [1]), ("eth_c", [])]


async def batch(handler: Handler, *, batch_max: int = 20) -> list[bytes | RpcError]:
    async with serving(handler) as url, aiohttp.ClientSession() as session:
        return await RpcClient(url, session, batch_max=batch_max, timeout_s=5).batch(CALLS)


def answer(call: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": call["method"]}


async def test_results_are_the_nodes_bytes() -> None:
    body = b'[{"id":0,"result":{"a" :  1.00}},{"id":2,"result":null},{"id":1,"result":[ "\\u0041" ]}]'

    replies = await batch(lambda _: web.Response(body=body))

    assert replies == [b'{"a" :  1.00}', b'[ "\\u0041" ]', b"null"]


async def test_an_error_of_one_call_is_a_value_beside_the_other_results() -> None:
    def node(calls: Any) -> Any:
        return [
            {"id": c["id"], "error": {"code": -32000, "message": "header not found"}} if c["id"] == 1 else answer(c)
            for c in calls
        ]

    assert await batch(node) == [b'"eth_a"', RpcError(-32000, "header not found"), b'"eth_c"']


async def test_calls_go_in_batches_of_the_size_that_the_node_takes() -> None:
    sizes: list[int] = []

    def node(calls: Any) -> Any:
        sizes.append(len(calls) if isinstance(calls, list) else 1)
        return [answer(call) for call in calls] if isinstance(calls, list) else answer(calls)

    replies = await batch(node, batch_max=2)

    assert replies == [b'"eth_a"', b'"eth_b"', b'"eth_c"']
    assert sorted(sizes) == [1, 2]


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_batch_that_is_too_large_is_halved_and_the_size_remembered(wrapped: bool) -> None:
    sizes: list[int] = []

    def node(calls: Any) -> Any:
        if isinstance(calls, dict):
            return answer(calls)
        sizes.append(len(calls))
        error = {"id": None, "error": {"code": -32600, "message": "batch too large"}}
        return [answer(call) for call in calls] if len(calls) <= 2 else [error] if wrapped else error

    many = [(f"eth_{at}", list[Any]()) for at in range(8)]
    async with serving(node) as url, aiohttp.ClientSession() as session:
        client = RpcClient(url, session)
        first = await client.batch(many)
        asked = len(sizes)
        again = await client.batch(many)

    assert first == again == [f'"eth_{at}"'.encode() for at in range(8)]
    assert (client.batch_max, sizes[0], max(sizes[asked:])) == (2, 8, 2)


@pytest.mark.parametrize("code", [-32005, 429])
async def test_a_limit_inside_of_a_batch_is_a_limit(code: int) -> None:
    def node(calls: Any) -> Any:
        return [{"id": c["id"], "error": {"code": code, "message": "slow down"}} for c in calls]

    with pytest.raises(RateLimited):
        await batch(node)


@pytest.mark.parametrize("as_a_date", [False, True])
async def test_http_429_says_when_to_come_again(as_a_date: bool) -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(seconds=7), usegmt=True) if as_a_date else "7"

    with pytest.raises(RateLimited) as caught:
        await batch(lambda _: web.Response(status=429, headers={"Retry-After": late}))

    assert caught.value.retry_after_s == pytest.approx(7, abs=2)


@pytest.mark.parametrize(
    "handler",
    [
        lambda _: web.Response(status=503, text="away"),
        lambda _: web.Response(text="<html>maintenance</html>"),
        lambda calls: [answer(call) for call in calls[:2]],
        lambda _: web.Response(status=403, text="no such key"),
    ],
    ids=["http 503", "no json", "an answer missing", "http 403"],
)
async def test_what_is_no_answer_is_a_failure_of_the_provider(handler: Handler) -> None:
    with pytest.raises(ProviderFailed):
        await batch(handler)


async def test_an_error_of_json_rpc_under_http_400_is_that_error() -> None:
    body = {"jsonrpc": "2.0", "id": 0, "error": {"code": -32602, "message": "bad params"}}
    async with serving(lambda _: web.json_response(body, status=400)) as url, aiohttp.ClientSession() as session:
        reply = await RpcClient(url, session).call("eth_a")

    assert reply == RpcError(-32602, "bad params")


class World:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def providers(self, session: aiohttp.ClientSession, *urls: str, give_up_s: float | None = None) -> Providers:
        nodes = [
            Provider(
                client=RpcClient(url, session, timeout_s=5),
                bucket=TokenBucket(0, self.clock),
                breaker=Breaker(self.clock),
                trust=Breaker(self.clock, failures_max=1),
                sleep=self.sleep,
                clock=self.clock,
            )
            for url in urls
        ]
        return Providers("testnet", nodes, give_up_s=give_up_s, clock=self.clock, sleep=self.sleep)


async def ask(providers: Providers) -> bytes | RpcError:
    async def work(provider: Provider) -> bytes | RpcError:
        return await provider.call("eth_a")

    return await providers.ask("a", work)


async def test_a_provider_that_is_away_is_passed_over_and_left_alone_for_a_while() -> None:
    asked = {"away": 0}

    def away(_: Any) -> Any:
        asked["away"] += 1
        return web.Response(status=503)

    world = World()
    async with serving(away) as first, serving(answer) as second, aiohttp.ClientSession() as session:
        providers = world.providers(session, first, second)
        replies = [await ask(providers) for _ in range(20)]
        open_after = asked["away"]
        world.now += 31
        await ask(providers)

    assert replies == [b'"eth_a"'] * 20
    assert world.slept == []
    assert open_after == 5
    assert asked["away"] == 6


async def test_retry_after_is_kept() -> None:
    limits = [web.Response(status=429, headers={"Retry-After": "7"})]
    world = World()

    async with (
        serving(lambda call: limits.pop() if limits else answer(call)) as url,
        aiohttp.ClientSession() as session,
    ):
        reply = await ask(world.providers(session, url))

    assert reply == b'"eth_a"'
    assert world.now >= 7


async def test_where_all_are_away_it_tries_again_with_longer_pauses_until_it_gives_up() -> None:
    world = World()

    async with serving(lambda _: web.Response(status=503)) as url, aiohttp.ClientSession() as session:
        with pytest.raises(SourceUnavailable, match="HTTP 200, got 503"):
            await ask(world.providers(session, url, give_up_s=20))

    assert world.slept == sorted(world.slept)
    assert 20 <= world.now < 120


@pytest.mark.parametrize(("requests_per_s", "is_held"), [(None, False), (0.0, False), (100.0, True)])
async def test_a_source_on_loopback_says_whether_a_stated_rate_held_it_back(
    requests_per_s: float | None, is_held: bool
) -> None:
    def node(calls: Any) -> Any:
        return [{"id": c["id"], "result": "0x89" if c["method"] == "eth_chainId" else None} for c in calls]

    async with serving(node) as url:
        polygon = replace(load_networks()["polygon"], requests_per_s=requests_per_s, batch_max=200)
        async with open_evm(polygon, [url], give_up_s=5) as source:
            await source.hashes(range(120))

            assert (source.held_s() > 0.15) is is_held
