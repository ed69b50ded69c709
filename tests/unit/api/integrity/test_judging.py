"""How far holdings can be trusted: the worst that holds, and every reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ft.api.integrity.judging import REASONS, judge, reasons_of
from ft.api.integrity.rows import GroundsRow
from tests.unit.api.integrity.grounds import PROVEN

WORST_LAST = ["proven", "unproven", "partial_history", "nonconserving"]
WORDS = st.lists(st.sampled_from([*REASONS, "receipts", "a_later_word", ""]), max_size=4).map(",".join)
GROUNDS = st.builds(
    GroundsRow,
    contradicted=st.booleans(),
    contract_contradicts=st.booleans(),
    gapless=st.booleans(),
    quarantined=st.booleans(),
    not_listed=st.booleans(),
    out_of_order=st.booleans(),
    implicit=st.booleans(),
    reasons=WORDS,
    created_reasons=WORDS,
)


@pytest.mark.parametrize(
    ("grounds", "integrity", "reasons"),
    [
        ({}, "proven", []),
        ({"reasons": ""}, "proven", []),
        ({"contradicted": True}, "nonconserving", ["contradiction"]),
        ({"gapless": False}, "partial_history", ["blocks_missing"]),
        ({"quarantined": True}, "partial_history", ["quarantine"]),
        ({"not_listed": True}, "partial_history", ["not_listed"]),
        ({"reasons": "receipts,state_sync_missing"}, "partial_history", ["state_sync_missing"]),
        ({"contract_contradicts": True}, "unproven", ["contract_contradicts"]),
        ({"out_of_order": True}, "unproven", ["order"]),
        ({"implicit": True}, "unproven", ["implicit"]),
        ({"reasons": "receipts,,logs,,none,"}, "unproven", ["logs", "none"]),
        ({"reasons": "logs,bloom_superset,receipts,header"}, "unproven", ["bloom_superset", "header", "logs"]),
        ({"created_reasons": "header,transactions_root"}, "unproven", ["header", "transactions_root"]),
        ({"reasons": "receipts,a_later_word"}, "unproven", ["a_later_word"]),
    ],
)  # fmt: skip
def test_each_reason_makes_what_the_table_says(grounds: dict[str, Any], integrity: str, reasons: list[str]) -> None:
    assert judge(replace(PROVEN, **grounds)) == (integrity, reasons)


def test_lesser_reasons_are_told_beside_the_worst() -> None:
    grounds = replace(PROVEN, contradicted=True, gapless=False, reasons="logs,", created_reasons="transactions_root")

    assert judge(grounds) == ("nonconserving", ["blocks_missing", "contradiction", "logs", "transactions_root"])


@given(GROUNDS, GROUNDS)
def test_more_reasons_never_make_an_answer_better(one: GroundsRow, other: GroundsRow) -> None:
    both = GroundsRow(
        contradicted=one.contradicted or other.contradicted,
        contract_contradicts=one.contract_contradicts or other.contract_contradicts,
        gapless=one.gapless and other.gapless,
        quarantined=one.quarantined or other.quarantined,
        not_listed=one.not_listed or other.not_listed,
        out_of_order=one.out_of_order or other.out_of_order,
        implicit=one.implicit or other.implicit,
        reasons=f"{one.reasons},{other.reasons}",
        created_reasons=f"{one.created_reasons},{other.created_reasons}",
    )

    integrity, reasons = judge(both)

    assert set(reasons) == reasons_of(one) | reasons_of(other)
    assert reasons == sorted(set(reasons))
    assert WORST_LAST.index(integrity) == max(WORST_LAST.index(judge(each)[0]) for each in (one, other))
    assert (integrity == "proven") == (reasons == [])
