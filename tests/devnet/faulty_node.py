"""A replaying node that misbehaves on purpose: what providers do wrong, one switch each, changed while it runs."""

import asyncio
from collections import Counter
from collections.abc import Callable
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
    truncated: bool = False
    """Answer with the first half of what it would have said."""
    retry_after: str = ""
    """Header of every answer with ``http_status``."""
    endless: bool = False
    """Begin to answer, and never end; a byte now and then."""
    huge_bytes: int = 0
    """Blanks behind every answer."""
    null: set[str] = field(default_factory=set)
    """Methods that it answers null."""
    spoil: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """Method -> what becomes of its decoded result, unless that is null."""
    behind: int = 0
    """So many blocks below the real head it believes the head to be."""
    ahead: int = 0
    """So much is added to the height of its head, and to its finality marks."""
    finalized: int | None = None
    """Where it says that finality is."""
    other_receipts: bool = False
    """The receipts of the block below."""


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
            headers = {"Retry-After": faults.retry_after} if faults.retry_after else {}
            return web.Response(status=faults.http_status, text="no service", headers=headers)
        if faults.endless:
            return await _endless(request)
        if faults.garbage:
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        if faults.without_batches and (await request.read()).lstrip().startswith(b"["):
            refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are not supported"}}
            return web.json_response(refusal)
        answer = await super().serve(request)
        body = answer.body
        assert isinstance(body, bytes)
        if faults.truncated:
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        if faults.huge_bytes:
            return web.Response(body=body + b" " * faults.huge_bytes, content_type="application/json")
        return answer

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
        if method in faults.null:
            return b"null"
        if faults.other_receipts and method == "eth_getBlockReceipts":
            params = [hex(int(params[0], 16) - 1)]
        result = self._from_elsewhere(method, params) or self.answer(method, params)
        if method in faults.spoil and result != b"null":
            return msgspec.json.encode(faults.spoil[method](msgspec.json.decode(result)))
        if faults.dropped_log is not None and method in ("eth_getBlockReceipts", "eth_getLogs"):
            return _without_log(method, result, faults.dropped_log)
        if faults.dropped_log is not None and method == "eth_getTransactionReceipt" and result != b"null":
            receipt = msgspec.json.decode(result)
            kept = [log for log in receipt["logs"] if int(log["logIndex"], 16) != faults.dropped_log]
            return msgspec.json.encode(receipt | {"logs": kept})
        return result

    def _from_elsewhere(self, method: str, params: list[Any]) -> bytes | None:
        """What it says of the head and of finality, where that is not the truth."""
        faults, view = self.faults, self.view
        head = view.head - faults.behind + faults.ahead
        if method == "eth_blockNumber" and head != view.head:
            return msgspec.json.encode(hex(head))
        if method != "eth_getBlockByNumber":
            return None
        if params[0] == "latest" and head != view.head:
            return self._claimed(view.head - faults.behind, head, params)
        if params[0] == "safe" and faults.ahead:
            return self._claimed(view.safe, view.safe + faults.ahead, params)
        if params[0] == "finalized" and (faults.ahead or faults.finalized is not None):
            said = view.finalized + faults.ahead if faults.finalized is None else faults.finalized
            return self._claimed(min(said, view.head), said, params)
        known = params[0] in ("latest", "safe", "finalized") or int(params[0], 16) <= view.head - faults.behind
        return None if known else b"null"

    def _claimed(self, height: int, said: int, params: list[Any]) -> bytes:
        """A real block, which says that it stands at another height."""
        header = msgspec.json.decode(self.answer("eth_getBlockByNumber", [hex(height), *params[1:]]))
        return msgspec.json.encode(header | {"number": hex(said)})


async def _endless(request: web.Request) -> web.Response:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"[")
    while True:
        await asyncio.sleep(0.2)
        await response.write(b" ")


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
