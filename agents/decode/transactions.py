"""raw -> normalized, a block's transactions: whether they make the header's transactionsRoot, and who signed one. Pure.

Called for a block whose receipts name a created contract; a domain that uses sender, value or calldata calls it for the
blocks it reads. Of no use where the node gave hashes only.

A transaction under a root is its consensus encoding: legacy (with the chain id in the signature or without), or its
type's byte and a list (EIP-2718). Types that state their sender have no signature. A type whose encoding is not known
here cannot be proven, and neither can its block.
"""

from binascii import unhexlify
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import msgspec

from ft.agents.decode.model import block_or_tx_hash, long_quantity
from ft.agents.decode.secp256k1 import recovered_key
from ft.agents.decode.statesync import state_sync_hash
from ft.errors import MalformedRecord
from ft.schemas.keccak import keccak
from ft.schemas.rlp import encode_bytes, encode_int, encode_list, ordered_root

ROOT: Final = "transactions_root"
"""The transactions are not those of the header's root, or not told whole."""
TYPE: Final = "transaction_type"
"""One of them is of a type whose encoding is not known."""
DEPOSIT: Final = 0x7E


class Access(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """An entry of an access list (EIP-2930)."""

    address: str
    storage_keys: list[str] | None = None


class Authorization(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """An entry of an authorization list (EIP-7702)."""

    chain_id: str
    address: str
    nonce: str
    y_parity: str | None = None
    v: str | None = None
    r: str
    s: str


class Transaction(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """One transaction as the node tells it: what any known type's encoding needs."""

    hash: str
    type: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    nonce: str | None = None
    gas: str | None = None
    gas_price: str | None = None
    value: str | None = None
    input: str | None = None
    v: str | None = None
    r: str | None = None
    s: str | None = None
    y_parity: str | None = None
    chain_id: str | None = None
    max_priority_fee_per_gas: str | None = None
    max_fee_per_gas: str | None = None
    access_list: list[Access] | None = None
    max_fee_per_blob_gas: str | None = None
    blob_versioned_hashes: list[str] | None = None
    authorization_list: list[Authorization] | None = None
    # OP-stack deposits
    source_hash: str | None = None
    mint: str | None = None
    is_system_tx: bool | None = None
    # Arbitrum
    request_id: str | None = None
    ticket_id: str | None = None
    refund_to: str | None = None
    max_refund: str | None = None
    submission_fee_refund: str | None = None
    l1_base_fee: str | None = msgspec.field(name="l1BaseFee", default=None)
    deposit_value: str | None = None
    retry_to: str | None = None
    retry_value: str | None = None
    retry_data: str | None = None
    beneficiary: str | None = None
    max_submission_fee: str | None = None

    @property
    def kind(self) -> int:
        """The type's number; 0 for a legacy transaction, -1 for one that is none."""
        kind = _KINDS.get(self.type)
        return _kind(self.type) if kind is None else kind


_KINDS: Final[dict[str | None, int]] = {None: 0, "": 0, "0x0": 0, "0x1": 1, "0x2": 2, "0x3": 3, "0x4": 4}


def _kind(text: str | None) -> int:
    try:
        return int(text or "", 16)
    except ValueError:
        return -1


class _Block(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    number: str
    hash: str
    transactions_root: str | None = None
    transactions: list[Transaction] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionsProof:
    """What is known of a block's transactions."""

    transactions: tuple[Transaction, ...] = ()
    """In the order of the block, as the node tells them; without Polygon's pseudo-transaction, which has no root."""
    reason: str = ""
    """Why they are no more than what the provider says: :data:`ROOT` or :data:`TYPE`; empty: they are proven."""


_BLOCK: Final = msgspec.json.Decoder(_Block)
_SHORT: Final = tuple(bytes((0x80 + size,)) for size in range(56))
_EMPTY: Final = b"\x80"


def transactions_proof(block: bytes) -> TransactionsProof:
    """Recompute transactionsRoot from the node's eth_getBlockByNumber with full transactions. Never raises."""
    try:
        read = _BLOCK.decode(block)
        pseudo = state_sync_hash(long_quantity(read.number, "a number"), block_or_tx_hash(read.hash, "a hash"))
        root = unhexlify((read.transactions_root or "")[2:])
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, MalformedRecord):
        return TransactionsProof(reason=ROOT)
    transactions = tuple(read.transactions or ())
    if transactions and transactions[-1].hash.lower() == pseudo:
        transactions = transactions[:-1]
    return TransactionsProof(transactions=transactions, reason=_doubt(transactions, root))


def _doubt(transactions: tuple[Transaction, ...], root: bytes) -> str:
    try:
        computed = ordered_root([encoded(transaction) for transaction in transactions])
    except KeyError:
        return TYPE
    except (IndexError, ValueError):
        return ROOT
    return "" if computed == root else ROOT


def encoded(transaction: Transaction) -> bytes:
    """The consensus encoding; what the node leaves out is empty. Raises KeyError for an unknown type, ValueError."""
    kind = transaction.kind
    items = _unsigned(transaction, kind)
    if kind == 0:
        return encode_list([*items, _number(transaction.v), _number(transaction.r), _number(transaction.s)])
    if kind in _STATED:
        return _PREFIX[kind] + encode_list(items)
    parity = transaction.v if transaction.y_parity is None else transaction.y_parity
    return _PREFIX[kind] + encode_list([*items, _number(parity), _number(transaction.r), _number(transaction.s)])


def sender_of(transaction: Transaction) -> str | None:
    """Who sent it: the stated sender of a type that has no signature, else who signed. None where nobody did."""
    kind = transaction.kind
    if kind in _STATED:
        return None if transaction.sender is None else transaction.sender.lower()
    try:
        digest, odd = _signed(transaction, kind)
        r, s = int(transaction.r or "", 16), int(transaction.s or "", 16)
    except (IndexError, KeyError, ValueError):
        return None
    key = recovered_key(digest, r, s, odd)
    return None if key is None else "0x" + keccak(key)[12:].hex()


def created_address(sender: str, nonce: int) -> str:
    """The address of the contract that a transaction without receiver creates. Raises ValueError."""
    return "0x" + keccak(encode_list((encode_bytes(unhexlify(sender[2:])), encode_int(nonce))))[12:].hex()


def _signed(transaction: Transaction, kind: int) -> tuple[bytes, bool]:
    """What was signed, and whether the signature's point has an odd y."""
    items = _unsigned(transaction, kind)
    v = int((transaction.v if kind == 0 else transaction.y_parity or transaction.v) or "", 16)
    if kind:
        return keccak(bytes((kind,)) + encode_list(items)), v == 1
    if v >= 35:  # EIP-155
        items += (encode_int((v - 35) // 2), _EMPTY, _EMPTY)
        return keccak(encode_list(items)), (v - 35) % 2 == 1
    return keccak(encode_list(items)), v == 28


def _unsigned(transaction: Transaction, kind: int) -> list[bytes]:
    encoders, values = _ENCODERS[kind]
    return [encode(value) for encode, value in zip(encoders, values(transaction), strict=True)]


def _number(text: str | None) -> bytes:
    """A quantity; its leading zeros do not count. Some nodes leave out what is zero. Raises ValueError."""
    if not text or text == "0x0":
        return _EMPTY
    digits = text[2:]
    if len(digits) == 64 and digits[:2] != "00":
        return b"\xa0" + unhexlify(digits)
    raw = unhexlify("0" + digits if len(digits) & 1 else digits).lstrip(b"\x00")
    return raw if len(raw) == 1 and raw[0] < 0x80 else _SHORT[len(raw)] + raw


_often = lru_cache(maxsize=4096)(_number)
"""A quantity that many transactions have: a chain's id, a price, a limit of gas."""


def _data(text: str | None) -> bytes:
    return encode_bytes(unhexlify(text[2:])) if text else _EMPTY


def _receiver(text: str | None) -> bytes:
    return _EMPTY if not text else _SHORT[20] + unhexlify(text[2:])


def _flag(value: bool | None) -> bytes:
    return b"\x01" if value else _EMPTY


def _accesses(entries: list[Access] | None) -> bytes:
    if not entries:
        return b"\xc0"
    return encode_list(
        [encode_list((_data(each.address), encode_list(map(_data, each.storage_keys or ())))) for each in entries]
    )


def _hashes(hashes: list[str] | None) -> bytes:
    return encode_list(map(_data, hashes or ()))


def _authorizations(entries: list[Authorization] | None) -> bytes:
    return encode_list([_authorization(each) for each in entries or ()])


def _authorization(entry: Authorization) -> bytes:
    parity = entry.v if entry.y_parity is None else entry.y_parity
    texts = (entry.nonce, parity, entry.r, entry.s)
    return encode_list((_number(entry.chain_id), _data(entry.address), *map(_number, texts)))


_Field = tuple[Callable[..., bytes], str]
_CALL: Final[tuple[_Field, ...]] = ((_often, "gas"), (_receiver, "to"), (_number, "value"), (_data, "input"))
_FEES: Final[tuple[_Field, ...]] = (
    (_often, "chain_id"),
    (_number, "nonce"),
    (_often, "max_priority_fee_per_gas"),
    (_often, "max_fee_per_gas"),
    *_CALL,
    (_accesses, "access_list"),
)
_CAPPED: Final[tuple[_Field, ...]] = ((_often, "max_fee_per_gas"), *_CALL)
_FIELDS: Final[Mapping[int, tuple[_Field, ...]]] = MappingProxyType(
    {
        0x00: ((_number, "nonce"), (_often, "gas_price"), *_CALL),
        0x01: (
            (_often, "chain_id"),
            (_number, "nonce"),
            (_often, "gas_price"),
            *_CALL,
            (_accesses, "access_list"),
        ),
        0x02: _FEES,
        0x03: (*_FEES, (_number, "max_fee_per_blob_gas"), (_hashes, "blob_versioned_hashes")),
        0x04: (*_FEES, (_authorizations, "authorization_list")),
        DEPOSIT: (
            (_data, "source_hash"),
            (_data, "sender"),
            (_receiver, "to"),
            (_number, "mint"),
            (_number, "value"),
            (_often, "gas"),
            (_flag, "is_system_tx"),
            (_data, "input"),
        ),
        # Arbitrum: a deposit, a call by a user or a contract of the parent chain, a retry, its submission, ArbOS itself
        0x64: ((_often, "chain_id"), (_data, "request_id"), (_data, "sender"), (_receiver, "to"), (_number, "value")),
        0x65: ((_often, "chain_id"), (_data, "sender"), (_number, "nonce"), *_CAPPED),
        0x66: ((_often, "chain_id"), (_data, "request_id"), (_data, "sender"), *_CAPPED),
        0x68: (
            (_often, "chain_id"),
            (_number, "nonce"),
            (_data, "sender"),
            *_CAPPED,
            (_data, "ticket_id"),
            (_data, "refund_to"),
            (_number, "max_refund"),
            (_number, "submission_fee_refund"),
        ),
        0x69: (
            (_often, "chain_id"),
            (_data, "request_id"),
            (_data, "sender"),
            (_number, "l1_base_fee"),
            (_number, "deposit_value"),
            (_often, "max_fee_per_gas"),
            (_often, "gas"),
            (_receiver, "retry_to"),
            (_number, "retry_value"),
            (_data, "beneficiary"),
            (_number, "max_submission_fee"),
            (_data, "refund_to"),
            (_data, "retry_data"),
        ),
        0x6A: ((_often, "chain_id"), (_data, "input")),
    }
)
"""Type -> its fields in the order of the encoding, without the signature."""
_ENCODERS: Final = {
    kind: (tuple(encode for encode, _ in fields), attrgetter(*(name for _, name in fields)))
    for kind, fields in _FIELDS.items()
}
_PREFIX: Final = {kind: bytes((kind,)) for kind in _FIELDS}
_STATED: Final = frozenset({DEPOSIT, 0x64, 0x65, 0x66, 0x68, 0x69, 0x6A})
"""Types without a signature: the sender is a field, or the chain itself."""
NONCED: Final = frozenset({0x00, 0x01, 0x02, 0x03, 0x04, 0x65})
"""Types whose nonce is that of the sender's account, and part of what is proven."""
