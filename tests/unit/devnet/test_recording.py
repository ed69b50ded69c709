"""The shipped demo chain holds together: links, reorgs, marks, and the contracts' word against the logs'."""

import dataclasses
import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ft.demo import Recording, load_recording
from ft.demo.recording import RecordingError, place_of

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
CONSECUTIVE_TRANSFER = "0xdeaa91b6123d068f5821d0fb0678463d1a8a6079fe8af5de3ce5e896dcf9133d"
TRANSFER_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
TRANSFER_BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
ORDER_FULFILLED = "0x9d9af8e38d66c62e2c12f0225249fd9d721c54b83f48d9352c97c6cacdcb6f31"
ORDER_CANCELLED = "0x6bacc01dbe442496068f7d234edd811f1a5f833243e0aec824f86ab861f3c90d"
COUNTER_INCREMENTED = "0x721c20121297512b72821b97f5326877ea8ecf4bb9948fea5bfcb6453074d37f"
ZERO = "0x" + "00" * 20


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_recording()


@dataclasses.dataclass
class Seen:
    """Replaying the steps: the chain at the end, and every reorg on the way, as a follower would find it."""

    chain: dict[int, str]
    reorgs: list[tuple[int, int, int]]


def followed(recording: Recording) -> Seen:
    seen = Seen({}, [])
    for step in recording.steps:
        head = max(seen.chain, default=-1)
        replaced = [height for height in step.chain if height in seen.chain]
        if replaced:
            seen.reorgs.append((head, min(replaced), head - min(replaced) + 1))
        seen.chain = {at: known for at, known in seen.chain.items() if at <= step.head} | step.chain
        assert sorted(seen.chain) == list(range(step.head + 1))
        linked(recording, seen.chain)
    return seen


def linked(recording: Recording, chain: dict[int, str]) -> None:
    for height, block_hash in chain.items():
        place = place_of(recording.blocks[block_hash].block)
        assert (place.height, place.hash) == (height, block_hash)
        assert height == 0 or place.parent == chain[height - 1]


def standing_logs(recording: Recording) -> list[dict[str, Any]]:
    chain = followed(recording).chain
    return [
        log
        for height in sorted(chain)
        for receipt in msgspec.json.decode(recording.blocks[chain[height]].receipts)
        for log in receipt["logs"]
    ]


def account(topic: str) -> str:
    return "0x" + topic[26:]


def test_every_block_stands_on_its_parent_at_every_step_and_the_reorgs_are_the_expected_ones(
    recording: Recording,
) -> None:
    seen = followed(recording)

    assert seen.reorgs == [(each.from_block, each.to_block, each.depth) for each in recording.expected.reorgs]
    assert [each.depth for each in recording.expected.reorgs] == [1, 4, 2]


def test_marks_never_go_back_and_no_reorg_reaches_a_final_block(recording: Recording) -> None:
    finalized = 0
    for step in recording.steps:
        assert step.finalized <= step.safe <= step.head
        assert finalized <= step.finalized
        assert min(step.chain) > finalized or step.chain.keys() == {0} or finalized == 0
        finalized = step.finalized


def test_receipts_belong_to_their_block_and_name_every_transaction_of_it(recording: Recording) -> None:
    for block_hash, recorded in recording.blocks.items():
        block, receipts = msgspec.json.decode(recorded.block), msgspec.json.decode(recorded.receipts)

        assert [tx["hash"] for tx in block["transactions"]] == [each["transactionHash"] for each in receipts]
        assert {each["blockHash"] for each in receipts} <= {block_hash}
        logs = [log for each in receipts for log in each["logs"]]
        assert [int(log["logIndex"], 16) for log in logs] == list(range(len(logs)))


