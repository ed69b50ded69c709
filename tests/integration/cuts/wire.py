"""A TCP proxy that understands where a message ends, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol, Self

_FLUSH_S = 5.0
Read = Callable[[asyncio.StreamReader], Awaitable[bytes]]


class CutOff(Exception):
    """The connection ends here, in both directions."""


class Conversation(Protocol):
    """One connection. Each method gives the bytes to pass on (none: swallowed), or raises CutOff.

    What is raised with bytes, CutOff(data), is passed on before the end.
    """

    async def read_request(self, reader: asyncio.StreamReader) -> bytes: ...

    async def read_reply(self, reader: asyncio.StreamReader) -> bytes: ...


class Proxy:
    """Listens on a port of its own and passes on to ``host``, ``port``. Used as a context."""

    def __init__(self, host: str, port: int, conversation: Callable[["Proxy"], Conversation]) -> None:
        self.upstream = (host, port)
        self._conversation = conversation
        self._listener = socket.create_server(("127.0.0.1", 0))
        # asyncio sets it where a socket says that it is TCP, and those that this one accepts do not say.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, sock=self._listener)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        """Nobody is let in any more, and who is in goes, with both ends of the connection closed."""
        self._server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        async with _closing(to_client):
            server, to_server = await asyncio.open_connection(*self.upstream)
            async with _closing(to_server):
                await self._talk(client, to_client, server, to_server)

    async def _talk(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        talk = self._conversation(self)
        ways = [
            asyncio.ensure_future(_pass(talk.read_request, client, to_server)),
            asyncio.ensure_future(_pass(talk.read_reply, server, to_client)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


@asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        try:
            with suppress(OSError):
                await asyncio.wait_for(writer.wait_closed(), _FLUSH_S)
        except TimeoutError:
            writer.transport.abort()


async def _pass(read: Read, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, OSError):
        async for data in _until_cut(read, reader):
            writer.write(data)
            await writer.drain()


async def _until_cut(read: Read, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while True:
            yield await read(reader)
    except CutOff as end:
        if end.args:
            yield end.args[0]
