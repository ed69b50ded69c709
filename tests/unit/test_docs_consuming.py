"""docs/consuming.md: its examples keep to the rule of the ledger, and its tables to the schemas."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from ft.schemas.codec import schema_text
from ft.schemas.events import to_record
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import asset_id, partition_of
from ft.schemas.standards import HOLDING
from tests.synthetic.changes import history, recount
from tests.unit.pages import examples, names, page, rows, section

ASSET = "polygon:0xc:7"
PAGE = "consuming.md"


def change(source: str, target: str, op: str = "apply", **more: Any) -> dict[str, Any]:
    said = {"holder": None, "holder_before": None, "standard": "erc1155"} | more
    return {"op": op, "asset_id": ASSET, "from": source, "to": target, "quantity": "1", **said}


@dataclass
class Reader:
    """Somebody who runs the examples."""

    alone: dict[str, str] = field(default_factory=dict)
    balances: dict[str, dict[str, int]] = field(default_factory=dict)

    def follow(self, record: Mapping[str, Any]) -> None:
        examples(PAGE)["follow"](self.alone, self.balances, record)

    def owners(self, asset: str = ASSET) -> dict[str, int]:
        found: dict[str, int] = examples(PAGE)["owners"](self.alone, self.balances, asset)
        return found


def test_the_example_assigns_the_holder_that_a_record_names() -> None:
    reader = Reader()
    for source, target, op, holder in (
        (EVM_ZERO, "a", "apply", "a"),
        ("spender", EVM_ZERO, "apply", EVM_ZERO),
        ("spender", EVM_ZERO, "revert", "a"),
    ):
        reader.follow(change(source, target, op, holder=holder, holder_before="b", standard="erc721"))
        assert reader.owners() == ({} if holder == EVM_ZERO else {holder: 1})


def test_the_example_adds_up_the_balances_of_an_erc1155_asset() -> None:
    reader = Reader()
    for op, quantity in (("apply", str(2**256 - 1)), ("apply", "5"), ("revert", "5")):
        reader.follow(change(EVM_ZERO, "a", op, quantity=quantity))
    reader.follow(change("a", "b"))

    assert reader.owners() == {"a": 2**256 - 2, "b": 1}


def test_the_example_comes_back_to_balances_where_nobody_holds_the_asset_alone_any_more() -> None:
    reader = Reader()
    reader.follow(change(EVM_ZERO, "a", quantity="5"))
    reader.follow(change("a", "b", holder="b", holder_before="a", standard="erc721"))
    alone = reader.owners()
    reader.follow(change("a", "b", "revert", holder_before="b", standard="erc721"))

    assert alone == {"b": 1}
    assert reader.owners() == {"a": 5}


def test_the_example_refuses_an_op_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="expected apply, revert or finality"):
        Reader().follow(change("a", "b", op="amend"))


def test_the_example_is_short() -> None:
    source = page(PAGE).split("def follow")[1].split("\n\n\n")[0].strip().splitlines()

    assert len(source) <= 15


@pytest.mark.parametrize("seed", range(40))
def test_the_example_comes_to_what_a_recount_comes_to(seed: int) -> None:
    reader, made = Reader(), history(Random(seed))
    for record in made.records:
        reader.follow(to_record(record))

    assets = {asset_id(*key[:3]) for key in recount(made)["cards"]}
    visible = {(asset, who): n for asset in assets for who, n in reader.owners(asset).items()}
    assert visible == {(asset_id(*key[:3]), row[0]): row[1] for key, row in recount(made)["holdings"].items()}


def said(seq: int, prev_seq: int, generation: int = 0) -> dict[str, int]:
    return {"seq": seq, "prev_seq": prev_seq, "generation": generation}


NEVER_RESTORED: dict[str, Any] = {"epoch": 0, "generations": []}
RESTORED: dict[str, Any] = {"epoch": 1, "generations": [{"generation": 0, "holds_to": [5, 9]}]}


def test_the_example_of_loss_takes_what_follows_drops_repeats_and_stops_at_a_gap() -> None:
    seen: dict[int, tuple[int, int]] = {}
    is_new, lost = examples(PAGE)["is_new"], examples(PAGE)["Lost"]

    assert is_new(seen, NEVER_RESTORED, 0, said(3, 0))
    assert is_new(seen, NEVER_RESTORED, 0, said(5, 3))
    assert not is_new(seen, NEVER_RESTORED, 0, said(3, 0))
    assert is_new(seen, NEVER_RESTORED, 1, said(1, 0))
    with pytest.raises(lost, match="partition 0: expected 6 before 9, got 5"):
        is_new(seen, NEVER_RESTORED, 0, said(9, 6))


def test_the_example_goes_on_after_a_restore_that_took_nothing_of_its_own_back() -> None:
    is_new, seen = examples(PAGE)["is_new"], {0: (0, 3)}

    taken = [is_new(seen, RESTORED, 0, record) for record in (said(5, 3), said(7, 5), said(3, 0, 1), said(6, 5, 1))]

    assert taken == [True, False, False, True]
    assert seen == {0: (1, 6)}


def test_the_example_stops_after_a_restore_to_a_state_before_its_own_and_says_what_to_do() -> None:
    is_new, restored, seen = examples(PAGE)["is_new"], examples(PAGE)["Restored"], {0: (0, 8)}

    with pytest.raises(restored, match="generation 1 is new: read"):
        is_new(seen, NEVER_RESTORED, 0, said(6, 5, 1))
    with pytest.raises(restored, match="yours goes to seq 8: take it back to 5, or begin again"):
        is_new(seen, RESTORED, 0, said(6, 5, 1))


def test_the_example_believes_nothing_of_a_generation_that_nobody_names() -> None:
    is_new, restored, seen = examples(PAGE)["is_new"], examples(PAGE)["Restored"], {0: (1, 8)}

    with pytest.raises(restored, match="take it back to 0, or begin again"):
        is_new(seen, {**RESTORED, "epoch": 1000}, 0, said(9, 8, 1000))


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
