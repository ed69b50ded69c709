"""Proofs: recorded blocks prove themselves, and no change to an answer goes unseen."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ft.networks import Network, load_networks
from ft.streams.sources.evm.proof import (
    Block,
    ProofError,
    Receipt,
    encode_receipt,
    logs_bloom,
    read_block,
    read_logs,
    read_receipts,
    receipts_root,
    verify_block_hash,
    verify_logs,
    verify_receipts,
)
from ft.streams.sources.evm.statesync import split_logs, split_receipts
from tests.recordings import recorded, recording

Json = dict[str, Any]
POLYGON, ETHEREUM = load_networks()["polygon"], load_networks()["ethereum"]
BLOCKS = (
    *(f"ethereum/{n}" for n in (7280016, 14000000, 17173049, 17173050, 18000000, 18500000)),
    *(f"polygon/{n}" for n in (10000000, 20000000, 50000000)),
)
WITHOUT_MIX_HASH = ("ethereum/17173049", "ethereum/17173050")
STATE_SYNC = ("polygon/10000000", "polygon/20000000")
ETL = {
    "block_eip_1559": ("0x16c7d38",),
    "block_with_contracts": ("0x221552",),
    "blocks_with_transfers": ("0x898a05", "0x898a06", "0x898a07"),
}


def load(name: str) -> tuple[Json, list[Json]]:
    block = json.loads(recorded("evm", name, "block.json.gz"))
    receipts = json.loads(recorded("evm", name, "receipts.json.gz"))
    return block, receipts


def as_block(block: Json) -> Block:
    return read_block(json.dumps(block).encode())


def as_receipts(receipts: list[Json]) -> list[Receipt]:
    return read_receipts(json.dumps(receipts).encode())


def inside(block: Block, receipts: list[Json]) -> list[Receipt]:
    return split(POLYGON, block, receipts)[0]


def split(network: Network, block: Block, receipts: list[Json]) -> tuple[list[Receipt], list[Receipt]]:
    """Those under the root, and those outside of it."""
    known = as_receipts(receipts)
    found = split_receipts(network, block, known)
    return [known[at] for at in found.inside], [known[at] for at in found.outside]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_recorded_block_proves_its_receipts(name: str) -> None:
    raw_block, raw_receipts = load(name)
    block = as_block(raw_block)
    receipts = inside(block, raw_receipts)

    verify_receipts(block, receipts)

    assert receipts_root(receipts).hex() == raw_block["receiptsRoot"][2:]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_recorded_block_proves_its_logs(name: str) -> None:
    raw_block, raw_receipts = load(name)
    block = as_block(raw_block)
    logs = read_logs(json.dumps([log for receipt in raw_receipts for log in receipt["logs"]]).encode())

    covered = [logs[at] for at in split_logs(POLYGON, block, logs).inside]
    verify_logs(block, covered)

    assert logs_bloom(covered).hex() == raw_block["logsBloom"][2:]


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in WITHOUT_MIX_HASH])
def test_a_recorded_header_makes_its_hash(name: str) -> None:
    verify_block_hash(as_block(load(name)[0]))


@pytest.mark.parametrize("field", ["receiptsRoot", "logsBloom", "number", "gasUsed", "timestamp", "extraData", "hash"])
def test_a_changed_header_does_not_make_its_hash(field: str) -> None:
    block, _ = load("polygon/50000000")
    block[field] = changed_hex(block[field])

    with pytest.raises(ProofError, match="expected a header of hash"):
        verify_block_hash(as_block(block))


def test_a_header_with_a_field_left_out_cannot_make_its_hash() -> None:
    block, _ = load("ethereum/18000000")
    del block["mixHash"]

    with pytest.raises(ProofError, match="expected mixHash"):
        verify_block_hash(as_block(block))


@pytest.mark.parametrize(("folder", "number"), [(folder, number) for folder, known in ETL.items() for number in known])
def test_a_recorded_polygon_block_proves_itself(folder: str, number: str) -> None:
    path = recording("evm", "polygon-etl", folder)
    block = as_block(
        json.loads((path / f"web3_response.eth_getBlockByNumber_{number}_true.json").read_text())["result"]
    )
    answers = [
        json.loads((path / f"web3_response.eth_getTransactionReceipt_{tx_hash}.json").read_text())["result"]
        for tx_hash in block.transaction_hashes
    ]

    verify_receipts(block, inside(block, answers))
    verify_block_hash(block)


def test_every_devnet_block_proves_itself() -> None:
    devnet = json.loads(recorded("evm", "devnet", "recording.json.gz"))
    for raw_block, raw_receipts in zip(devnet["blocks"], devnet["receipts"], strict=True):
        block, receipts = as_block(raw_block), as_receipts(raw_receipts)

        verify_receipts(block, receipts)
        verify_logs(block, [log for receipt in receipts for log in receipt.logs])
        verify_block_hash(block)


@pytest.mark.parametrize("name", STATE_SYNC)
def test_state_sync_lies_outside_the_root_and_is_split_off(name: str) -> None:
    raw_block, raw_receipts = load(name)
    block = as_block(raw_block)

    receipts, outside = split(POLYGON, block, raw_receipts)

    assert [receipt.transaction_hash for receipt in outside] == [raw_receipts[-1]["transactionHash"]]
    assert len(receipts) == len(raw_receipts) - 1
    with pytest.raises(ProofError, match=r"expected (5|110) receipts"):
        verify_receipts(block, as_receipts(raw_receipts))


def test_state_sync_is_split_off_where_the_block_does_not_list_it() -> None:
    raw_block, raw_receipts = load("polygon/20000000")
    raw_block["transactions"].pop()
    block = as_block(raw_block)

    verify_receipts(block, inside(block, raw_receipts))


def test_nothing_is_split_off_on_other_networks_or_in_blocks_without() -> None:
    block, receipts = load("ethereum/18000000")
    synced_block, synced = load("polygon/20000000")

    assert split(POLYGON, as_block(block), receipts)[1] == []
    assert split(ETHEREUM, as_block(synced_block), synced)[1] == []


def test_a_second_state_sync_receipt_is_refused() -> None:
    block, receipts = load("polygon/20000000")

    with pytest.raises(ProofError, match="at most one state-sync receipt, got 2"):
        split(POLYGON, as_block(block), [*receipts, receipts[-1]])


def test_a_state_sync_receipt_of_another_block_is_refused() -> None:
    block, receipts = load("polygon/20000000")
    receipts[-1]["blockHash"] = changed_hex(receipts[-1]["blockHash"])

    with pytest.raises(ProofError, match="expected a receipt of this block"):
        split(POLYGON, as_block(block), receipts)


def changed_hex(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def with_logs(receipts: list[Json]) -> Json:
    return next(receipt for receipt in receipts if len(receipt["logs"]) > 2)


def _drop_log(receipts: list[Json]) -> None:
    with_logs(receipts)["logs"].pop(1)


def _double_log(receipts: list[Json]) -> None:
    logs = with_logs(receipts)["logs"]
    logs.insert(1, logs[0])


def _swap_logs(receipts: list[Json]) -> None:
    logs = with_logs(receipts)["logs"]
    logs[0], logs[1] = logs[1], logs[0]


def _change_log(field: str) -> Callable[[list[Json]], None]:
    def change(receipts: list[Json]) -> None:
        log = with_logs(receipts)["logs"][0]
        log[field] = changed_hex(log[field])

    return change


def _change_topic(receipts: list[Json]) -> None:
    topics = with_logs(receipts)["logs"][0]["topics"]
    topics[-1] = changed_hex(topics[-1])


def _remove_log(receipts: list[Json]) -> None:
    with_logs(receipts)["logs"][0]["removed"] = True


def _change_receipt(field: str) -> Callable[[list[Json]], None]:
    def change(receipts: list[Json]) -> None:
        receipts[3][field] = changed_hex(receipts[3][field])

    return change


def _drop_receipt(receipts: list[Json]) -> None:
    receipts.pop(3)


def _swap_receipts(receipts: list[Json]) -> None:
    receipts[3], receipts[4] = receipts[4], receipts[3]


def _glue_topics(receipts: list[Json]) -> None:
    """The same RLP bytes from one long topic instead of two."""
    log = next(log for receipt in receipts for log in receipt["logs"] if len(log["topics"]) > 1)
    first, second, *rest = log["topics"]
    log["topics"] = [first + "a0" + second[2:], *rest]


MUTATIONS: dict[str, Callable[[list[Json]], None]] = {
    "a dropped log": _drop_log,
    "a doubled log": _double_log,
    "swapped logs": _swap_logs,
    "a log marked as removed": _remove_log,
    "a changed topic": _change_topic,
    "glued topics": _glue_topics,
    **{
        f"a changed {field} of a log": _change_log(field)
        for field in ("address", "data", "blockHash", "transactionHash")
    },
    **{f"a changed {field}": _change_receipt(field) for field in ("status", "cumulativeGasUsed", "logsBloom", "type")},
    **{f"another {field}": _change_receipt(field) for field in ("transactionHash", "transactionIndex", "blockHash")},
    "a dropped receipt": _drop_receipt,
    "swapped receipts": _swap_receipts,
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_of_the_receipts_is_seen(mutation: str) -> None:
    block, receipts = load("ethereum/18000000")

    MUTATIONS[mutation](receipts)

    with pytest.raises(ProofError, match="expected"):
        verify_receipts(as_block(block), as_receipts(receipts))


def test_the_complaint_names_block_and_both_roots() -> None:
    block, receipts = load("ethereum/18000000")
    receipts[0]["cumulativeGasUsed"] = "0x1"

    with pytest.raises(
        ProofError, match=r"block 0x112a880 \(0x95b1\w+\): expected receiptsRoot 0x\w{64}, computed 0x\w{64}"
    ):
        verify_receipts(as_block(block), as_receipts(receipts))


def block_and_logs() -> tuple[Block, list[Json]]:
    block, receipts = load("ethereum/18000000")
    return as_block(block), [log for receipt in receipts for log in receipt["logs"]]


def test_a_log_that_alone_sets_its_bits_cannot_be_dropped() -> None:
    block, logs = block_and_logs()
    unique = next(at for at, log in enumerate(logs) if sum(log["address"] == each["address"] for each in logs) == 1)

    del logs[unique]

    with pytest.raises(ProofError, match=r"that leave \d+ bits unset"):
        verify_logs(block, read_logs(json.dumps(logs).encode()))


def test_a_log_whose_address_is_not_in_the_bloom_is_seen() -> None:
    block, logs = block_and_logs()
    logs[0]["address"] = "0x" + "12" * 20

    with pytest.raises(ProofError, match="expected log 0x0 in logsBloom"):
        verify_logs(block, read_logs(json.dumps(logs).encode()))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"blockHash": "0x" + "12" * 32}, "expected log 0x0 of this block"),
        ({"removed": True}, "marked as removed"),
    ],
)
def test_a_log_that_is_not_of_the_block_is_seen(changed: Json, complaint: str) -> None:
    block, logs = block_and_logs()
    logs[0] |= changed

    with pytest.raises(ProofError, match=complaint):
        verify_logs(block, read_logs(json.dumps(logs).encode()))


@pytest.mark.parametrize(
    "renumber",
    [lambda at: None, lambda at: "0x0", lambda at: hex(999 - at), lambda at: hex(at + 7), lambda at: "seven"],
    ids=["none", "zeros", "backwards", "shifted", "a word"],
)
def test_no_proof_rests_on_a_nodes_log_index(renumber: Callable[[int], str | None]) -> None:
    block, receipts = load("ethereum/18000000")
    for at, log in enumerate(log for receipt in receipts for log in receipt["logs"]):
        log["logIndex"] = renumber(at)

    verify_receipts(as_block(block), as_receipts(receipts))
    verify_logs(as_block(block), read_logs(json.dumps([x for r in receipts for x in r["logs"]][::-1]).encode()))


@pytest.mark.parametrize("tx_hash", [None, "0x" + "12" * 32])
def test_a_log_of_no_transaction_is_kept_if_the_filter_holds_it(tx_hash: str | None) -> None:
    block, logs = block_and_logs()
    logs[-1]["transactionHash"] = tx_hash

    verify_logs(block, read_logs(json.dumps(logs).encode()))


def test_a_log_told_twice_is_seen_although_the_filter_is_the_same() -> None:
    block, logs = block_and_logs()

    with pytest.raises(ProofError, match="expected each log once"):
        verify_logs(block, read_logs(json.dumps([*logs, logs[3]]).encode()))


def test_equal_logs_of_a_node_that_numbers_none_are_no_repeats() -> None:
    block, logs = block_and_logs()
    for log in logs:
        log["logIndex"] = "0x0"

    verify_logs(block, read_logs(json.dumps([*logs, logs[3]]).encode()))


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[{}]", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_list_of_receipts_is_refused(body: bytes) -> None:
    with pytest.raises(ProofError, match="expected a list of receipts as the node's JSON"):
        read_receipts(body)


def made(**changed: Any) -> Receipt:
    plain = {"transactionHash": "0x", "cumulativeGasUsed": "0x1", "logsBloom": "0x" + "00" * 256, "logs": []}
    return as_receipts([plain | changed])[0]


def test_a_receipt_before_byzantium_carries_a_root() -> None:
    root = "11" * 32

    assert bytes.fromhex("a0" + root) in encode_receipt(made(root="0x" + root))


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 0x64, 0x68, 0x6A, 0x7F])
def test_a_typed_receipt_is_its_type_and_the_legacy_receipt(kind: int) -> None:
    legacy = encode_receipt(made(status="0x1"))

    assert encode_receipt(made(status="0x1", type=hex(kind))) == bytes((kind,)) + legacy


def test_a_deposit_receipt_carries_nonce_and_version_since_canyon() -> None:
    legacy = encode_receipt(made(status="0x1"))
    before = encode_receipt(made(status="0x1", type="0x7e", depositNonce="0x80"))
    since = encode_receipt(made(status="0x1", type="0x7e", depositNonce="0x80", depositReceiptVersion="0x1"))

    assert before == b"\x7e" + legacy
    assert since[-3:] == bytes.fromhex("818001")
    assert len(since) == len(before) + 3


@pytest.mark.parametrize(
    "changed",
    [{}, {"status": "0x2"}, {"status": "0x1", "type": "0x80"}, {"status": "0x1", "logsBloom": "0x00"}, {"status": "1"}],
)
def test_a_receipt_that_cannot_be_encoded_is_refused(changed: Json) -> None:
    with pytest.raises(ProofError, match="expected"):
        encode_receipt(made(**changed))
