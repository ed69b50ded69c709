"""A node of blocks that are made here, and told in every odd way: what it answers to each method can be changed."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ft.streams.sources.evm import proof
from ft.streams.sources.evm.bloom import bloom_of
from tests.synthetic.sealed import HEADER, seal

Json = dict[str, Any]
TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
APES: Final = "0x" + "a9e5" * 10
_FULL: Final = "0x" + "ff" * 256


def move(token: int, *, of: str = APES) -> Json:
    """A log: the token from one account to another."""
    topics = [TRANSFER, *(f"0x{word:064x}" for word in (0xA11CE, 0xB0B, token))]
    return {"address": of, "topics": topics, "data": "0x", "removed": False}


@dataclass
class MadeBlock:
    """A block that proves itself, as JSON that may be changed before it is told."""

    header: Json
    receipts: list[Json]
    outside: list[Json] = field(default_factory=list)
    """Polygon's state-sync receipt."""

    @property
    def number(self) -> int:
        return int(self.header["number"], 16)

    @property
    def logs(self) -> list[Json]:
        return [log for receipt in (*self.receipts, *self.outside) for log in receipt["logs"]]

    def reseal(self, **changed: Any) -> "MadeBlock":
        """Another header, under the hash that it makes."""
        self.header |= changed
        made = f"0x{proof.block_hash(proof.read_block(json.dumps(self.header).encode())).hex()}"
        self.header["hash"] = made
        for each in (*self.receipts, *self.logs, *self.header["transactions"]):
            each["blockHash"] = made
        return self

    def leak(self, *items: str) -> "MadeBlock":
        """More in the filter than the logs make; no item: all of its bits."""
        bits = int(self.header["logsBloom"], 16) | bloom_of(bytes.fromhex(item[2:]) for item in items)
        return self.reseal(logsBloom=f"0x{bits:0512x}" if items else _FULL)

    def synced(self, *logs: Json, listed: bool = True, tx_hash: str | None = None) -> "MadeBlock":
        """With state sync outside of the root."""
        own = tx_hash or proof.state_sync_hash(proof.read_block(json.dumps(self.header).encode()))
        place = {"blockHash": self.header["hash"], "transactionHash": own}
        self.outside = [_receipt(own, len(self.receipts), logs) | place]
        for log in self.outside[0]["logs"]:
            log |= place
        if listed:
            self.header["transactions"].append(_transaction(own, "0x0"))
        return self


def block(number: int, *txs: Sequence[Json], kind: str = "0x2", parent: str = "0x" + "11" * 32) -> MadeBlock:
    """A block of these transactions, each given by its logs."""
    hashes = [f"0x{number:032x}{at:032x}" for at in range(len(txs))]
    receipts = [_receipt(tx, at, logs, kind) for at, (tx, logs) in enumerate(zip(hashes, txs, strict=True))]
    for at, log in enumerate(log for receipt in receipts for log in receipt["logs"]):
        log["logIndex"] = hex(at)
    header: Json = HEADER | {"hash": "0x", "receiptsRoot": "0x", "logsBloom": "0x", "extraData": "0x"}
    header["transactionsRoot"] = "0x" + "22" * 32  # the source does not ask what it is of
    header |= {"number": hex(number), "timestamp": hex(1_700_000_000 + 12 * number), "parentHash": parent}
    header["transactions"] = [_transaction(tx, kind) for tx in hashes]
    seal(header, receipts)
    return MadeBlock(header, receipts)


def _as_it_is(_: int, answer: Any) -> Any:
    return answer


def _receipt(tx_hash: str, at: int, logs: Sequence[Json], kind: str = "0x0") -> Json:
    return {
        "transactionHash": tx_hash, "transactionIndex": hex(at), "from": "0x" + "ab" * 20, "status": "0x1",
        "type": kind, "cumulativeGasUsed": hex(50_000 * (at + 1)), "logsBloom": "0x" + "00" * 256,
        "logs": [dict(log) | {"transactionHash": tx_hash, "logIndex": hex(k)} for k, log in enumerate(logs)],
    }  # fmt: skip


def _transaction(tx_hash: str, kind: str) -> Json:
    return {"hash": tx_hash, "type": kind, "from": "0x" + "ab" * 20}


class Node:
    """Tells these blocks. ``tells``: method -> what becomes of its result, given the block's number too."""

    def __init__(self, *blocks: MadeBlock, chain_id: int = 1) -> None:
        self.blocks = {each.number: each for each in blocks}
        self.chain_id = chain_id
        self.finalized = 0
        self.without: set[str] = set()
        self.tells: dict[str, Callable[[int, Any], Any]] = {}
        self.by_hash: Callable[[int, Any], Any] = lambda _, logs: logs
        """What becomes of eth_getLogs by a block's hash."""
        self.calls: Counter[str] = Counter()

    def __call__(self, request: Any) -> Any:
        return [self._one(call) for call in request] if isinstance(request, list) else self._one(request)

    def _one(self, call: Json) -> Json:
        method, answer = call["method"], {"jsonrpc": "2.0", "id": call["id"]}
        self.calls[method] += 1
        if method in self.without:
            return answer | {"error": {"code": -32601, "message": f"the method {method} does not exist"}}
        number, result = self._result(method, call["params"])
        told = self.tells.get(method, _as_it_is)(number, json.loads(json.dumps(result)))
        return answer | ({"error": told} if isinstance(told, dict) and "code" in told else {"result": told})

    def _result(self, method: str, params: list[Any]) -> tuple[int, Any]:
        head = max(self.blocks)
        if method == "eth_chainId":
            return -1, hex(self.chain_id)
        if method == "eth_blockNumber":
            return -1, hex(head)
        if method == "eth_getTransactionReceipt":
            return self._receipt(params[0])
        if method == "eth_getLogs" and "blockHash" in params[0]:
            found = next((b for b in self.blocks.values() if b.header["hash"] == params[0]["blockHash"]), None)
            return (-1, None) if found is None else (found.number, self.by_hash(found.number, found.logs))
        if method == "eth_getLogs":
            first, last = (int(params[0][name], 16) for name in ("fromBlock", "toBlock"))
            return last, [log for n in range(first, last + 1) if n in self.blocks for log in self.blocks[n].logs]
        tags = {"latest": head, "safe": self.finalized, "finalized": self.finalized}
        number = tags[params[0]] if params[0] in tags else int(params[0], 16)
        known = self.blocks.get(number)
        if known is None:
            return number, None
        return number, known.header if method == "eth_getBlockByNumber" else [*known.receipts, *known.outside]

    def _receipt(self, tx_hash: str) -> tuple[int, Any]:
        for number, known in self.blocks.items():
            for receipt in (*known.receipts, *known.outside):
                if receipt["transactionHash"] == tx_hash:
                    return number, receipt
        return -1, None
