"""Source, EVM: new heads pushed over a WebSocket (eth_subscribe). Only a hint to look: nothing is believed."""

import asyncio
from collections.abc import Sequence
from typing import Self

import aiohttp
import structlog

from ft.streams.sources.evm.limits import backoff_s

log = structlog.get_logger(__name__)
_SUBSCRIBE = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


class HeadFeed:
    """Listens to every pushing provider; :meth:`moved` returns when any announced a head since it was last asked."""

    def __init__(self, network: str, urls: Sequence[str], session: aiohttp.ClientSession) -> None:
        self._network = network
        self._urls = tuple(urls)
        self._session = session
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._listen(at, url)) for at, url in enumerate(self._urls)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def moved(self) -> None:
        """Return at the next announcement, or at once if one came already."""
        await self._moved.wait()
        self._moved.clear()

    async def _listen(self, at: int, url: str) -> None:
        attempt = 0
        while True:
            try:
                async with self._session.ws_connect(url, heartbeat=20) as socket:
                    await socket.send_str(_SUBSCRIBE)
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._moved.set()
                            attempt = 0
            except (aiohttp.ClientError, OSError) as exc:
                log.info("new heads away", network=self._network, provider=at, error=type(exc).__name__)
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1
