"""A synthetic block as a node answers it, so that it proves itself: bloom, receiptsRoot and hash are computed.

The synthetic chain's own block hashes are not used: a header's hash follows from what it states.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from ft.streams.sources.evm import proof
from ft.streams.sources.evm.answers import read_block, read_receipts
from tests.synthetic.chain import TRANSFER, TRANSFER_SINGLE, Block, Tx
from tests.synthetic.model import ZERO, Move

GAS: Final = 70_000
_EMPTY: Final = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
_UNCLES: Final = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
_NO_HASH: Final = "0x" + "0" * 64
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
    receipts, logs = _receipts(block), sum(len(tx.moves) for tx in block.txs)
    header = _header(block, parent_hash, receipts)
    header["hash"] = f"0x{proof.block_hash(read_block(json.dumps(header).encode())).hex()}"
    for receipt in receipts:
        receipt["blockHash"] = header["hash"]
        for log in receipt["logs"]:
            log["blockHash"] = header["hash"]
    header["transactions"] = [_transaction(block, header["hash"], at, tx) for at, tx in enumerate(block.txs)]
    return Answers(block.number, header["hash"], json.dumps(header).encode(), json.dumps(receipts).encode(), logs)


def _header(block: Block, parent_hash: str, receipts: list[dict[str, Any]]) -> dict[str, Any]:
    read = read_receipts(json.dumps(receipts).encode())
    return {
        "baseFeePerGas": "0x7",
        "difficulty": "0x0",
        "extraData": "0x",
        "gasLimit": hex(1 << 28),
        "gasUsed": hex(GAS * len(receipts)),
        "hash": _NO_HASH,
        "logsBloom": f"0x{proof.logs_bloom(log for receipt in read for log in receipt.logs).hex()}",
        "miner": ZERO,
        "mixHash": _NO_HASH,
        "nonce": "0x0000000000000000",
        "number": hex(block.number),
        "parentHash": parent_hash,
        "receiptsRoot": f"0x{proof.receipts_root(read).hex()}",
        "sha3Uncles": _UNCLES,
        "size": "0x1000",
        "stateRoot": _EMPTY,
        "timestamp": hex(block.time),
        "totalDifficulty": "0x0",
        "transactions": [],
        "transactionsRoot": _EMPTY,
        "uncles": [],
    }


def _transaction(block: Block, block_hash: str, at: int, tx: Tx) -> dict[str, Any]:
    return {
        "blockHash": block_hash,
        "blockNumber": hex(block.number),
        "chainId": "0x7a69",
        "from": tx.sender,
        "gas": hex(GAS),
        "gasPrice": "0x9",
        "hash": tx.hash,
        "input": _INPUT,
        "maxFeePerGas": "0x12",
        "maxPriorityFeePerGas": "0x2",
        "nonce": hex(at),
        "r": tx.hash,
        "s": tx.hash,
        "to": tx.moves[0].contract,
        "transactionIndex": hex(at),
        "type": "0x2",
        "v": "0x1",
        "value": "0x0",
    }


def _receipts(block: Block) -> list[dict[str, Any]]:
    found, log_index = [], 0
    for at, tx in enumerate(block.txs):
        logs = []
        for move in tx.moves:
            logs.append(_log(block, tx, at, log_index, move))
            log_index += 1
        receipt = {
            "blockHash": _NO_HASH,
            "blockNumber": hex(block.number),
            "contractAddress": None,
            "cumulativeGasUsed": hex(GAS * (at + 1)),
            "effectiveGasPrice": "0x9",
            "from": tx.sender,
            "gasUsed": hex(GAS),
            "logs": logs,
            "logsBloom": "0x",
            "status": "0x1",
            "to": tx.moves[0].contract,
            "transactionHash": tx.hash,
            "transactionIndex": hex(at),
            "type": "0x2",
        }
        (read,) = read_receipts(json.dumps([receipt]).encode())
        found.append(receipt | {"logsBloom": f"0x{proof.logs_bloom(read.logs).hex()}"})
    return found


def _log(block: Block, tx: Tx, tx_index: int, log_index: int, move: Move) -> dict[str, Any]:
    if move.standard == "erc721":
        topics = [TRANSFER, _word(move.source), _word(move.target), _number(move.token_id)]
        data = "0x"
    else:
        operator = move.target if move.source == ZERO else move.source
        topics = [TRANSFER_SINGLE, _word(operator), _word(move.source), _word(move.target)]
        data = _number(move.token_id) + _number(move.quantity)[2:]
    return {
        "address": move.contract,
        "blockHash": _NO_HASH,
        "blockNumber": hex(block.number),
        "data": data,
        "logIndex": hex(log_index),
        "removed": False,
        "topics": topics,
        "transactionHash": tx.hash,
        "transactionIndex": hex(tx_index),
    }


def _word(account: str) -> str:
    return "0x" + account[2:].rjust(64, "0")


def _number(value: int) -> str:
    return f"0x{value:064x}"
