"""A node's answers, made up for decoder tests: blocks, receipts and logs as JSON, and words as topics."""

import json
from typing import Any

from ft.agents.decode.events import DecodedBlock
from ft.agents.decode.evm import decode_block
from ft.agents.decode.legacy import Listed, listed
from ft.agents.decode.model import Log
from ft.networks import load_networks

BLOCK_HASH = "0x" + "bb" * 32
ALICE, BOB, CAROL = ("0x" + letter * 40 for letter in "abc")
ZERO = "0x" + "0" * 40
CONTRACT = "0x" + "77" * 20
SENDER = "0x" + "5e" * 20
TX = "0x" + "11" * 32

Json = dict[str, Any]


def word(value: int | str) -> str:
    """A 32-byte word as hex without 0x: of a number, or of an address."""
    return f"{value:064x}" if isinstance(value, int) else value[2:].rjust(64, "0")


def log(topic0: str, indexed: list[int | str], data: list[int | str] | str = "", **changed: Any) -> Json:
    """A log of ``CONTRACT`` in ``TX``; ``data`` is words, or hex with 0x."""
    body = data if isinstance(data, str) and data.startswith("0x") else "0x" + "".join(word(each) for each in data)
    return {
        "address": CONTRACT,
        "topics": [topic0, *("0x" + word(each) for each in indexed)],
        "data": body,
        "blockHash": BLOCK_HASH,
        "transactionHash": TX,
        "logIndex": "0x0",
        "removed": False,
    } | changed


def as_log(built: Json) -> Log:
    """What the node's JSON of a log is to a decoder."""
    return Log(
        address=built["address"],
        topics=built["topics"],
        data=built["data"],
        transaction_hash=built["transactionHash"],
    )


def block(transactions: list[Json] | None = None, **changed: Any) -> bytes:
    """A block's JSON."""
    known = [{"hash": TX, "from": SENDER, "input": "0x"}] if transactions is None else transactions
    header = {"number": "0x10", "hash": BLOCK_HASH, "parentHash": "0x" + "aa" * 32, "timestamp": "0x64ea268f"}
    return json.dumps(header | {"transactions": known} | changed).encode()


def receipt(logs: list[Json], **changed: Any) -> Json:
    """A receipt of ``TX``."""
    return {
        "transactionHash": TX,
        "from": SENDER,
        "to": CONTRACT,
        "status": "0x1",
        "contractAddress": None,
        "logs": logs,
    } | changed


def encoded(value: Any) -> bytes:
    """As the node's JSON."""
    return json.dumps(value).encode()


def shipped(network: str) -> Listed:
    """The contracts older than the standards that ft ships for a network."""
    return listed({address: each.layout for address, each in load_networks()[network].contracts.items()})


def decode_logs(logs: list[Json], network: str = "ethereum") -> DecodedBlock:
    """Decode a block of one transaction with the network's shipped list."""
    return decode_block(network, block(), receipts=json.dumps([receipt(logs)]).encode(), listed=shipped(network))
