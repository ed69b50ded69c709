"""The transactions of a block against its root, and the sender against the signature."""

import json
from typing import Any

import msgspec
import pytest

from ft.agents.decode.statesync import state_sync_hash
from ft.agents.decode.transactions import (
    ROOT,
    TYPE,
    Transaction,
    created_address,
    encoded,
    sender_of,
    transactions_proof,
)
from tests.recordings import recorded
from tests.unit.agents.decode.building import BLOCK_HASH, Json
from tests.unit.agents.decode.signing import CONTRACT_OF_NONCE, SENDER, block_of, signed, unsigned

SOMEBODY = "0x" + "5e" * 20
HASH = "0x" + "9a" * 32
KINDS: list[tuple[int, Json]] = [(0, {}), (0, {"chainId": 137}), (1, {}), (2, {}), (3, {}), (4, {})]
WHOLE = ["14000000", "18000000", "18500000", "7280016"]


def read(told: Json) -> Transaction:
    return msgspec.convert(told, Transaction)


def as_bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


@pytest.mark.parametrize(("kind", "changed"), KINDS)
def test_a_transaction_is_encoded_and_its_sender_found(kind: int, changed: Json) -> None:
    told, raw = signed(kind, **changed)

    assert encoded(read(told)) == raw
    assert sender_of(read(told)) == SENDER


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_creation_has_no_receiver(kind: int) -> None:
    told, raw = signed(kind, to=None)

    assert encoded(read(told)) == raw
    assert sender_of(read(told)) == SENDER


@pytest.mark.parametrize("changed", [{"value": 0}, {"nonce": 0}, {"gas": 255}, {"data": b""}, {"data": b"\x07"}])
def test_small_and_empty_values_are_encoded_as_they_must_be(changed: Json) -> None:
    told, raw = signed(2, **changed)

    assert encoded(read(told)) == raw


def test_what_is_zero_may_be_left_out_or_written_long() -> None:
    told, raw = signed(2, nonce=0, value=0)
    silent = {name: value for name, value in told.items() if name not in ("nonce", "value")}

    assert encoded(read(silent)) == encoded(read(told | {"value": "0x0000", "gas": "0x00015f90"})) == raw


def test_a_deposit_states_its_sender() -> None:
    items = [as_bytes(HASH), as_bytes(SOMEBODY), b"", 10**18, 5, 21_000, b"", b"\x60"]
    fields = {"sourceHash": HASH, "mint": hex(10**18), "value": "0x5", "gas": "0x5208", "input": "0x60"}

    told, raw = unsigned(0x7E, items, **fields)
    told["from"] = SOMEBODY.upper().replace("X", "x")

    assert encoded(read(told)) == raw
    assert sender_of(read(told)) == SOMEBODY


@pytest.mark.parametrize(
    ("kind", "items", "fields"),
    [
        (0x64, [42161, HASH, SOMEBODY, SOMEBODY, 9], {"requestId": HASH, "to": SOMEBODY, "value": "0x9"}),
        (
            0x65,
            [42161, SOMEBODY, 3, 8, 21_000, SOMEBODY, 9, "0x60"],
            {"nonce": "0x3", "maxFeePerGas": "0x8", "gas": "0x5208", "to": SOMEBODY, "value": "0x9", "input": "0x60"},
        ),
        (
            0x66,
            [42161, HASH, SOMEBODY, 8, 21_000, "0x", 9, "0x60"],
            {"requestId": HASH, "maxFeePerGas": "0x8", "gas": "0x5208", "value": "0x9", "input": "0x60"},
        ),
        (
            0x68,
            [42161, 1, SOMEBODY, 8, 21_000, SOMEBODY, 0, "0x60", HASH, SOMEBODY, 77, 0],
            {
                "nonce": "0x1",
                "maxFeePerGas": "0x8",
                "gas": "0x5208",
                "to": SOMEBODY,
                "value": "0x0",
                "input": "0x60",
                "ticketId": HASH,
                "refundTo": SOMEBODY,
                "maxRefund": "0x4d",
                "submissionFeeRefund": "0x0",
            },
        ),
        (
            0x69,
            [42161, HASH, SOMEBODY, 6, 100, 8, 21_000, SOMEBODY, 2, SOMEBODY, 3, SOMEBODY, "0x61"],
            {
                "requestId": HASH,
                "l1BaseFee": "0x6",
                "depositValue": "0x64",
                "maxFeePerGas": "0x8",
                "gas": "0x5208",
                "retryTo": SOMEBODY,
                "retryValue": "0x2",
                "beneficiary": SOMEBODY,
                "maxSubmissionFee": "0x3",
                "refundTo": SOMEBODY,
                "retryData": "0x61",
            },
        ),
        (0x6A, [42161, "0x6bf6a42d"], {"input": "0x6bf6a42d"}),
    ],
)
def test_the_types_of_arbitrum_are_encoded(kind: int, items: list[Any], fields: Json) -> None:
    told, raw = unsigned(kind, [as_bytes(each) if isinstance(each, str) else each for each in items], **fields)
    told |= {"from": SOMEBODY, "chainId": "0xa4b1"}

    assert encoded(read(told)) == raw
    assert sender_of(read(told)) == SOMEBODY


