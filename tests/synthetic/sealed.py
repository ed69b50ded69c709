"""Blocks of a synthetic chain as a real node has them: roots, logsBloom and block hash are what they must be."""

import json
from functools import lru_cache
from typing import Any, Final

import msgspec

from ft.demo.recording import RecordedBlock
from ft.streams.sources.evm import proof
from ft.streams.sources.evm.bloom import bloom_of
from tests.synthetic.chain import Block, block_json, receipts_json

_NOWHERE: Final = "0x" + "0" * 64
HEADER: Final = {
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x" + "0" * 40,
    "stateRoot": "0x" + "11" * 32,
    "difficulty": "0x0",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
    "mixHash": _NOWHERE,
    "nonce": "0x0000000000000000",
    "baseFeePerGas": "0x7",
}
"""What a header states besides what is in ``block_json`` and what follows from the receipts."""


class Sealer:
    """Gives a block its hash and keeps what a node would answer about it: a chain's ``hash_of``."""

    def __init__(self) -> None:
        self.blocks: dict[str, RecordedBlock] = {}
        """By true hash."""

    def __call__(self, block: Block) -> str:
        header: dict[str, Any] = json.loads(block_json(block)) | HEADER
        header["extraData"] = block.hash  # so that a block made again, of the same transactions, is another
        receipts: list[dict[str, Any]] = json.loads(receipts_json(block))
        sealed = seal(header, receipts)
        self.blocks[sealed] = RecordedBlock(block=_raw(header), receipts=_raw(receipts))
        return sealed


def seal(header: dict[str, Any], receipts: list[dict[str, Any]]) -> str:
    """Write into both what follows from the rest: blooms, receiptsRoot, and the block's hash, which is returned."""
    bits = 0
    for receipt in receipts:
        own = _bloom(receipt["logs"])
        receipt["logsBloom"] = f"0x{own:0512x}"
        bits |= own
    read = proof.read_receipts(msgspec.json.encode(receipts))
    header["receiptsRoot"] = f"0x{proof.receipts_root(read).hex()}"
    header["logsBloom"] = f"0x{bits:0512x}"
    sealed = f"0x{proof.block_hash(proof.read_block(msgspec.json.encode(header))).hex()}"
    header["hash"] = sealed
    for receipt in receipts:
        receipt["blockHash"] = sealed
        for log in receipt["logs"]:
            log["blockHash"] = sealed
    return sealed


def _bloom(logs: list[dict[str, Any]]) -> int:
    bits = 0
    for log in logs:
        for item in (log["address"], *log["topics"]):
            bits |= _bits(item)
    return bits


@lru_cache(maxsize=1 << 16)
def _bits(item: str) -> int:
    return bloom_of((bytes.fromhex(item[2:]),))


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
