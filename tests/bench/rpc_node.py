"""A JSON-RPC node that is never what a bench waits for: answers made before, joined and sent, in its own process.

    python -m tests.bench.rpc_node FILE

FILE holds the blocks (msgpack). Prints its port, then serves until it is stopped. At the first request for a block
under a path that was not asked before it prints the monotonic clock.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.synthetic.proven import Answers

CHAIN_ID = 31337
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class _Call(msgspec.Struct):
    method: str
    id: int
    params: list[Any] = []


_CALLS = msgspec.json.Decoder(list[_Call] | _Call)


class Node(asyncio.Protocol):
    """One connection. Knows POST with a Content-Length, which is all that is asked of it."""

    def __init__(self, blocks: dict[str, Answers], head: Answers, paths: set[bytes]) -> None:
        self._blocks = blocks
        self._head = head
        self._paths = paths
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(_END)) >= 0:
            head = self._read[:end].lower()
            at = head.index(_LENGTH) + len(_LENGTH)
            size = int(head[at:].split(b"\r\n", 1)[0])
            if len(self._read) < end + len(_END) + size:
                return
            body = self._read[end + len(_END) : end + len(_END) + size]
            self._read = self._read[end + len(_END) + size :]
            self._answer(head.split(b" ", 2)[1], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        calls = _CALLS.decode(body)
        if path not in self._paths and b"eth_getBlockReceipts" in body:
            self._paths.add(path)
            print(time.monotonic(), flush=True)
        said = self._one(calls) if isinstance(calls, _Call) else b"[" + b",".join(map(self._one, calls)) + b"]"
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(said)
        )
        self._transport.write(said)

    def _one(self, call: _Call) -> bytes:
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (call.id, self._result(call))

    def _result(self, call: _Call) -> bytes:
        if call.method == "eth_chainId":
            return b'"%s"' % hex(CHAIN_ID).encode()
        if call.method == "eth_blockNumber":
            return b'"%s"' % hex(self._head.height).encode()
        named = self._head if call.params and call.params[0] == "latest" else self._blocks.get(str(call.params[0]))
        if named is None:
            return b"null"
        return named.receipts if call.method == "eth_getBlockReceipts" else named.block


async def serve(found: list[Answers]) -> None:
    """Until cancelled."""
    blocks = {hex(each.height): each for each in found}
    paths = set[bytes]()
    server = await asyncio.get_running_loop().create_server(lambda: Node(blocks, found[-1], paths), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[Answers])))
