"""A JSON-RPC node that replays a recording: recorded answers of a real node, in the order a follower saw them.

It executes nothing and invents nothing. A block that a reorg undid is still answered by its hash, as nodes do.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Final, Self

import msgspec
from aiohttp import web

from ft.demo.recording import Recording
from ft.demo.replay import Chain, RpcFault, View

CLIENT_VERSION: Final = "ft-replay"
_NULL: Final = b"null"
_REQUEST_BYTES_MAX: Final = 16 * 2**20


class _Request(msgspec.Struct):
    method: str
    params: list[Any] = []
    id: msgspec.Raw = msgspec.Raw(_NULL)


class ReplayNode:
    """Serves a recording on loopback, as an async context manager; :func:`replaying` runs one in a thread.

    ``pace_s``: seconds between steps; None (default) waits for :meth:`advance`. ``step``: the step it starts at,
    default 0. ``port``: default 0, a free one; see :attr:`url`. ``advance`` may be called from any thread.
    """

    def __init__(self, recording: Recording, *, pace_s: float | None = None, step: int = 0, port: int = 0) -> None:
        self._chain = Chain(recording)
        self._pace_s = pace_s
        self._port = port
        self._runner: web.AppRunner | None = None
        self._walk: asyncio.Task[None] | None = None
        self.view: View = self._chain.view_at(step)

    @property
    def url(self) -> str:
        """HTTP endpoint."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def done(self) -> bool:
        """Whether the last step is served."""
        return self.view.step + 1 >= self._chain.steps

    def advance(self, steps: int = 1) -> bool:
        """Go on by so many steps, at most to the last. False if it was there already."""
        if self.done:
            return False
        self.view = self._chain.view_at(min(self.view.step + steps, self._chain.steps - 1), self.view)
        return True

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, and begin to walk if there is a pace."""
        app = web.Application(client_max_size=_REQUEST_BYTES_MAX)
        app.router.add_post("/", self.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        if self._pace_s is not None:
            self._walk = asyncio.create_task(self._walk_on(self._pace_s))

    async def stop(self) -> None:
        """Stop listening."""
        if self._walk is not None:
            self._walk.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._walk
        if self._runner is not None:
            await self._runner.cleanup()

    async def reply(self, method: str, params: list[Any]) -> bytes:
        """The JSON of the result of one call. Raises RpcFault for what a node answers with an error."""
        return self.answer(method, params)

    def answer(self, method: str, params: list[Any]) -> bytes:
        """As :meth:`reply`, from the present view."""
        chain, view = self._chain, self.view
        match method, params:
            case "eth_chainId", _:
                return _quoted(hex(chain.chain_id))
            case "net_version", _:
                return _quoted(str(chain.chain_id))
            case "web3_clientVersion", _:
                return _quoted(CLIENT_VERSION)
            case "eth_syncing", _:
                return b"false"
            case "eth_blockNumber", _:
                return _quoted(hex(view.head))
            case "eth_getBlockByNumber" | "eth_getBlockByHash", [str(at), *rest]:
                found = chain.find(view, at)
                return _NULL if found is None else found.with_transactions if rest[:1] == [True] else found.with_hashes
            case "eth_getBlockReceipts", [at, *_]:
                found = chain.find(view, _place(at))
                return _NULL if found is None else found.receipts
            case "eth_getTransactionReceipt", [str(tx), *_]:
                return chain.receipt(view, tx) or _NULL
            case "eth_getLogs", [dict(wanted), *_]:
                return chain.logs(view, wanted)
            case "eth_getBlockByNumber" | "eth_getBlockByHash" | "eth_getTransactionReceipt" | "eth_getLogs", _:
                raise RpcFault(-32602, f"{method}: expected its parameters, got {params}")
        raise RpcFault(-32601, f"the method {method} does not exist/is not available")

    async def _walk_on(self, pace_s: float) -> None:
        while not self.done:
            await asyncio.sleep(pace_s)
            self.advance()

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one HTTP request: a call or a batch of them."""
        body = await request.read()
        try:
            calls = msgspec.json.decode(body, type=list[_Request] | _Request)
        except msgspec.MsgspecError as exc:
            return _json(_failed(b"null", RpcFault(-32600, f"expected a JSON-RPC request: {exc}")))
        if isinstance(calls, _Request):
            return _json(await self._called(calls))
        return _json(b"[" + b",".join([await self._called(call) for call in calls]) + b"]")

    async def _called(self, call: _Request) -> bytes:
        try:
            result = await self.reply(call.method, call.params)
        except RpcFault as fault:
            return _failed(bytes(call.id), fault)
        return b'{"jsonrpc":"2.0","id":' + bytes(call.id) + b',"result":' + result + b"}"


@contextlib.contextmanager
def replaying(node: ReplayNode) -> Iterator[ReplayNode]:
    """Run a node in a thread with its own event loop, for callers that have none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="replay-node", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(node.start(), loop).result(30)
        yield node
    finally:
        asyncio.run_coroutine_threadsafe(node.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def _place(at: object) -> str:
    """A height, tag or hash, bare or in the object of EIP-1898."""
    named = at.get("blockHash", at.get("blockNumber")) if isinstance(at, dict) else at
    if isinstance(named, str):
        return named
    raise RpcFault(-32602, f"expected a block number, tag or hash, got {at!r}")


def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)


def _failed(call_id: bytes, fault: RpcFault) -> bytes:
    error = msgspec.json.encode({"code": fault.code, "message": fault.message})
    return b'{"jsonrpc":"2.0","id":' + call_id + b',"error":' + error + b"}"


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
