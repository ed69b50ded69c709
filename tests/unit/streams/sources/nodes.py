"""Nodes of these tests: a handler of JSON-RPC requests behind a real HTTP server, and recorded mainnet blocks."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from ft.networks import Network, load_networks
from ft.streams.sources.evm.source import EvmSource, open_evm

Handler = Callable[[Any], Any]
"""Request (one call or a batch, decoded) to response: JSON, or a web.Response."""


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A node's URL."""

    async def serve(request: web.Request) -> web.Response:
        answer = handler(await request.json())
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    app = web.Application()
    app.router.add_post("/{key:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def network(slug: str, **changes: Any) -> Network:
    """A built-in network without its rate limit."""
    return replace(load_networks()[slug], requests_per_s=0.0, **changes)


@asynccontextmanager
async def source(
    slug: str, *urls: str, give_up_s: float | None = 20.0, timeout_s: float = 5.0, **changes: Any
) -> AsyncIterator[EvmSource]:
    async with open_evm(network(slug, **changes), urls, give_up_s=give_up_s, timeout_s=timeout_s) as opened:
        yield opened


class Recorded:
    """A node that serves one recorded mainnet block and knows nothing of any other.

    ``without``: methods it does not know. ``spoil``: changes an answer, by method. ``calls``: methods asked, in order.
    """

    def __init__(self, fixtures: Path, slug: str, height: int) -> None:
        folder = fixtures / "evm" / slug / str(height)
        self.block = _read(folder / "block.json.gz")
        self.receipts = _read(folder / "receipts.json.gz")
        self.chain_id = {"polygon": 137, "ethereum": 1}[slug]
        self.height = height
        self.without: set[str] = set()
        self.spoil: dict[str, Callable[[Any], Any]] = {}
        self.calls: list[str] = []
        self.batches = True

    def __call__(self, request: Any) -> Any:
        if isinstance(request, list):
            if not self.batches:
                return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are not supported"}}
            return [self._one(call) for call in reversed(request)]
        return self._one(request)

    def _one(self, call: dict[str, Any]) -> dict[str, Any]:
        method, params = call["method"], call["params"]
        self.calls.append(method)
        if method in self.without:
            error = {"code": -32601, "message": f"the method {method} does not exist/is not available"}
            return {"jsonrpc": "2.0", "id": call["id"], "error": error}
        result = self._result(method, params)
        return {"jsonrpc": "2.0", "id": call["id"], "result": self.spoil.get(method, lambda same: same)(result)}

    def _result(self, method: str, params: list[Any]) -> Any:
        mine = bool(params) and params[0] in (hex(self.height), self.block["hash"])
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method in ("eth_getBlockByNumber", "eth_getBlockByHash"):
            return json.loads(json.dumps(self.block)) if mine else None
        if method == "eth_getBlockReceipts":
            return json.loads(json.dumps(self.receipts)) if mine else None
        if method == "eth_getTransactionReceipt":
            return next((r for r in self.receipts if r["transactionHash"] == params[0]), None)
        if method == "eth_getLogs":
            return [log for receipt in self.receipts for log in receipt["logs"]]
        return None


def _read(path: Path) -> Any:
    document = json.loads(gzip.decompress(path.read_bytes()))
    return document["result"] if isinstance(document, dict) and "result" in document else document
