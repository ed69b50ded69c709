"""Polygon's state sync: a receipt outside of the root, a typed transaction under it, or both."""

import json

import pytest

from ft.agents.decode.evm import decode_block
from ft.agents.decode.statesync import state_sync_hash
from ft.agents.decode.topics import TRANSFER
from tests.unit.agents.decode.building import (
    ALICE,
    BLOCK_HASH,
    BOB,
    SENDER,
    TX,
    ZERO,
    Json,
    block,
    encoded,
    log,
    receipt,
)

PSEUDO_TX = state_sync_hash(0x10, BLOCK_HASH)
TYPED_TX = "0x" + "7f" * 32
USER = receipt([log(TRANSFER, [ALICE, BOB, 1], logIndex="0x5")])
BOTH = block([{"hash": TX, "from": SENDER}, {"hash": TYPED_TX, "from": ZERO, "type": "0x7f"}])


def minted(tx: str, at: int = 0) -> Json:
    return log(TRANSFER, [ZERO, ALICE, 9], transactionHash=tx, logIndex=hex(at))


def outside(tx: str = PSEUDO_TX) -> Json:
    return receipt([minted(tx)], transactionHash=tx, **{"from": ZERO})


def typed() -> Json:
    return receipt([minted(TYPED_TX)], transactionHash=TYPED_TX, type="0x7f", **{"from": ZERO})


def test_it_is_decoded_as_a_receipt_as_a_list_and_as_logs() -> None:
    shapes = [outside(), [outside()], outside()["logs"]]

    decoded = [decode_block("polygon", block(), receipts=encoded([USER]), state_sync=encoded(each)) for each in shapes]

    assert decoded[0].events.token_id == ["1", "9"]
    assert decoded[0].events.tx_from == [SENDER, ZERO]
    assert decoded[0].events == decoded[1].events == decoded[2].events


@pytest.mark.parametrize("empty", [b"null", b"[]", b"", b" null\n"])
def test_a_block_without_it_may_say_so(empty: bytes) -> None:
    assert len(decode_block("polygon", block(), receipts=b"[]", state_sync=empty).events) == 0


def test_it_comes_last_in_the_block_whatever_its_log_index() -> None:
    by_receipts = decode_block("polygon", block(), receipts=encoded([USER]), state_sync=encoded(outside())).events
    by_logs = decode_block("polygon", block(), logs=encoded(USER["logs"]), state_sync=encoded(outside()["logs"])).events

    assert (by_receipts.token_id, by_receipts.log_index) == (["1", "9"], [0, 1])
    assert by_receipts == by_logs


def test_the_typed_transaction_comes_last_wherever_it_is_told() -> None:
    by_receipts = decode_block("polygon", BOTH, receipts=encoded([typed(), USER])).events
    by_logs = decode_block("polygon", BOTH, logs=encoded([*typed()["logs"], *USER["logs"]])).events

    assert (by_receipts.token_id, by_receipts.log_index) == (["1", "9"], [0, 1])
    assert by_receipts == by_logs
    assert by_receipts.tx_from == [SENDER, ZERO]


def test_what_is_told_both_ways_counts_once_under_the_typed_transaction() -> None:
    part = encoded(outside())

    by_receipts = decode_block("polygon", BOTH, receipts=encoded([USER, typed()]), state_sync=part).events
    by_logs = decode_block("polygon", BOTH, logs=encoded([*USER["logs"], *typed()["logs"]]), state_sync=part).events
    listed_twice = [*USER["logs"], *typed()["logs"], *outside()["logs"]]

    assert (by_receipts.token_id, by_receipts.tx_hash) == (["1", "9"], [TX, TYPED_TX])
    assert by_receipts == by_logs == decode_block("polygon", BOTH, logs=encoded(listed_twice)).events


def test_a_typed_transaction_without_logs_leaves_the_receipt_outside() -> None:
    told = encoded([USER, typed() | {"logs": []}])

    events = decode_block("polygon", BOTH, receipts=told, state_sync=encoded(outside())).events

    assert events.tx_hash == [TX, PSEUDO_TX]


def test_what_the_receipts_hold_already_counts_once() -> None:
    told = encoded([outside(), USER])

    events = decode_block("polygon", block(), receipts=told, state_sync=encoded(outside())).events

    assert (events.token_id, events.log_index) == (["1", "9"], [0, 1])


def test_a_receipt_of_another_hash_is_refused_and_kept() -> None:
    stray = outside("0x" + "99" * 32)

    decoded = decode_block("polygon", block(), receipts=encoded([USER]), state_sync=encoded([stray]))

    assert decoded.events.token_id == ["1"]
    (quarantined,) = decoded.quarantined
    assert "expected the transaction hash that the block's number and hash make" in quarantined.reason
    assert json.loads(quarantined.log) == stray["logs"][0]
    assert quarantined.log_index == 1


def test_a_log_that_is_quarantined_keeps_its_bytes() -> None:
    odd = log(TRANSFER, [ZERO, ALICE, 9], [1], transactionHash=PSEUDO_TX)

    (quarantined,) = decode_block("polygon", block(), receipts=b"[]", state_sync=encoded([odd])).quarantined

    assert json.loads(quarantined.log) == odd
