"""docs/consuming.md: its examples keep to the rule of the ledger, and its tables to the schemas."""

import json
from random import Random
from typing import Any

import pytest

from ft.agents import ownership
from ft.agents.ownership import Holding, Move
from ft.schemas.codec import schema_text
from ft.schemas.events import to_record
from ft.schemas.ids import EVM_ZERO, partition_of
from ft.schemas.standards import HOLDING
from tests.synthetic.changes import history
from tests.unit.pages import examples, names, page, rows, section

ASSET = "polygon:0xc:7"
PAGE = "consuming.md"


def change(source: str, target: str, position: tuple[int, int, int], op: str = "apply", **more: Any) -> dict[str, Any]:
    block, log_index, sub_index = position
    return {
        "kind": "transfer", "op": op, "asset_id": ASSET, "standard": "erc721", "from": source, "to": target,
        "quantity": "1", "network": "polygon", "block_number": block, "log_index": log_index,
        "sub_index": sub_index, **more,
    }  # fmt: skip


def head(number: int) -> dict[str, Any]:
    return {"kind": "finality", "op": "finality", "network": "polygon", "block_number": number}


def test_the_example_follows_a_token_through_a_reorg() -> None:
    owners: dict[str, Any] = {}
    floors: dict[tuple[int, str], int] = {}
    sold, sold_on = ("a", "b", (11, 4, 0)), ("b", "c", (12, 0, 0))
    script = [
        (change(EVM_ZERO, "a", (10, 0, 0)), "a"),
        (change(*sold), "b"),
        (change(*sold_on), "c"),
        (change(*sold_on, op="revert"), "b"),
        (change(*sold, op="revert"), "a"),
        (change("a", "b", (11, 1, 0)), "b"),  # included again, lower in its block
        (change("x", "y", (9, 0, 0)), "b"),  # older than all that is known
        (change("b", "c", (13, 0, 0)), "c"),
        (change("b", "c", (13, 0, 0), op="revert"), "b"),
        (change("b", "x", (8, 0, 0)), "b"),  # not undone by the reorg, only read late
        (head(11), "b"),  # block 12 fell too
        (change("b", EVM_ZERO, (12, 0, 0)), EVM_ZERO),
    ]

    for record, holder in script:
        examples(PAGE)["follow"](owners, {}, floors, 0, record)
        assert owners[ASSET][0] == holder


def test_the_example_adds_up_the_balances_of_an_erc1155_asset() -> None:
    balances: dict[tuple[str, str], int] = {}
    for op, quantity in (("apply", str(2**256 - 1)), ("apply", "5"), ("revert", "5")):
        more = {"standard": "erc1155", "quantity": quantity}
        examples(PAGE)["follow"]({}, balances, {}, 0, change(EVM_ZERO, "a", (1, 0, 0), op, **more))
    examples(PAGE)["follow"]({}, balances, {}, 0, change("a", "b", (2, 0, 0), standard="erc1155", quantity="1"))

    assert balances == {(ASSET, "a"): 2**256 - 2, (ASSET, "b"): 1}


def test_the_example_refuses_an_op_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="expected apply, revert or finality"):
        examples(PAGE)["follow"]({}, {}, {}, 0, change("a", "b", (1, 0, 0), op="amend"))


@pytest.mark.parametrize("seed", range(40))
def test_the_example_says_what_the_ledgers_rule_says(seed: int) -> None:
    owners: dict[str, Any] = {}
    balances: dict[tuple[str, str], int] = {}
    held: dict[str, Holding] = {}
    floors: dict[tuple[int, str], int] = {}
    floor = ownership.NO_FLOOR
    sums: dict[tuple[str, str], int] = {}

    for record in history(Random(seed)).records:
        fields = to_record(record)
        examples(PAGE)["follow"](owners, balances, floors, 3, fields)
        floor = ownership.floor_after(floor, record.op, record.block_number)
        if record.kind == "finality":
            continue
        if HOLDING[record.standard] == "multi":
            moved = ownership.movements(record.from_account, record.to_account, int(record.quantity), record.op)
            for account, delta in moved:
                sums[record.asset_id, account] = sums.get((record.asset_id, account), 0) + delta
            continue
        position = (record.block_number, record.log_index, record.sub_index)
        move = Move(from_account=record.from_account, to_account=record.to_account, position=position)
        before = held.get(record.asset_id)
        after = ownership.apply(before, move, floor) if record.op == "apply" else ownership.retract(before, move)
        assert after is not None
        held[record.asset_id] = after

    assert floors == {(3, "synthetic"): floor}
    assert owners == {asset: (each.account, each.position, each.returned) for asset, each in held.items()}
    assert {key: n for key, n in balances.items() if n} == {key: n for key, n in sums.items() if n}


def test_the_example_of_loss_takes_what_follows_drops_repeats_and_stops_at_a_gap() -> None:
    seen: dict[int, int] = {}
    is_new, lost = examples(PAGE)["is_new"], examples(PAGE)["Lost"]

    assert is_new(seen, 0, {"seq": 3, "prev_seq": 0})
    assert is_new(seen, 0, {"seq": 5, "prev_seq": 3})
    assert not is_new(seen, 0, {"seq": 3, "prev_seq": 0})
    assert is_new(seen, 1, {"seq": 1, "prev_seq": 0})
    with pytest.raises(lost, match="partition 0: expected 6 before 9, got 5"):
        is_new(seen, 0, {"seq": 9, "prev_seq": 6})


def test_the_example_of_partitions_routes_as_the_ledger_does() -> None:
    contracts = [f"0x{n:040x}" for n in range(50)]

    assert [examples(PAGE)["partition_of"]("base", contract, 8) for contract in contracts] == [
        partition_of(f"base:{contract}", 8) for contract in contracts
    ]


def test_every_field_of_ownership_changed_is_described_in_its_order() -> None:
    assert names(section(page(PAGE), "## ownership_changed")) == fields_of("ownership_changed")


@pytest.mark.parametrize("schema", ["finality", "asset_created", "reorg_detected", "dead_letter"])
def test_every_other_field_that_a_subscriber_reads_is_named(schema: str) -> None:
    text = page(PAGE)

    assert [field for field in fields_of(schema) if f"`{field}`" not in text] == []


def test_every_standard_of_evm_is_in_the_table_of_standards() -> None:
    listed = {row[0].strip("`") for row in rows(page("standards.md").split("\n## ")[0])}

    assert listed == set(HOLDING) - {"tep62"}


def fields_of(schema: str) -> list[str]:
    return [field["name"] for field in json.loads(schema_text(schema))["fields"]]
