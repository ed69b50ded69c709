"""Polygon's state sync: told in bulk, alone, as logs, twice, under a wrong hash, or not at all."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.unit.streams.sources.made import MadeBlock, Node, block, move
from tests.unit.streams.sources.test_evm_blocks import parts
from tests.unit.streams.sources.test_ladder import BULK, LOGS, SINGLE, outcome, the_block

POLYGON = {"state_sync": True}


def synced(number: int = 32, *, kind: str = "0x2", **told: Any) -> MadeBlock:
    return block(number, [move(1)], [move(2)], kind=kind).synced(move(3), **told)


def without_outside(made: MadeBlock, node: Node, *methods: str) -> Node:
    """These methods know nothing of the receipt outside."""
    own = made.outside[0]["transactionHash"]

    def told(_: int, answer: Any) -> Any:
        if isinstance(answer, dict):
            return None if answer["transactionHash"] == own else answer
        return answer and [each for each in answer if each["transactionHash"] != own]

    node.tells |= dict.fromkeys(methods, told)
    return node


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("silent", [(), (BULK,)], ids=["in bulk", "alone"])
async def test_a_receipt_outside_of_the_root_stands_on_the_providers_word(listed: bool, silent: tuple[str]) -> None:
    made = synced(listed=listed)

    found = await the_block(without_outside(made, Node(made), *silent), **POLYGON)

    assert (found.proof, found.reasons) == ("receipts", ("state_sync",))
    assert parts(found)["state_sync"] == made.outside
    assert parts(found)["receipts"] == made.receipts


async def test_of_a_listed_one_without_a_receipt_the_logs_are_asked_for() -> None:
    made = synced()

    found = await the_block(without_outside(made, Node(made), BULK, SINGLE), **POLYGON)

    assert (found.proof, found.reasons) == ("receipts", ("state_sync",))
    assert parts(found)["state_sync"] == made.outside[0]["logs"]


async def test_a_listed_one_that_does_not_come_in_any_way_is_a_hole() -> None:
    made = synced()

    found = await the_block(without_outside(made, Node(made), BULK, SINGLE, LOGS), **POLYGON)

    assert outcome(found) == ("receipts", ("state_sync_missing",), 2)
    assert "state_sync" not in parts(found)


async def test_a_listed_one_that_another_provider_has_is_no_hole() -> None:
    made = synced()
    poor = without_outside(made, Node(made), BULK, SINGLE, LOGS)

    found = await the_block(poor, Node(made), **POLYGON)

    assert outcome(found) == ("receipts", ("state_sync",), 3)


async def test_a_block_that_lists_none_has_no_hole() -> None:
    assert outcome(await the_block(Node(block(32, [move(1)])), **POLYGON)) == ("receipts", (), 1)


async def test_told_as_a_typed_transaction_and_outside_too_it_counts_once() -> None:
    made = synced(kind="0x7f", listed=False)

    with capture_logs() as said:
        found = await the_block(Node(made), **POLYGON)

    assert outcome(found) == ("receipts", (), 2)
    assert parts(found)["receipts"] == made.receipts
    assert [line["entries"] for line in said if line["event"] == "state sync refused"] == [1]


@pytest.mark.parametrize("receipts", [True, False])
async def test_a_receipt_whose_hash_is_not_the_blocks_is_refused_and_the_block_is_no_worse(receipts: bool) -> None:
    made = synced(listed=False, tx_hash="0x" + "5a" * 32)
    made.outside[0]["logs"][0]["address"] = "0x" + "77" * 20
    node = Node(made)
    node.without = set() if receipts else {BULK, SINGLE}

    found = await the_block(node, **POLYGON)

    assert outcome(found) == ("receipts" if receipts else "logs", (), 2)
    assert set(parts(found)) == {"block", "receipts" if receipts else "logs"}


async def test_a_receipt_in_the_middle_of_a_sprint_is_refused_unless_the_block_lists_it() -> None:
    refused = await the_block(Node(synced(33, listed=False)), **POLYGON)
    taken = await the_block(Node(synced(33)), **POLYGON)

    assert outcome(refused) == ("receipts", (), 2)
    assert outcome(taken) == ("receipts", ("state_sync",), 3)


@pytest.mark.parametrize("in_logs", [True, False])
async def test_without_receipts_its_logs_lie_outside_of_the_filter(in_logs: bool) -> None:
    made = synced()
    made.outside[0]["logs"][0]["address"] = "0x" + "77" * 20
    node = Node(made)
    node.without = {BULK, SINGLE}
    if not in_logs:
        without_outside(made, node, LOGS)

    found = await the_block(node, **POLYGON)

    assert (found.proof, found.reasons) == ("logs", ("state_sync" if in_logs else "state_sync_missing",))
    assert parts(found).get("state_sync") == (made.outside[0]["logs"] if in_logs else None)


async def test_a_log_index_that_counts_anew_stops_nothing() -> None:
    made = synced()
    made.outside[0]["logs"][0]["logIndex"] = "0x0"

    assert outcome(await the_block(Node(made), **POLYGON)) == ("receipts", ("state_sync",), 3)
