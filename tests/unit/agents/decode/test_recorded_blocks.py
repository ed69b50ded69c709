"""Recorded mainnet and devnet blocks decode to what independent decoders and the contracts themselves say."""

import json
from collections import Counter

import msgspec
import pytest

from ft.agents.decode.events import DecodedBlock, Events
from ft.agents.decode.evm import decode_block
from ft.agents.decode.topics import CONSECUTIVE_TRANSFER, TRANSFER
from tests.recordings import recorded
from tests.unit.agents.decode.building import ZERO, Json

REFERENCED = ("ethereum/14000000", "polygon/20000000", "polygon/50000000")
WITH_ERC721_ROWS = ("ethereum/14000000", "polygon/10000000", "polygon/20000000")
ALL = (*REFERENCED, "polygon/10000000", *(f"ethereum/{n}" for n in (7280016, 17173049, 17173050, 18000000, 18500000)))
REFERENCE_STANDARDS = {"erc721": "erc721", "erc1155_single": "erc1155", "erc1155_batch": "erc1155"}


def decoded(name: str) -> DecodedBlock:
    body, receipts = recorded("evm", name, "block.json.gz"), recorded("evm", name, "receipts.json.gz")
    return decode_block(name.partition("/")[0], body, receipts=receipts)


@pytest.mark.parametrize("name", REFERENCED)
def test_a_block_decodes_as_the_reference_does(name: str) -> None:
    reference = json.loads(recorded("evm", name, "reference_nft_events.json.gz"))["transfers"]

    events = decoded(name).events

    expected = [
        (
            each["tx"],
            each["log_index"],
            each["contract"],
            REFERENCE_STANDARDS[each["kind"]],
            each["item"],
            each["operator"],
            each["frm"],
            each["to"],
            each["token_id"],
            each["amount"],
        )
        for each in reference
    ]
    assert sorted(rows(events), key=str) == sorted(expected, key=str)


def rows(events: Events) -> list[tuple[str | int | None, ...]]:
    where = (events.tx_hash, events.log_index, events.contract, events.standard, events.sub_index)
    what = (events.operator, events.from_account, events.to_account, events.token_id, events.quantity)
    return list(zip(*where, *what, strict=True))


@pytest.mark.parametrize("name", WITH_ERC721_ROWS)
def test_erc721_rows_are_those_of_another_parser(name: str) -> None:
    known = json.loads(recorded("evm", name, "expected_token_transfers.json.gz"))

    events = decoded(name).events

    expected = [
        (
            row["transactionHash"],
            int(row.get("logIndex", 0)),
            row["tokenAddress"],
            row["fromAddress"],
            row["toAddress"],
            row["erc721"]["tokenId"],
        )
        for row in known
        if "erc721" in row
    ]
    columns = zip(
        *(events.tx_hash, events.log_index, events.contract, events.from_account, events.to_account, events.token_id),
        events.standard,
        strict=True,
    )
    assert [row[:-1] for row in columns if row[-1] == "erc721"] == expected


@pytest.mark.parametrize("name", ["ethereum/17173049", "ethereum/17173050"])
def test_erc20_rows_of_another_parser_are_no_nft_events(name: str) -> None:
    rows_of_both = json.loads(recorded("evm", name, "expected_token_transfers.json.gz"))
    receipts = json.loads(recorded("evm", name, "receipts.json.gz"))
    four = {
        int(log["logIndex"], 16)
        for receipt in receipts
        for log in receipt["logs"]
        if log["topics"] and log["topics"][0] == TRANSFER and len(log["topics"]) == 4
    }

    events = decoded(name).events

    # that parser calls every Transfer a token transfer: ours are the ones with four topics among them
    assert {row["log_index"] for row in rows_of_both} >= four
    assert {at for at, kind in zip(events.log_index, events.standard, strict=True) if kind == "erc721"} == four


@pytest.mark.parametrize("name", ALL)
def test_receipts_and_logs_give_the_same_ids(name: str) -> None:
    network = name.partition("/")[0]
    receipts = json.loads(recorded("evm", name, "receipts.json.gz"))
    logs = msgspec.json.encode([log for receipt in receipts for log in receipt["logs"]])

    by_logs = decode_block(network, recorded("evm", name, "block.json.gz"), logs=logs)

    assert by_logs.events == decoded(name).events
    assert by_logs.quarantined == decoded(name).quarantined == ()


def test_contract_creations_are_those_of_the_other_parser() -> None:
    receipts: list[Json] = json.loads(recorded("evm", "ethereum/17173050", "receipts.json.gz"))

    created = decoded("ethereum/17173050").created

    assert [each.contract for each in created] == [r["contractAddress"] for r in receipts if r["contractAddress"]]
    assert len(created) == 1


def devnet() -> tuple[Json, list[DecodedBlock]]:
    recording = json.loads(recorded("evm", "devnet", "recording.json.gz"))
    pairs = zip(recording["blocks"], recording["receipts"], strict=True)
    blocks = [decode_block("devnet", msgspec.json.encode(b), receipts=msgspec.json.encode(r)) for b, r in pairs]
    return recording, blocks


def owners(blocks: list[DecodedBlock], contract: str) -> dict[str, str]:
    held: dict[str, str] = {}
    for block in blocks:
        events = block.events
        for at, name in enumerate(events.contract):
            if name == contract.lower():
                held[events.token_id[at]] = events.to_account[at]
    return held


def test_the_devnet_collection_of_ranges_has_the_owners_its_contract_names() -> None:
    recording, blocks = devnet()
    expected = recording["expected"]

    held = owners(blocks, recording["contracts"]["erc2309"])

    assert held["42"] == expected["erc2309_owner_of_42"].lower()
    assert held[str(expected["erc2309_burned"])] == ZERO
    assert sum(owner != ZERO for owner in held.values()) == expected["erc2309_supply"]
    assert blocks[1].events.topic0.count(CONSECUTIVE_TRANSFER) == 5000


def test_the_devnet_batches_leave_the_balances_their_contract_names() -> None:
    recording, blocks = devnet()
    balances: Counter[tuple[str, str]] = Counter()
    for block in blocks:
        events = block.events
        for at, contract in enumerate(events.contract):
            if contract == recording["contracts"]["erc1155"].lower():
                balances[events.from_account[at], events.token_id[at]] -= int(events.quantity[at])
                balances[events.to_account[at], events.token_id[at]] += int(events.quantity[at])

    for name in ("A", "B"):
        account = recording["accounts"][name].lower()
        assert str(balances[account, "5"]) == recording["expected"][f"erc1155_{name}_balance_of_5"]
    assert [len(block.events) for block in blocks[6:10]] == [150, 120, 4, 0]


def test_the_devnet_creations_start_its_collections() -> None:
    recording, blocks = devnet()

    created = {each.contract for block in blocks for each in block.created}

    assert created >= {recording["contracts"][name].lower() for name in ("erc2309", "erc1155", "erc721")}
