"""Public keys from signatures: what another library signed is found, and nothing else."""

from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ft.agents.decode.secp256k1 import ORDER, recovered_key

KEY = st.one_of(st.integers(1, 5), st.integers(ORDER - 5, ORDER - 1), st.integers(1, ORDER - 1))
DIGEST = st.one_of(st.just(bytes(32)), st.just(b"\xff" * 32), st.binary(min_size=32, max_size=32))


@given(KEY, DIGEST)
@settings(max_examples=40, deadline=None)
def test_the_key_is_that_of_who_signed(secret: int, digest: bytes) -> None:
    key = PrivateKey(secret.to_bytes(32, "big"))
    signature = key.sign_msg_hash(digest)

    found = recovered_key(digest, signature.r, signature.s, bool(signature.v))

    assert found == key.public_key.to_bytes()
    assert recovered_key(digest, signature.r, signature.s, not signature.v) != found
    assert recovered_key(digest, signature.r, ORDER - signature.s, not signature.v) == found


def test_numbers_that_are_no_signature_have_no_key() -> None:
    assert recovered_key(bytes(32), 0, 1, False) is None
    assert recovered_key(bytes(32), 1, 0, False) is None
    assert recovered_key(bytes(32), ORDER, 1, False) is None
    assert recovered_key(bytes(32), 1, ORDER, False) is None
    assert recovered_key(bytes(32), 5, 1, False) is None  # no point of the curve has x = 5


def test_a_signature_whose_key_would_be_nobody_has_none() -> None:
    generator_x = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798

    assert recovered_key((7).to_bytes(32, "big"), generator_x, 7, False) is None
