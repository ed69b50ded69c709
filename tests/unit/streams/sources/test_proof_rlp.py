"""RLP and the trie, against the package `rlp`, published roots, and a naive trie."""

from collections.abc import Sequence

import pytest
import rlp  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from ft.schemas.keccak import keccak
from ft.schemas.rlp import EMPTY_ROOT, encode_bytes, encode_int, encode_list, ordered_root

VALUES = st.lists(st.binary(min_size=1, max_size=80), max_size=40)


@given(st.one_of(st.binary(max_size=100), st.binary(min_size=250, max_size=300)))
def test_bytes_are_encoded_as_the_package_does(value: bytes) -> None:
    assert encode_bytes(value) == rlp.encode(value)


@given(st.integers(min_value=0, max_value=2**256))
def test_numbers_are_encoded_as_the_package_does(value: int) -> None:
    assert encode_int(value) == rlp.encode(value)


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_lists_are_encoded_as_the_package_does(values: list[bytes]) -> None:
    assert encode_list([encode_bytes(value) for value in values]) == rlp.encode(values)


def test_nothing_has_the_empty_root() -> None:
    assert ordered_root([]) == EMPTY_ROOT == keccak(b"\x80")


@given(VALUES)
def test_the_root_is_that_of_a_trie_built_by_insertion(values: list[bytes]) -> None:
    assert ordered_root(values) == naive_root(values)


@pytest.mark.parametrize("size", [1, 2, 16, 127, 128, 129, 255, 256, 257, 400])
def test_the_root_is_right_where_keys_grow_longer(size: int) -> None:
    values = [bytes((at % 251,)) * 40 for at in range(size)]

    assert ordered_root(values) == naive_root(values)


def naive_root(values: Sequence[bytes]) -> bytes:
    """The definition in the Yellow Paper, appendix D, on dicts of paths, with the package's RLP."""
    entries = {tuple(_digits(rlp.encode(at))): value for at, value in enumerate(values)}
    return keccak(rlp.encode(_structure(entries))) if entries else keccak(rlp.encode(b""))


def _structure(entries: dict[tuple[int, ...], bytes]) -> list[object]:
    if len(entries) == 1:
        ((path, value),) = entries.items()
        return [_hex_prefix(path, 2), value]
    paths = list(entries)
    common = 0
    while all(path[common] == paths[0][common] for path in paths):
        common += 1
    if common:
        return [_hex_prefix(paths[0][:common], 0), _child({path[common:]: entries[path] for path in paths})]
    slots: list[object] = []
    for digit in range(16):
        below = {path[1:]: value for path, value in entries.items() if path[0] == digit}
        slots.append(_child(below) if below else b"")
    return [*slots, b""]


def _child(entries: dict[tuple[int, ...], bytes]) -> object:
    node = _structure(entries)
    encoded = rlp.encode(node)
    return node if len(encoded) < 32 else keccak(encoded)


def _digits(key: bytes) -> list[int]:
    return [digit for byte in key for digit in (byte >> 4, byte & 15)]


def _hex_prefix(path: tuple[int, ...], flag: int) -> bytes:
    digits = [flag + 1, *path] if len(path) % 2 else [flag, 0, *path]
    return bytes(high * 16 + low for high, low in zip(digits[::2], digits[1::2], strict=True))
