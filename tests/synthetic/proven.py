"""A synthetic block as a node answers it, so that it proves itself: bloom, both roots and hash are computed.

The synthetic chain's own block hashes are not used: a header's hash follows from what it states. Fields stand in the
order of their names, and there are as many as a real node sends: their bytes are read and thrown away.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from tests.synthetic.chain import Block, block_json, receipts_json
from tests.synthetic.creation import transactions_root
from tests.synthetic.sealed import HEADER, seal

GAS: Final = 70_000
_EMPTY: Final = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
_INPUT: Final = "0x" + "5a" * 132


@dataclass(frozen=True, slots=True)
class Answers:
    """One block, as JSON."""

    height: int
    hash: str
    block: bytes
    """Of eth_getBlockByNumber, with full transactions."""
    receipts: bytes
    """Of eth_getBlockReceipts."""
    logs: int


def answers(block: Block, parent_hash: str) -> Answers:
    """The block above another one."""
    header, receipts = _header(block, parent_hash), _receipts(block)
    block_hash = seal(header, receipts)
    header["transactions"] = [each | {"blockHash": block_hash} for each in header["transactions"]]
    return Answers(block.number, block_hash, _encoded(header), _encoded(receipts), logs=len(block.moves))


def _header(block: Block, parent_hash: str) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(block_json(block)) | HEADER
    transactions = [_transaction(tx, block) for tx in known["transactions"]]
    return known | {
        "extraData": "0x",
        "gasLimit": hex(1 << 28),
        "gasUsed": hex(GAS * len(transactions)),
        "parentHash": parent_hash,
        "size": "0x1000",
        "stateRoot": _EMPTY,
        "totalDifficulty": "0x0",
        "transactions": transactions,
        "transactionsRoot": transactions_root(transactions),
        "uncles": [],
    }


def _transaction(known: dict[str, Any], block: Block) -> dict[str, Any]:
    if "r" in known:
        return known | {"blockNumber": hex(block.number)}
    return known | {
        "blockNumber": hex(block.number),
        "chainId": "0x7a69",
        "gas": hex(GAS),
        "gasPrice": "0x9",
        "input": _INPUT,
        "maxFeePerGas": "0x12",
        "maxPriorityFeePerGas": "0x2",
        "nonce": known["transactionIndex"],
        "r": known["hash"],
        "s": known["hash"],
        "type": "0x2",
        "v": "0x1",
    }


def _receipts(block: Block) -> list[dict[str, Any]]:
    return [
        receipt | {"cumulativeGasUsed": hex(GAS * count), "effectiveGasPrice": "0x9", "gasUsed": hex(GAS)}
        for count, receipt in enumerate(json.loads(receipts_json(block)), 1)
    ]


def _encoded(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
