"""EVM: RLP encoding and the root of a hexary Merkle-Patricia trie, as far as block proofs need them.

Only what the receipts trie is: written once from a complete list, never read, never changed.
"""

from collections.abc import Iterable, Sequence

from ft.schemas.keccak import keccak

EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
"""The root of a trie with nothing in it."""

_Entry = tuple[str, bytes]


def encode_bytes(value: bytes) -> bytes:
    """A byte string."""
    size = len(value)
    if size == 1 and value[0] < 0x80:
        return value
    if size < 56:
        return bytes((0x80 + size,)) + value
    length = _big_endian(size)
    return bytes((0xB7 + len(length),)) + length + value


def encode_int(value: int) -> bytes:
    """A number, as the byte string of its big-endian digits (zero is empty)."""
    return encode_bytes(_big_endian(value))


def encode_list(items: Iterable[bytes]) -> bytes:
    """A list of items that are encoded already."""
    payload = b"".join(items)
    size = len(payload)
    if size < 56:
        return bytes((0xC0 + size,)) + payload
    length = _big_endian(size)
    return bytes((0xF7 + len(length),)) + length + payload


def ordered_root(values: Sequence[bytes]) -> bytes:
    """The trie root of a list: value ``i`` stands at key rlp(i), as with receipts and transactions."""
    if not values:
        return EMPTY_ROOT
    entries = sorted((encode_int(index).hex(), value) for index, value in enumerate(values))
    return keccak(_node(entries, 0))


def _node(entries: Sequence[_Entry], depth: int) -> bytes:
    """The node that holds sorted ``entries``, whose keys (hex digits) agree in their first ``depth`` digits.

    Cases: 1. one entry: a leaf; 2. a common prefix: an extension; 3. else a branch. No key is a prefix of another.
    """
    first_key, first_value = entries[0]
    if len(entries) == 1:
        return encode_list((encode_bytes(_compact(first_key[depth:], leaf=True)), encode_bytes(first_value)))
    shared = _shared(first_key, entries[-1][0], depth)
    if shared > depth:
        path = encode_bytes(_compact(first_key[depth:shared], leaf=False))
        return encode_list((path, _reference(_node(entries, shared))))
    slots = [b"\x80"] * 17
    start = 0
    while start < len(entries):
        digit = entries[start][0][depth]
        end = start + 1
        while end < len(entries) and entries[end][0][depth] == digit:
            end += 1
        slots[int(digit, 16)] = _reference(_node(entries[start:end], depth + 1))
        start = end
    return encode_list(slots)


def _reference(node: bytes) -> bytes:
    return node if len(node) < 32 else b"\xa0" + keccak(node)


def _shared(first: str, last: str, depth: int) -> int:
    """How many digits the first and the last key, hence all between them, have in common."""
    end = min(len(first), len(last))
    while depth < end and first[depth] == last[depth]:
        depth += 1
    return depth


def _compact(digits: str, *, leaf: bool) -> bytes:
    """A path with its flag: hex-prefix encoding."""
    flag = 2 if leaf else 0
    return bytes.fromhex(f"{flag + 1}{digits}" if len(digits) % 2 else f"{flag}0{digits}")


def _big_endian(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
