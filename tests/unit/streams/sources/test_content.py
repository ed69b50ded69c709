"""What a block says, whatever proves it."""

import json
from typing import Any

import pytest

from ft.schemas.events import RawPart
from ft.streams.sources.evm.content import content_of
from tests.unit.streams.sources.made import MadeBlock, block, move


def content(made: MadeBlock, **parts: Any) -> str:
    bodies = {"block": made.header, **parts}
    return content_of([RawPart(name=n, encoding="json", bytes=json.dumps(b).encode()) for n, b in bodies.items()])


def three() -> MadeBlock:
    return block(7, [move(1), move(2)], [move(3)])


def test_receipts_and_logs_of_the_same_block_say_the_same() -> None:
    made = three()

    assert content(made, receipts=made.receipts) == content(made, logs=made.logs)
    assert content(made, receipts=made.receipts) == content(made, logs=made.logs[::-1])


def test_state_sync_as_a_receipt_and_as_logs_says_the_same_and_is_not_nothing() -> None:
    made = three()
    alone = content(made, receipts=made.receipts)
    made.synced(move(4))
    logs = made.outside[0]["logs"]

    assert content(made, receipts=made.receipts, state_sync=made.outside) == content(
        made, receipts=made.receipts, state_sync=logs
    )
    assert content(made, receipts=made.receipts, state_sync=logs) != alone


@pytest.mark.parametrize("change", [{"data": "0x01"}, {"address": "0x" + "77" * 20}, {"topics": []}])
def test_another_log_is_another_content(change: dict[str, Any]) -> None:
    made = three()
    before = content(made, receipts=made.receipts)
    made.receipts[0]["logs"][1] |= change

    assert content(made, receipts=made.receipts) != before


@pytest.mark.parametrize("change", [{"timestamp": "0x1"}, {"parentHash": "0x" + "22" * 32}])
def test_what_the_header_says_of_time_and_place_belongs_to_it(change: dict[str, Any]) -> None:
    made = three()
    before = content(made, receipts=made.receipts)
    made.header |= change

    assert content(made, receipts=made.receipts) != before


def test_what_only_a_node_says_does_not_belong_to_it() -> None:
    made = three()
    before = content(made, receipts=made.receipts)
    for log in made.logs:
        log["logIndex"] = "0x0"
    made.receipts[0]["gasUsed"] = "0x9"

    assert content(made, receipts=made.receipts) == before


@pytest.mark.parametrize("tx_hash", ["", None])
def test_logs_of_no_transaction_say_the_same_beside_receipts_and_among_logs(tx_hash: str | None) -> None:
    made = three()
    own = made.header["hash"]
    outside = move(4) | {"blockHash": own, "transactionHash": own if tx_hash == "" else tx_hash, "logIndex": "0x0"}

    beside = content(made, receipts=made.receipts, outside=[outside])

    assert beside == content(made, logs=[outside | {"transactionHash": None}, *made.logs])
    assert beside != content(made, receipts=made.receipts)
