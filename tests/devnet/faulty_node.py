"""A replaying node that misbehaves on purpose: what providers do wrong, one switch each, changed while it runs."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from ft.demo.node import ReplayNode
from ft.demo.recording import Recording
from ft.demo.replay import RpcFault


@dataclass(slots=True, kw_only=True)
class Faults:
    """Every switch is off by default."""

    without: set[str] = field(default_factory=set)
    """Methods it does not know (error -32601), e.g. eth_getBlockReceipts."""
    without_tags: set[str] = field(default_factory=set)
    """Tags it does not know (error -32602), e.g. safe, finalized."""
    dropped_log: int | None = None
    """Position of the log that is missing from every block's receipts and logs; a position in the block, from 0."""
    http_status: int = 0
    """Answer every request with this HTTP status and no JSON-RPC: 500, 503, 429. 0 is off."""
    failures_left: int = 0
    """So many requests get HTTP 503, then it is well again."""
    rpc_error: tuple[int, str] | None = None
    """Answer every call with this JSON-RPC error."""
    delay_s: float = 0.0
    """Seconds before every answer."""
    chain_id: int | None = None
    """The chain id it claims; its blocks stay the same."""
    without_batches: bool = False
    """Answer a batch with one error (-32600) instead of a list."""
    garbage: bool = False
    """Answer with HTTP 200 and something that is no JSON."""


class FaultyNode(ReplayNode):
    """A :class:`ReplayNode` with ``faults`` to switch, and ``calls``: how often each method was asked."""

    def __init__(
        self,
        recording: Recording,
        faults: Faults | None = None,
        *,
        pace_s: float | None = None,
        step: int = 0,
        port: int = 0,
    ) -> None:
        super().__init__(recording, pace_s=pace_s, step=step, port=port)
        self.faults = faults or Faults()
        self.calls: Counter[str] = Counter()

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one HTTP request, or refuse it."""
        faults = self.faults
        if faults.delay_s:
            await asyncio.sleep(faults.delay_s)
        if faults.failures_left > 0:
            faults.failures_left -= 1
            return web.Response(status=503, text="try again later")
        if faults.http_status:
            return web.Response(status=faults.http_status, text="no service")
        if faults.garbage:
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        if faults.without_batches and (await request.read()).lstrip().startswith(b"["):
            refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are not supported"}}
            return web.json_response(refusal)
        return await super().serve(request)

    async def reply(self, method: str, params: list[Any]) -> bytes:
        """The result of one call, spoilt as the switches say."""
        self.calls[method] += 1
        faults = self.faults
        if faults.rpc_error is not None:
            raise RpcFault(*faults.rpc_error)
        if method in faults.without:
            raise RpcFault(-32601, f"the method {method} does not exist/is not available")
        if params and isinstance(params[0], str) and params[0] in faults.without_tags:
            raise RpcFault(-32602, f"invalid argument 0: unknown block tag {params[0]}")
        if method == "eth_chainId" and faults.chain_id is not None:
            return msgspec.json.encode(hex(faults.chain_id))
        result = self.answer(method, params)
        if faults.dropped_log is not None and method in ("eth_getBlockReceipts", "eth_getLogs"):
            return _without_log(method, result, faults.dropped_log)
        return result


def _without_log(method: str, result: bytes, position: int) -> bytes:
    answer = msgspec.json.decode(result)
    if answer and method == "eth_getLogs":
        return msgspec.json.encode([log for at, log in enumerate(answer) if at != position])
    seen = 0
    for receipt in answer or ():
        if seen <= position < seen + len(receipt["logs"]):
            del receipt["logs"][position - seen]
            break
        seen += len(receipt["logs"])
    return msgspec.json.encode(answer)