def test_transactions_that_are_gone_stand_nowhere_and_those_that_returned_stand_in_another_block(
    recording: Recording,
) -> None:
    chain = set(followed(recording).chain.values())
    blocks: dict[str, set[str]] = {}
    for block_hash, recorded in recording.blocks.items():
        for tx in msgspec.json.decode(recorded.block)["transactions"]:
            blocks.setdefault(tx["hash"], set()).add(block_hash)

    assert recording.expected.gone
    assert recording.expected.returned
    assert all(not blocks[tx] & chain for tx in recording.expected.gone)
    assert all(len(blocks[tx]) == 2 and len(blocks[tx] & chain) == 1 for tx in recording.expected.returned)


def test_owners_read_from_the_contracts_are_those_of_the_last_logs(recording: Recording) -> None:
    owners: dict[str, dict[str, str]] = {}
    for log in standing_logs(recording):
        topics, held = log["topics"], owners.setdefault(log["address"], {})
        if topics[0] == CONSECUTIVE_TRANSFER:
            tokens = range(int(topics[1], 16), int(log["data"], 16) + 1)
            held.update(dict.fromkeys(map(str, tokens), account(topics[3])))
        if topics[0] == TRANSFER and len(topics) == 4:
            held[str(int(topics[3], 16))] = account(topics[2])

    for name, expected in recording.expected.owners.items():
        held = owners[recording.contracts[name].address]
        assert {token: owner for token, owner in held.items() if owner != ZERO} == expected
        assert recording.expected.supply[name] == str(len(expected))


def test_units_read_from_the_contract_add_up_to_its_supply(recording: Recording) -> None:
    items = recording.expected.balances["items"]

    assert sum(int(amount) for held in items.values() for amount in held.values()) == int(
        recording.expected.supply["items"]
    )
    assert ZERO not in {who for held in items.values() for who in held}


def test_the_story_holds_every_kind_of_event(recording: Recording) -> None:
    logs = standing_logs(recording)
    kinds = {(log["topics"][0], len(log["topics"])) for log in logs}
    batches = [log["data"] for log in logs if log["topics"][0] == TRANSFER_BATCH]
    words = [[int(data[at : at + 64], 16) for at in range(2, len(data), 64)] for data in batches]
    ids = [word[3 : 3 + word[2]] for word in words]
    amounts = [word[4 + word[2] :] for word in words]

    assert {(TRANSFER, 4), (TRANSFER, 3), (CONSECUTIVE_TRANSFER, 4), (TRANSFER_SINGLE, 4)} <= kinds
    assert {ORDER_FULFILLED, ORDER_CANCELLED, COUNTER_INCREMENTED} <= {topic for topic, _ in kinds}
    assert [] in ids
    assert any(len(batch) != len(set(batch)) for batch in ids)
    assert any(0 in batch for batch in amounts)


def test_sales_that_stand_are_the_orders_fulfilled_in_the_chain(recording: Recording) -> None:
    fulfilled = [log["transactionHash"] for log in standing_logs(recording) if log["topics"][0] == ORDER_FULFILLED]

    assert fulfilled == [sale.tx_hash for sale in recording.expected.sales]


def test_a_recording_is_written_and_read_back_byte_for_byte(recording: Recording, tmp_path: Path) -> None:
    recording.write(tmp_path / "again.json.gz")

    again = load_recording(tmp_path / "again.json.gz")

    assert again.steps == recording.steps
    assert {at: bytes(each.block) for at, each in again.blocks.items()} == {
        at: bytes(each.block) for at, each in recording.blocks.items()
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"{}"), gzip.compress(b"[")],
    ids=["empty", "no gzip", "no recording", "no JSON"],
)
def test_a_file_that_is_no_recording_is_refused_with_its_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.json.gz"
    path.write_bytes(content)

    with pytest.raises(RecordingError, match=r"broken\.json\.gz: expected a recorded chain"):
        load_recording(path)


def test_json_that_is_no_block_is_refused() -> None:
    with pytest.raises(RecordingError, match="expected the JSON of a block"):
        Recording.from_blocks(1, [(b'{"number":"0x1"}', b"[]")])
