"""Each implementation that this platform has is Keccak-256."""

import sys

import pytest

from ft.schemas.keccak import Hash, by_pycryptodome, by_pysha3, keccak

KNOWN = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    b"Transfer(address,address,uint256)": "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
}
MADE = [by_pycryptodome(), keccak] if sys.platform == "darwin" else [by_pycryptodome(), by_pysha3(), keccak]


@pytest.mark.parametrize("of", MADE)
def test_hashes_are_those_that_ethereum_knows(of: Hash) -> None:
    assert {data: of(data).hex() for data in KNOWN} == KNOWN


def test_all_hash_texts_of_every_length_alike() -> None:
    texts = [bytes([length % 251]) * length for length in range(300)]

    assert [{of(text) for of in MADE} for text in texts] == [{keccak(text)} for text in texts]
