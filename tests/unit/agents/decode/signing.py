"""Transactions of every type as a node tells them, encoded and signed by other libraries than ours."""

from typing import Any, Final

import rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_keys.datatypes import PrivateKey

from ft.schemas.keccak import keccak
from ft.schemas.rlp import ordered_root
from tests.unit.agents.decode.building import Json, encoded

KEY: Final = PrivateKey(b"\x11" * 32)
SENDER: Final = KEY.public_key.to_address()
CONTRACT_OF_NONCE: Final = {
    nonce: "0x" + keccak(rlp.encode([bytes.fromhex(SENDER[2:]), nonce]))[12:].hex() for nonce in (0, 1, 5, 300)
}
"""What the sender creates with that nonce."""
CALL: Final[Json] = {"nonce": 5, "gas": 90_000, "to": "0x" + "22" * 20, "value": 10**18, "data": b"\x60\x00" * 40}
ACCESS: Final[list[Json]] = [{"address": "0x" + "44" * 20, "storageKeys": ["0x" + "55" * 32, "0x" + "00" * 32]}]
_FEES: Final = {"chainId": 1, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 3}
_NAMES: Final = {"data": "input"}


def told(fields: Json, **more: Any) -> Json:
    """A transaction's fields as the node writes them."""
    names = {_NAMES.get(name, name): _text(value) for name, value in fields.items()}
    return {"to": None} | names | {"from": SENDER} | more


def signed(kind: int, **changed: Any) -> tuple[Json, bytes]:
    """A transaction of types 0 to 4 as the node tells it, and its consensus encoding."""
    fields = CALL | changed
    if kind == 0:
        fields = {"gasPrice": 10**9, **fields}
    elif kind == 1:
        fields = {"chainId": 1, "gasPrice": 10**9, "accessList": ACCESS, **fields}
    else:
        fields = {**_FEES, "accessList": ACCESS, **fields}
    if kind == 3:
        return _blob(fields)
    entry = Account.sign_authorization({"chainId": 1, "address": b"\x33" * 20, "nonce": 4}, KEY.to_bytes())
    if kind == 4:
        fields["authorizationList"] = [entry]
    made = Account.sign_transaction({k: v for k, v in _typed(kind, fields).items() if v is not None}, KEY.to_bytes())
    if kind == 4:
        fields["authorizationList"] = [
            {
                "chainId": "0x1",
                "address": "0x" + "33" * 20,
                "nonce": "0x4",
                "yParity": hex(entry.y_parity),
                "r": hex(entry.r),
                "s": hex(entry.s),
            }
        ]
    raw = bytes(made.raw_transaction)
    signature = {"v": hex(made.v), "r": hex(made.r), "s": hex(made.s)}
    return told(fields, type=hex(kind), hash=f"0x{keccak(raw).hex()}", **signature), raw


def block_of(made: list[tuple[Json, bytes]], **changed: Any) -> bytes:
    """A block of these, with its true transactionsRoot."""
    header = {"number": "0x10", "hash": "0x" + "bb" * 32, "parentHash": "0x" + "aa" * 32, "timestamp": "0x64ea268f"}
    root = f"0x{ordered_root([raw for _, raw in made]).hex()}"
    return encoded(header | {"transactionsRoot": root, "transactions": [each for each, _ in made]} | changed)


def unsigned(kind: int, items: list[Any], **fields: Any) -> tuple[Json, bytes]:
    """A transaction of a type without a signature."""
    raw = bytes((kind,)) + rlp.encode(items)
    return told(fields, type=hex(kind), hash=f"0x{keccak(raw).hex()}"), raw


def _blob(fields: Json) -> tuple[Json, bytes]:
    hashes = ["0x01" + "66" * 31]
    accesses = [[bytes.fromhex(a["address"][2:]), [bytes.fromhex(k[2:]) for k in a["storageKeys"]]] for a in ACCESS]
    items = [1, fields["nonce"], 3, 10**10, fields["gas"], bytes.fromhex(fields["to"][2:]), fields["value"]]
    items += [fields["data"], accesses, 7, [bytes.fromhex(each[2:]) for each in hashes]]
    signature = KEY.sign_msg_hash(keccak(b"\x03" + rlp.encode(items)))
    raw = b"\x03" + rlp.encode([*items, signature.v, signature.r, signature.s])
    more = {"maxFeePerBlobGas": "0x7", "blobVersionedHashes": hashes, "type": "0x3", "hash": f"0x{keccak(raw).hex()}"}
    parity = hex(signature.v)
    return told(fields, v=parity, yParity=parity, r=hex(signature.r), s=hex(signature.s), **more), raw


def _typed(kind: int, fields: Json) -> Json:
    return fields | {"type": kind} if kind else fields


def _text(value: Any) -> Any:
    if isinstance(value, int):
        return hex(value)
    return f"0x{value.hex()}" if isinstance(value, bytes) else value
