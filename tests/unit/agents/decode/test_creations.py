"""A contract was created if its transaction has no receiver and its address is that of sender and nonce."""

import json
from typing import Any

import pytest

from ft.agents.decode.evm import decode_block
from tests.recordings import recorded
from tests.unit.agents.decode.building import CONTRACT, ZERO, Json, encoded, receipt
from tests.unit.agents.decode.signing import CONTRACT_OF_NONCE, SENDER, block_of, signed, unsigned

CREATED = CONTRACT_OF_NONCE[5]
DEPLOY = signed(2, to=None)
CALL = signed(0)


def receipt_of(told: Json, contract: str | None = CREATED, **changed: Any) -> Json:
    return receipt([], transactionHash=told["hash"], contractAddress=contract, **{"from": SENDER}, **changed)


def created(block: bytes, *receipts: Json) -> list[tuple[str, str, tuple[str, ...]]]:
    decoded = decode_block("ethereum", block, receipts=encoded(list(receipts)))
    return [(each.contract, each.tx_hash, each.reasons) for each in decoded.created]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_creation_under_the_root_is_proven(kind: int) -> None:
    deploy = signed(kind, to=None)

    found = created(block_of([CALL, deploy]), receipt_of(CALL[0], None), receipt_of(deploy[0]))

    assert found == [(CREATED, deploy[0]["hash"], ())]


def test_a_contract_that_a_receipt_names_for_a_call_was_not_created() -> None:
    assert created(block_of([CALL]), receipt_of(CALL[0])) == []


@pytest.mark.parametrize("contract", [CONTRACT, CONTRACT_OF_NONCE[1], "0xodd", None, "", "0x", ZERO])
def test_an_address_that_is_not_of_sender_and_nonce_was_not_created(contract: str | None) -> None:
    assert created(block_of([DEPLOY]), receipt_of(DEPLOY[0], contract)) == []


def test_the_address_is_read_in_any_case() -> None:
    assert created(block_of([DEPLOY]), receipt_of(DEPLOY[0], CREATED.upper().replace("X", "x")))[0][0] == CREATED


@pytest.mark.parametrize(("status", "count"), [("0x1", 1), (None, 1), ("0x0", 0)])
def test_a_failed_transaction_creates_nothing(status: str | None, count: int) -> None:
    assert len(created(block_of([DEPLOY]), receipt_of(DEPLOY[0], status=status))) == count


def test_a_root_that_does_not_fit_leaves_the_creation_unproven() -> None:
    block = block_of([DEPLOY], transactionsRoot="0x" + "00" * 32)

    assert created(block, receipt_of(DEPLOY[0])) == [(CREATED, DEPLOY[0]["hash"], ("transactions_root",))]


def test_a_call_stays_a_call_where_the_root_does_not_fit() -> None:
    assert created(block_of([CALL], transactionsRoot="0x" + "00" * 32), receipt_of(CALL[0])) == []


def test_a_neighbour_of_an_unknown_type_leaves_the_creation_unproven() -> None:
    odd = (CALL[0] | {"type": "0x7f"}, CALL[1])

    assert created(block_of([DEPLOY, odd]), receipt_of(DEPLOY[0]))[0][2] == ("transaction_type",)


def test_the_sender_is_who_signed_whatever_the_node_says() -> None:
    told, raw = DEPLOY
    lied = told | {"from": CONTRACT}

    assert created(block_of([(lied, raw)]), receipt_of(lied)) == [(CREATED, told["hash"], ())]


def test_the_contract_of_a_stated_sender_who_did_not_sign_was_not_created() -> None:
    told, raw = signed(2, to=None, nonce=0)
    lied = told | {"from": CONTRACT}
    theirs = "0x" + "12" * 20

    assert created(block_of([(lied, raw)]), receipt_of(lied, theirs)) == []


def test_a_block_of_hashes_shows_no_creation() -> None:
    whole = json.loads(block_of([DEPLOY]))

    assert created(encoded(whole | {"transactions": [DEPLOY[0]["hash"]]}), receipt_of(DEPLOY[0])) == []


def deposit() -> tuple[Json, bytes]:
    source = "0x" + "9a" * 32
    items = [bytes.fromhex(source[2:]), bytes.fromhex(SENDER[2:]), b"", b"", b"", 21_000, b"", b"\x60"]
    return unsigned(0x7E, items, sourceHash=source, gas="0x5208", input="0x60", nonce="0x5")


@pytest.mark.parametrize(
    ("stated", "reasons"),
    [
        ({"depositNonce": "0x5", "depositReceiptVersion": "0x1"}, ()),
        ({"depositNonce": "0x5"}, ("transactions_root",)),
        ({}, ("transactions_root",)),
    ],
)
def test_a_deposit_is_proven_where_its_receipt_states_the_nonce(stated: Json, reasons: tuple[str, ...]) -> None:
    told, raw = deposit()

    assert created(block_of([(told, raw)]), receipt_of(told, **stated)) == [(CREATED, told["hash"], reasons)]


@pytest.mark.parametrize(("name", "count"), [("ethereum/18000000", 1), ("ethereum/7280016", 3)])
def test_recorded_creations_are_proven(name: str, count: int) -> None:
    body, receipts = (recorded("evm", name, f"{part}.json.gz") for part in ("block", "receipts"))
    named = [each["contractAddress"] for each in json.loads(receipts) if each["contractAddress"]]

    found = decode_block("ethereum", body, receipts=receipts).created

    assert [each.contract for each in found] == named
    assert [each.reasons for each in found] == [()] * count
