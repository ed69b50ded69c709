"""What one synthetic block in twenty has besides its moves: a transaction that creates a contract, truly signed.

Nobody's key is needed: any signature is somebody's, and that somebody is the sender.
"""

import hashlib
from functools import lru_cache
from typing import Any, Final

import msgspec

from ft.agents.decode.transactions import Transaction, created_address, encoded, sender_of
from ft.schemas.keccak import keccak
from ft.schemas.rlp import ordered_root

EVERY: Final = 20
_X: Final = "0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
"""Of a point on the curve."""

Json = dict[str, Any]


def creates(number: int) -> bool:
    """Whether the block at this height creates a contract."""
    return number % EVERY == 0


@lru_cache(maxsize=1024)
def creation(number: int, seed: int = 0) -> tuple[Json, Json]:
    """The transaction and its receipt, without what places them in a block."""
    told: Json = {
        "type": "0x0",
        "nonce": hex(number),
        "gasPrice": "0x9",
        "gas": "0x30d40",
        "to": None,
        "value": "0x0",
        "input": "0x60006000f3" + hashlib.sha256(f"{seed}-{number}".encode()).hexdigest() * 8,
        "v": "0x1b",
        "r": _X,
        "s": hex(number + 1),
    }
    transaction = msgspec.convert(told | {"hash": ""}, Transaction)
    sender = sender_of(transaction)
    assert sender is not None
    told |= {"hash": f"0x{keccak(encoded(transaction)).hex()}", "from": sender}
    receipt = {"transactionHash": told["hash"], "from": sender, "to": None, "type": "0x0", "status": "0x1", "logs": []}
    return told, receipt | {"contractAddress": created_address(sender, number)}


def transactions_root(transactions: list[Json]) -> str:
    """The true transactionsRoot of transactions as a node tells them."""
    read = [msgspec.convert(each, Transaction) for each in transactions]
    return f"0x{ordered_root([encoded(each) for each in read]).hex()}"
