"""A chain of which every block is written by hand: good ones, each minting a token, around hostile ones.

Blocks are final on arrival, so none needs a claim. What a hostile block says is up to its test; its envelope links it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ft.agents.decode.topics import TRANSFER, TRANSFER_SINGLE
from ft.schemas.events import RawBlock, RawPart
from tests.unit.agents.decode.building import ALICE, SENDER, ZERO, Json, log

NETWORK: Final = "hostile"
GENESIS_TIME: Final = 1_704_067_200
GOOD: Final = "0x" + "60" * 20
"""The contract of the good blocks: block n mints token n to ALICE."""
TX: Final = "0x" + "11" * 32
"""Stands for the one transaction of a block; each has another hash."""


def digest(text: str) -> str:
    return "0x" + hashlib.sha256(text.encode()).hexdigest()


def of(contract: str, built: Json, index: int = 0, tx: str = TX) -> Json:
    """A log of another contract than the builder's, at a place in its block."""
    return built | {"address": contract, "logIndex": hex(index), "transactionHash": tx}


def mint(contract: str, token_id: int, index: int = 0, to: str = ALICE) -> Json:
    return of(contract, log(TRANSFER, [ZERO, to, token_id]), index)


def single(contract: str, token_id: int, quantity: int, index: int, source: str = ZERO, to: str = ALICE) -> Json:
    return of(contract, log(TRANSFER_SINGLE, [SENDER, source, to], [token_id, quantity]), index)


def receipts(logs: Sequence[Json], tx: str = TX) -> bytes:
    one = {"transactionHash": tx, "from": SENDER, "status": "0x1", "contractAddress": None, "logs": logs}
    return json.dumps([one]).encode()


@dataclass
class Lane:
    """Grows block by block, from 1. ``good``: the heights whose token must be ALICE's in the end."""

    network: str = NETWORK
    height: int = 0
    good: list[int] = field(default_factory=list)

    def block(self, body: bytes | None = None, *, parts: Sequence[RawPart] | None = None, **fields: Any) -> RawBlock:
        """The next block, with these receipts, or these parts; ``fields`` replace those of its envelope."""
        self.height += 1
        mine = digest(f"tx of {self.network} {self.height}").encode()
        body = (body or b"[]").replace(TX.encode(), mine)
        number, time = self.height, fields.get("time", GENESIS_TIME + self.height)
        known: dict[str, Any] = {
            "network": self.network,
            "op": "append",
            "height": number,
            "hash": digest(f"{self.network}{number}"),
            "parent_hash": digest(f"{self.network}{number - 1}"),
            "time": time,
            "finalized": number,
            "safe": number,
            "starts_range": number == 1,
            "proof": "receipts",
            "parts": [self.header(time), part("receipts", body)] if parts is None else list(parts),
        }
        return RawBlock(**known | fields)

    def header(self, time: int | None = None, **changed: Any) -> RawPart:
        """The block part of the height that is being made."""
        number = self.height
        known = {
            "number": hex(number),
            "hash": digest(f"{self.network}{number}"),
            "parentHash": digest(f"{self.network}{number - 1}"),
            "timestamp": hex(GENESIS_TIME + number if time is None else time),
        }
        return part("block", json.dumps(known | changed).encode())

    def mints(self) -> RawBlock:
        """The next block is a good one."""
        self.good.append(self.height + 1)
        return self.block(receipts([mint(GOOD, self.height + 1)]))


def part(name: str, body: bytes, encoding: str = "json") -> RawPart:
    return RawPart(name=name, encoding=encoding, bytes=body)
