"""New heads over a WebSocket: a hint, not a source."""

import asyncio

import aiohttp
from aiohttp import web

from ft.streams.sources.evm.heads import HeadFeed


async def test_an_announced_head_wakes_who_waits_and_a_broken_connection_is_made_again() -> None:
    asked: list[str] = []

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked.append((await socket.receive_json())["params"][0])
        await socket.send_json({"method": "eth_subscription", "params": {"result": {"number": "0x1"}}})
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session, HeadFeed("testnet", [url], session) as feed:
            await asyncio.wait_for(feed.news(1, 30), 5)
            await asyncio.wait_for(feed.news(1, 30), 10)
    finally:
        await runner.cleanup()

    assert asked == ["newHeads", "newHeads"]
