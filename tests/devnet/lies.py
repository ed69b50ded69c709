"""What a provider can do wrong, one after the other: the switches of a faulty node, by what they are."""

from typing import Any, Final

from tests.devnet.faulty_node import Faults

_OTHER: Final = "0x" + "ee" * 32


def _other_hash(block: dict[str, Any]) -> dict[str, Any]:
    return block | {"hash": _OTHER}


def _other_parent(block: dict[str, Any]) -> dict[str, Any]:
    return block | {"parentHash": _OTHER}


def _other_height(block: dict[str, Any]) -> dict[str, Any]:
    return block | {"number": hex(int(block["number"], 16) + 1)}


def _other_status(receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [receipt | {"status": hex(1 - int(receipt["status"], 16))} for receipt in receipts] or [{}]


def _other_data(receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for receipt in receipts:
        for log in receipt["logs"]:
            log["data"] = "0x" + "77" * 32
    return receipts or [{}]


def lies() -> dict[str, Faults]:
    """Answers that are wrong."""
    return {
        "drops a log": Faults(dropped_log=0),
        "changes a receipt's status": Faults(spoil={"eth_getBlockReceipts": _other_status}),
        "changes a log's data": Faults(spoil={"eth_getBlockReceipts": _other_data}),
        "gives the receipts of another block": Faults(other_receipts=True),
        "states another block hash": Faults(spoil={"eth_getBlockByNumber": _other_hash}),
        "states another parent": Faults(spoil={"eth_getBlockByNumber": _other_parent}),
        "gives another block": Faults(spoil={"eth_getBlockByNumber": _other_height}),
    }


def failures() -> dict[str, Faults]:
    """Answers that are none."""
    return {
        "is of another chain now": Faults(chain_id=1),
        "cuts its JSON short": Faults(truncated=True),
        "shows a page for people": Faults(garbage=True),
        "has an error inside": Faults(http_status=500),
        "limits requests for a while": Faults(http_status=429, retry_after="1"),
        "answers errors": Faults(rpc_error=(-32603, "internal error")),
        "never ends": Faults(endless=True),
        "has no end to its answers": Faults(huge_bytes=3 << 20),
    }


def blind() -> dict[str, Faults]:
    """A node that is honest and not up to date, or in error about how far the chain is."""
    return {
        "answers null": Faults(null={"eth_getBlockByNumber", "eth_getBlockReceipts", "eth_blockNumber"}),
        "has no receipts for the moment": Faults(null={"eth_getBlockReceipts", "eth_getTransactionReceipt"}),
        "is behind the others": Faults(behind=5),
        "is far ahead of the others": Faults(ahead=1_000_000),
        "takes finality back": Faults(finalized=1),
    }
