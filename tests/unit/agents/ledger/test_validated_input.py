"""A normalized record -> a step, or why not: what no table could hold is found here, whoever wrote it."""

from typing import Any

import pytest

from ft.agents.ledger.validated_input import Append, QuarantinedSlice, Refused, Watermark, read
from ft.schemas.events import NormalizedBatch, to_record

ADDRESS = "0x" + "0f" * 20
LONG = 2**63 - 1


def record(**changed: Any) -> dict[str, Any]:
    batch = NormalizedBatch(
        network="polygon", op="append", position=5, partition=3, block_number=9, block_hash="0xb",
        block_time=1_700_000_000, proof="receipts", tx_hash=["0x1"], tx_from=[ADDRESS], contract=[ADDRESS],
        topic0=["0x2"], n=[0], sub_index=[0], log_index=[0], standard=["erc1155"], token_id=["7"],
        from_account=[ADDRESS], to_account=[ADDRESS], operator=[ADDRESS], quantity=["1"],
    )  # fmt: skip
    return to_record(batch) | changed


def test_a_good_record_is_a_step() -> None:
    assert isinstance(read(record(), 3), Append)
    assert isinstance(read(record(op="watermark"), 3), Watermark)
    assert isinstance(read(record(operator=[None]), 3), Append)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"schema_version": 2}, "unknown_schema_version"),
        ({"proof": "zk"}, "unknown_proof"),
        ({"position": 2**62 + 1}, "bad_position"),
        ({"head_number": LONG}, "bad_head"),
        ({"finalized": LONG}, "bad_head"),
        ({"safe": -2}, "bad_head"),
        ({"block_number": LONG}, "no_block"),
    ],
)
def test_a_record_that_breaks_the_rules_is_refused(changed: dict[str, Any], reason: str) -> None:
    step = read(record(**changed), 3)

    assert isinstance(step, Refused)
    assert step.reason == reason
    assert "expected" in step.error


@pytest.mark.parametrize("column", ["tx_from", "contract", "from", "to", "operator"])
@pytest.mark.parametrize(
    "text",
    ["0x", ADDRESS.upper(), "0X" + "0f" * 20, ADDRESS + "0", ADDRESS[:-1], "0x" + "0g" * 20, "x0" + "0f" * 20,
     "00" + "0f" * 20, "0x0x" + "0f" * 19],
)  # fmt: skip
def test_an_address_in_another_form_is_a_hole(column: str, text: str) -> None:
    step = read(record(**{column: [text]}), 3)

    assert isinstance(step, QuarantinedSlice)
    assert step.reason == "bad_address"


def test_addresses_of_other_families_are_not_held_to_that_form() -> None:
    account = "0:" + "a" * 64
    columns = {name: [account] for name in ("tx_from", "contract", "from", "to", "operator")}

    assert isinstance(read(record(network="ton", **columns), 3), Append)


@pytest.mark.parametrize("column", ["n", "sub_index", "log_index"])
@pytest.mark.parametrize("number", [-1, 2**31])
def test_a_place_that_is_none_is_a_hole(column: str, number: int) -> None:
    step = read(record(**{column: [number]}), 3)

    assert isinstance(step, QuarantinedSlice)
    assert step.reason == "bad_value"


@pytest.mark.parametrize("tx_hash", ["0x1~2", "~", "0x1~"])
def test_a_hash_with_what_only_the_ledger_puts_behind_one_is_a_hole(tx_hash: str) -> None:
    step = read(record(tx_hash=[tx_hash]), 3)

    assert isinstance(step, QuarantinedSlice)
    assert step.reason == "bad_value"
    assert "expected hashes without '~'" in step.error
