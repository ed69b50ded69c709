"""A whole block: identities, senders, what is quarantined, and whatever bytes may come."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft.agents.decode.evm import decode_block
from ft.agents.decode.topics import EVENT_TOPICS, TRANSFER, TRANSFER_BATCH, TRANSFER_SINGLE
from ft.errors import MalformedRecord
from tests.unit.agents.decode.building import (
    ALICE,
    BLOCK_HASH,
    BOB,
    CAROL,
    CONTRACT,
    SENDER,
    TX,
    Json,
    block,
    decode_logs,
    log,
    receipt,
    shipped,
)

OTHER_TX = "0x" + "22" * 32


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def numbered(logs: list[Json]) -> list[Json]:
    return [each | {"logIndex": hex(at)} for at, each in enumerate(logs)]


def test_the_header_is_read() -> None:
    decoded = decode_block("polygon", block(), receipts=b"[]")

    assert (decoded.network, decoded.number, decoded.hash) == ("polygon", 16, BLOCK_HASH)
    assert (decoded.parent_hash, decoded.time) == ("0x" + "aa" * 32, 0x64EA268F)


def test_n_counts_the_logs_of_one_contract_and_topic_in_one_transaction() -> None:
    logs = [
        log(TRANSFER, [ALICE, BOB, 1]),
        log(TRANSFER, [ALICE, BOB, 2], address="0x" + "88" * 20),
        log(TRANSFER_SINGLE, [CAROL, ALICE, BOB], [3, 1]),
        log(TRANSFER, [ALICE, BOB, 4]),
        log(TRANSFER, [ALICE, BOB, 5], transactionHash=OTHER_TX),
    ]
    senders = block([{"hash": TX, "from": SENDER}, {"hash": OTHER_TX, "from": SENDER}])

    events = decode_block("ethereum", senders, logs=as_json(numbered(logs))).events

    assert events.token_id == ["1", "2", "3", "4", "5"]
    assert events.n == [0, 0, 0, 1, 0]


def test_n_counts_what_is_no_event_too() -> None:
    logs = [log(TRANSFER, [ALICE, BOB], [5]), log(TRANSFER, [ALICE, BOB, 1], [1]), log(TRANSFER, [ALICE, BOB, 2])]

    decoded = decode_logs(logs)

    assert decoded.events.n == [2]
    assert len(decoded.quarantined) == 1


def test_all_columns_have_the_same_length() -> None:
    logs = [log(TRANSFER, [ALICE, BOB, 1]), log(TRANSFER_BATCH, [CAROL, ALICE, BOB], [64, 160, 2, 5, 6, 2, 1, 1])]

    events = decode_logs(logs).events

    assert {len(getattr(events, name)) for name in events.__slots__ if name != "echo"} == {len(events)} == {3}


def test_receipts_and_logs_of_a_block_give_the_same_events() -> None:
    logs = numbered([log(TRANSFER, [ALICE, BOB], [5]), log(TRANSFER, [ALICE, BOB, 2])])

    by_receipts = decode_block("ethereum", block(), receipts=as_json([receipt(logs)]))
    by_logs = decode_block("ethereum", block(), logs=as_json(logs))
    filtered = decode_block("ethereum", block(), logs=as_json([each for each in logs if each["topics"][0] == TRANSFER]))

    assert by_receipts.events == by_logs.events == filtered.events
    assert by_receipts.events.tx_from == [SENDER]


def test_a_removed_log_is_not_of_the_block() -> None:
    decoded = decode_logs([log(TRANSFER, [ALICE, BOB, 1], removed=True), log(TRANSFER, [ALICE, BOB, 2])])

    assert (decoded.events.token_id, decoded.events.n) == (["2"], [0])


def test_nodes_may_leave_fields_out_and_add_others() -> None:
    built = log(TRANSFER, [ALICE, BOB, 1]) | {"blockTimestamp": "0x1", "novelty": {"a": [1, None]}}
    del built["removed"], built["data"]
    bare = {"transactionHash": TX, "logs": [built], "l1Fee": "0x1"}

    decoded = decode_block("base", block(), receipts=as_json([bare, {"transactionHash": OTHER_TX, "logs": None}]))

    assert decoded.events.tx_from == [SENDER]


def test_a_block_with_transaction_hashes_is_enough_beside_receipts() -> None:
    hashes_only = as_json(json.loads(block()) | {"transactions": [TX]})

    decoded = decode_block("base", hashes_only, receipts=as_json([receipt([])]))

    assert decoded.senders == {TX: SENDER}


def test_an_event_without_a_known_sender_is_refused() -> None:
    with pytest.raises(MalformedRecord, match="expected the sender of 0x1111"):
        decode_block("base", block([]), logs=as_json([log(TRANSFER, [ALICE, BOB, 1])]))


def test_quarantine_keeps_the_log_as_the_node_wrote_it() -> None:
    odd = b'{ "odd":  1.50, ' + as_json(log(TRANSFER, [ALICE, BOB, 2], [1]) | {"logIndex": "0x7"})[1:]
    body = b'[{"transactionHash": "%s", "from": "%s", "logs": [%s, %s]}]' % (
        TX.encode(),
        SENDER.encode(),
        as_json(log(TRANSFER, [ALICE, BOB, 1])),
        odd,
    )

    (quarantined,) = decode_block("ethereum", block(), receipts=body).quarantined

    assert quarantined.log == odd
    assert (quarantined.contract, quarantined.tx_hash, quarantined.log_index) == (CONTRACT, TX, 1)
    assert quarantined.topic0 == TRANSFER


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"address": "0x77"}, "a log's address as 0x and 20 bytes"),
        ({"transactionHash": "0xzz"}, "a transaction's hash as 0x and 32 bytes"),
        ({"topics": None}, "expected a list of receipts"),
    ],
)
def test_a_log_without_a_place_is_refused(changed: Json, complaint: str) -> None:
    body = as_json([receipt([log(TRANSFER, [ALICE, BOB, 1]) | changed])])

    with pytest.raises(MalformedRecord, match=complaint):
        decode_block("ethereum", block(), receipts=body)


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[1]", b'[{"logs":[]}]', b"\xff", b"[" * 100_000])
def test_receipts_that_are_none_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedRecord, match="expected a list of receipts as the node's JSON"):
        decode_block("ethereum", block(), receipts=body)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"number":"0x1"}'])
def test_a_block_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRecord, match="expected a block as the node's JSON"):
        decode_block("ethereum", body, receipts=b"[]")


def test_receipts_and_logs_at_once_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="either receipts or logs"):
        decode_block("ethereum", block(), receipts=b"[]", logs=b"[]")


TEXT = st.text(alphabet="0123456789abcdefxX_ -+\n\u00e9", max_size=70)
HEX = st.binary(max_size=200).map(lambda raw: "0x" + raw.hex())
TOPIC0 = st.sampled_from([event.topic0 for event in EVENT_TOPICS])
WORD = st.one_of(st.integers(0, 2**160 - 1), st.integers(0, 2**256 - 1)).map(lambda value: f"0x{value:064x}")
ANY_LOG = st.fixed_dictionaries(
    {
        "address": st.sampled_from([CONTRACT, "0xb47e3cd837ddf8e4c57f05d70ab865de6e193bbb"]),
        "topics": st.builds(
            lambda first, rest: [first, *rest], TOPIC0, st.lists(st.one_of(WORD, HEX, TEXT), max_size=4)
        ),
        "data": st.one_of(
            HEX,
            st.none(),
            TEXT,
            st.lists(st.one_of(st.integers(0, 300), st.integers(0, 2**256 - 1)), max_size=8).map(
                lambda words: "0x" + "".join(f"{value:064x}" for value in words)
            ),
        ),
        "transactionHash": st.just(TX),
    }
)


@given(st.lists(ANY_LOG, max_size=6), st.sampled_from(["ethereum", "polygon"]))
@settings(max_examples=300)
def test_whatever_a_contract_logs_is_an_event_or_quarantined_or_ignored(logs: list[Json], network: str) -> None:
    in_order = numbered(logs)
    listed = shipped(network)

    by_receipts = decode_block(network, block(), receipts=msgspec.json.encode([receipt(in_order)]), listed=listed)
    by_logs = decode_block(network, block(), logs=msgspec.json.encode(in_order), listed=listed)

    assert by_receipts.events == by_logs.events
    assert by_receipts.quarantined == by_logs.quarantined
    for token_id, quantity in zip(by_logs.events.token_id, by_logs.events.quantity, strict=True):
        assert 0 <= int(token_id) < 2**256
        assert 0 <= int(quantity) < 2**256


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_whatever_bytes_come_are_decoded_or_refused(block_body: bytes, body: bytes) -> None:
    for receipts, logs, state_sync in ((body, None, None), (None, body, None), (b"[]", None, body)):
        for header in (block(), block_body):
            with contextlib.suppress(MalformedRecord):
                decode_block("polygon", header, receipts=receipts, logs=logs, state_sync=state_sync)
