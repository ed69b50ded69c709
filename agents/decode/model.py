"""raw -> normalized, what the node said: the JSON of a block, its receipts or its logs, as far as decoding needs it.

Fields that are not named here are skipped. Hex is taken in any case and made lower-case; what nodes leave out
or fill with null has a default.
"""

import re
from binascii import unhexlify
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ft.errors import MalformedRecord

ZERO_ADDRESS = "0x" + "0" * 40
_QUANTITY = re.compile(r"0[xX][0-9a-fA-F]{1,16}", re.ASCII)
_LONG_MAX = 2**63 - 1
STATE_SYNC_TYPE = "0x7f"
"""The type of Polygon's state-sync transaction since the Madhugiri fork."""

T = TypeVar("T")


class Log(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One log of a receipt. Its place is that in the receipt: what the node says of it is not read."""

    address: str
    topics: list[str]
    data: str | None = None
    transaction_hash: str
    removed: bool | None = None


class ListedLog(Log, frozen=True, gc=False, rename="camel", kw_only=True):
    """One log of ``eth_getLogs``, where the node's index is all that orders the logs of a transaction."""

    log_index: str | int | None = None


class _Told(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """A listed log that may be of no transaction."""

    address: str
    topics: list[str]
    data: str | None = None
    transaction_hash: str | None = None
    removed: bool | None = None
    log_index: str | int | None = None


class Receipt(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One receipt: who sent the transaction, what it created, what it logged. The deposit fields on OP-stack only."""

    transaction_hash: str
    sender: str | None = msgspec.field(name="from", default=None)
    contract_address: str | None = None
    type: str | None = None
    status: str | None = None
    logs: list[Log] | None = None
    deposit_nonce: str | None = None
    deposit_receipt_version: str | None = None


class Transaction(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One transaction of a block that was asked for with full transactions."""

    hash: str
    sender: str | None = msgspec.field(name="from", default=None)
    type: str | None = None


class Header(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """A block without its transactions."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str


class Block(Header, frozen=True, gc=False, rename="camel", kw_only=True):
    """A block; transactions are hashes where the node was not asked for more."""

    transactions: list[str | Transaction] | None = None


class RawReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The logs of a receipt as their own bytes, for quarantine."""

    logs: list[msgspec.Raw] | None = None


HEADER = msgspec.json.Decoder(Header)
BLOCK = msgspec.json.Decoder(Block)
RECEIPTS = msgspec.json.Decoder(list[Receipt])
LOGS = msgspec.json.Decoder(list[ListedLog])
_TOLD = msgspec.json.Decoder(list[_Told])
RAW_RECEIPTS = msgspec.json.Decoder(list[RawReceipt])
RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def parse(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """Read one part of a raw block. Raises MalformedRecord naming ``what`` was expected."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise MalformedRecord(f"expected {what} as the node's JSON, got {len(body)} other bytes: {exc}") from exc


def listed_logs(body: bytes, block_hash: str) -> list[ListedLog]:
    """The answer of eth_getLogs; a log that names no transaction is under the block's hash. Raises MalformedRecord."""
    try:
        return LOGS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [_named(log, log.transaction_hash or block_hash) for log in parse(_TOLD, body, "a list of logs")]


def outside_logs(body: bytes, block_hash: str) -> list[ListedLog]:
    """Logs of no transaction, whatever hash they are told under: under the block's. Raises MalformedRecord."""
    return [_named(log, block_hash) for log in parse(_TOLD, body, "a list of logs of no transaction")]


def _named(log: _Told, tx_hash: str) -> ListedLog:
    return ListedLog(
        address=log.address, topics=log.topics, data=log.data, transaction_hash=tx_hash, removed=log.removed,
        log_index=log.log_index,
    )  # fmt: skip


def address(text: str, what: str) -> str:
    """An EVM address in lower case. Raises MalformedRecord."""
    return _fixed(text, 20, what)


def block_or_tx_hash(text: str, what: str) -> str:
    """A 32-byte hash in lower case. Raises MalformedRecord."""
    return _fixed(text, 32, what)


def tx_hash(text: str) -> str:
    """A transaction's hash in lower case. Raises MalformedRecord."""
    return block_or_tx_hash(text, "a transaction's hash")


def long_quantity(text: str, what: str) -> int:
    """A hex quantity of at most 63 bits. Raises MalformedRecord."""
    return _quantity(text, _LONG_MAX, what)


def log_index_of(log: Log) -> int:
    """What the node says of a listed log's place; -1 where that is nothing, or nothing that orders."""
    index = getattr(log, "log_index", None)
    try:
        return max(int(index, 16) if isinstance(index, str) else -1 if index is None else int(index), -1)
    except ValueError:
        return -1


def show(text: str | None, size_max: int = 80) -> str:
    """Text of unknown origin, quoted, in ASCII and short, for a message."""
    return "nothing" if text is None else ascii(text if len(text) <= size_max else text[:size_max] + "...")


def _quantity(text: str, value_max: int, what: str) -> int:
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    # int() also takes signs, spaces and underscores: the round trip is the cheap check, the pattern the full one
    if not 0 <= value <= value_max or (hex(value) != text and not _QUANTITY.fullmatch(text)):
        raise MalformedRecord(f"expected {what} as a hex quantity of at most {value_max}, got {show(text)}")
    return value


def _fixed(text: str, size: int, what: str) -> str:
    try:
        raw = unhexlify(text[2:])
    except ValueError:
        raw = b""
    if len(raw) != size or text[:2] not in ("0x", "0X"):
        raise MalformedRecord(f"expected {what} as 0x and {size} bytes of hex, got {show(text)}")
    return "0x" + raw.hex()


def raw_logs(part: bytes, *, from_receipts: bool) -> Sequence[msgspec.Raw]:
    """The logs of a part as their own bytes, in the part's order. Raises MalformedRecord."""
    if from_receipts:
        receipts = parse(RAW_RECEIPTS, part, "a list of receipts")
        return [raw for receipt in receipts for raw in receipt.logs or ()]
    return parse(RAW_LIST, part, "a list of logs")