def test_a_block_of_all_types_is_proven() -> None:
    proof = transactions_proof(block_of([signed(kind, **changed) for kind, changed in KINDS]))

    assert proof.reason == ""
    assert [each.kind for each in proof.transactions] == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("changed", [{"value": "0x1"}, {"input": "0x"}, {"to": None}, {"nonce": "0x6"}, {"r": "0x1"}])
def test_a_transaction_that_was_changed_does_not_fit_the_root(changed: Json) -> None:
    first, (told, raw) = signed(0), signed(2)

    assert transactions_proof(block_of([first, (told | changed, raw)])).reason == ROOT


def test_a_transaction_that_is_missing_does_not_fit_the_root() -> None:
    whole = json.loads(block_of([signed(0), signed(2)]))

    assert transactions_proof(json.dumps(whole | {"transactions": whole["transactions"][:1]}).encode()).reason == ROOT


@pytest.mark.parametrize("kind", ["0x7f", "0x5", "0xnone"])
def test_a_type_without_a_known_encoding_is_named(kind: str) -> None:
    told, raw = signed(2)

    assert transactions_proof(block_of([signed(0), (told | {"type": kind}, raw)])).reason == TYPE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"number": "0x1", "hash": "0xzz"}',
        block_of([], transactionsRoot="0x" + "22" * 32),
        block_of([], transactions=["0x" + "11" * 32]),
        block_of([], transactionsRoot=None),
        block_of([(signed(2)[0] | {"r": "0x" + "f" * 200}, b"")]),
        block_of([(signed(2)[0] | {"r": "zz"}, b"")]),
    ],
)
def test_a_block_that_tells_no_such_thing_proves_nothing(body: bytes) -> None:
    assert transactions_proof(body).reason == ROOT


def test_an_empty_block_is_proven() -> None:
    assert transactions_proof(block_of([])).reason == ""


def test_the_pseudo_transaction_of_polygon_has_no_place_under_the_root() -> None:
    whole = json.loads(block_of([signed(0)]))
    pseudo = {"hash": state_sync_hash(0x10, BLOCK_HASH), "from": "0x" + "00" * 20, "type": "0x0"}

    proof = transactions_proof(json.dumps(whole | {"transactions": [*whole["transactions"], pseudo]}).encode())

    assert (proof.reason, len(proof.transactions)) == ("", 1)


@pytest.mark.parametrize("changed", [{"r": "0x0"}, {"s": None}, {"v": None}, {"r": "0x" + "f" * 64}, {"type": "0x99"}])
def test_a_signature_that_is_none_has_no_sender(changed: Json) -> None:
    assert sender_of(read(signed(0)[0] | changed)) is None


@pytest.mark.parametrize("nonce", sorted(CONTRACT_OF_NONCE))
def test_an_address_is_that_of_sender_and_nonce(nonce: int) -> None:
    assert created_address(SENDER, nonce) == CONTRACT_OF_NONCE[nonce]


@pytest.mark.parametrize("name", [f"ethereum/{n}" for n in WHOLE] + [f"polygon/{n}0000000" for n in (1, 2, 5)])
def test_a_recorded_block_makes_its_root_and_its_senders(name: str) -> None:
    proof = transactions_proof(recorded("evm", name, "block.json.gz"))

    assert proof.reason == ""
    assert [sender_of(each) for each in proof.transactions[:20]] == [each.sender for each in proof.transactions[:20]]


def test_a_recorded_block_without_signatures_proves_nothing() -> None:
    assert transactions_proof(recorded("evm", "ethereum/17173050", "block.json.gz")).reason == ROOT
