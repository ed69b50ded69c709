"""Source, EVM: new heads pushed over a WebSocket (eth_subscribe). Only a hint to look: nothing is believed.

Polling goes on whatever comes here: a feed that is away, silent or wrong costs time, nothing else.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final, Self

import aiohttp
import msgspec
import structlog

from ft.streams.sources.evm.answers import ProofError, hex_int
from ft.streams.sources.evm.rpc import provider_name
from ft.streams.sources.limits import backoff_s

log = structlog.get_logger(__name__)
SILENT_S: Final = 60.0
"""A connection that brings no head for so long is made anew."""
_SUBSCRIBE: Final = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
_AGAIN_S: Final = 0.1
_AGAIN_MAX: Final = 20
"""How often an announced head is looked for that no provider has."""
_GARBAGE_MAX: Final = 5


class _Head(msgspec.Struct):
    number: str


class _Subscription(msgspec.Struct):
    result: _Head


class _Announcement(msgspec.Struct):
    method: str
    params: _Subscription


_ANNOUNCEMENT: Final = msgspec.json.Decoder(_Announcement)


class FeedFailed(Exception):
    """This connection brings nothing."""


class HeadFeed:
    """Listens to every pushing provider; :meth:`news` returns when any announced a head that is new."""

    def __init__(
        self, network: str, urls: Sequence[str], session: aiohttp.ClientSession, *, silent_s: float | None = None
    ) -> None:
        """``silent_s``: how long a connection may bring nothing, default a minute."""
        self._network = network
        self._urls = tuple(urls)
        self._session = session
        self._silent_s = SILENT_S if silent_s is None else silent_s
        self._announced = -1
        self._moved = asyncio.Event()
        self._looked = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._listen(url)) for url in self._urls]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def news(self, head: int, timeout_s: float) -> None:
        """Return at the next announcement, at the latest after ``timeout_s``. ``head``: what the providers have.

        One that is announced already and that they do not have yet: return a little later, so often.
        """
        if self._announced > head and self._looked < _AGAIN_MAX:
            self._looked += 1
            timeout_s = min(timeout_s, _AGAIN_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), timeout_s)
        self._moved.clear()

    async def _listen(self, url: str) -> None:
        name, attempt = provider_name(url), 0
        while True:
            try:
                async with self._session.ws_connect(url, heartbeat=20) as socket:
                    await socket.send_str(_SUBSCRIBE)
                    heads = 0
                    async for height in self._heads(socket):
                        heads += 1
                        self._announce(height)
                        attempt = 0
                raise FeedFailed(f"the connection was closed after {heads} heads")
            except (aiohttp.ClientError, OSError, ValueError, FeedFailed) as exc:
                error = str(exc) if isinstance(exc, FeedFailed) else type(exc).__name__
                log.info("new heads away", network=self._network, provider=name, error=error)
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    async def _heads(self, socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[int]:
        """Heights that are announced. Raises FeedFailed where there are none for long, or mostly something else."""
        garbage = 0
        while True:
            try:
                message = await socket.receive(self._silent_s)
            except TimeoutError:
                raise FeedFailed(f"expected a head within {self._silent_s:g} s, none came") from None
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
                return
            try:
                announcement = _ANNOUNCEMENT.decode(message.data)
                yield hex_int(announcement.params.result.number, "a head's number")
                garbage = 0
            except (msgspec.MsgspecError, TypeError, ValueError, ProofError) as exc:
                garbage += 1  # the first is the subscription's number
                if garbage > _GARBAGE_MAX:
                    raise FeedFailed(f"expected heads, got something else {garbage} times: {exc}") from None

    def _announce(self, height: int) -> None:
        if height != self._announced:
            self._announced, self._looked = height, 0
        self._moved.set()
