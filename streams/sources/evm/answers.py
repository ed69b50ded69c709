"""Source, EVM proofs: the node's answers, as far as a proof needs them. Other fields are skipped.

The decoders have their own, smaller models: they are the hot path and need other fields.
"""

from binascii import unhexlify
from typing import TypeVar

import msgspec

from ft.errors import FtError

T = TypeVar("T")


class ProofError(FtError):
    """A node's answer does not prove itself: the message names the block, what was expected and what came.

    Ask another provider; the same answer will fail again.
    """


class Lacking(ProofError):
    """The answer holds less than the block has: nothing wrong, but no proof. It may come yet."""


class Log(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One log."""

    address: str
    topics: list[str]
    data: str | None = None
    block_hash: str | None = None
    transaction_hash: str | None = None
    log_index: str | None = None
    removed: bool | None = None


class Receipt(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One receipt. ``root`` instead of ``status`` before Byzantium; the deposit fields on OP-stack chains only."""

    transaction_hash: str
    transaction_index: str | None = None
    block_hash: str | None = None
    type: str | None = None
    status: str | None = None
    root: str | None = None
    cumulative_gas_used: str
    logs_bloom: str
    logs: list[Log]
    deposit_nonce: str | None = None
    deposit_receipt_version: str | None = None


class Transaction(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One transaction of a block, where they were asked for in full."""

    hash: str
    type: str | None = None


class Block(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One block: what every proof needs, and the header's other fields for its hash."""

    number: str
    hash: str
    receipts_root: str
    logs_bloom: str
    transactions: list[str | Transaction]
    parent_hash: str | None = None
    sha3_uncles: str | None = None
    miner: str | None = None
    state_root: str | None = None
    transactions_root: str | None = None
    difficulty: str | None = None
    gas_limit: str | None = None
    gas_used: str | None = None
    timestamp: str | None = None
    extra_data: str | None = None
    mix_hash: str | None = None
    nonce: str | None = None
    base_fee_per_gas: str | None = None
    withdrawals_root: str | None = None
    blob_gas_used: str | None = None
    excess_blob_gas: str | None = None
    parent_beacon_block_root: str | None = None
    requests_hash: str | None = None

    @property
    def transaction_hashes(self) -> list[str]:
        """The hashes of its transactions, in order, lower case."""
        return [each.lower() if isinstance(each, str) else each.hash.lower() for each in self.transactions]


_BLOCK = msgspec.json.Decoder(Block)
_RECEIPTS = msgspec.json.Decoder(list[Receipt])
_LOGS = msgspec.json.Decoder(list[Log])


def read_block(body: bytes) -> Block:
    """The answer of eth_getBlockByNumber (or ByHash). Raises ProofError."""
    return _read(_BLOCK, body, "a block")


def read_receipts(body: bytes) -> list[Receipt]:
    """The answer of eth_getBlockReceipts, or a list made of eth_getTransactionReceipt. Raises ProofError."""
    return _read(_RECEIPTS, body, "a list of receipts")


def read_logs(body: bytes) -> list[Log]:
    """The answer of eth_getLogs. Raises ProofError."""
    return _read(_LOGS, body, "a list of logs")


def hex_bytes(text: str | None, what: str, size: int | None = None) -> bytes:
    """Bytes written as 0x and hex; ``size`` demands a length. Raises ProofError."""
    if text is None or text[:2] not in ("0x", "0X"):
        raise ProofError(f"expected {what} as hex with 0x, got {_show(text)}")
    try:
        value = unhexlify(text[2:])
    except ValueError as exc:
        raise ProofError(f"expected {what} as hex with 0x, got {_show(text)}") from exc
    if size is not None and len(value) != size:
        raise ProofError(f"expected {what} of {size} bytes, got {len(value)}")
    return value


def hex_int(text: str | None, what: str) -> int:
    """A number written as 0x and hex digits, of at most 256 bits. Raises ProofError."""
    digits = "" if text is None else text[2:]
    if text is None or text[:2] not in ("0x", "0X") or not 1 <= len(digits) <= 64:
        raise ProofError(f"expected {what} as a hex quantity, got {_show(text)}")
    return int.from_bytes(hex_bytes("0x" + digits.zfill(64), what), "big")


def _read(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise ProofError(f"expected {what} as the node's JSON, got {len(body)} other bytes: {exc}") from exc


def _show(text: str | None) -> str:
    return "nothing" if text is None else ascii(text[:80])
