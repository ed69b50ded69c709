"""Source, EVM proofs: the 2048-bit bloom filter of a block's logs."""

from collections.abc import Iterable

from ft.schemas.keccak import keccak

BLOOM_BYTES = 256


def bloom_of(items: Iterable[bytes]) -> int:
    """The bits of all items (addresses and topics) as one number, whose big-endian bytes are the filter."""
    bits = 0
    for item in items:
        digest = keccak(item)
        for at in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 0x7FF)
    return bits
