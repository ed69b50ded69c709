"""Cursors: what goes in comes out, and nothing else does."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from ft.api.http import cursors
from ft.api.http.cursors import AccountKey, TokenKey
from ft.api.http.problems import Problem
from ft.api.owners.rows import HoldingKey
from ft.api.transfers.rows import TransferKey

FILTERS = cursors.digest("transfers", "polygon", None)
POSITION = st.integers(min_value=-1, max_value=2**63 - 1)
KEYS = st.builds(TransferKey, POSITION, POSITION, POSITION, POSITION, POSITION)


def _text(document: Any) -> str:
    return urlsafe_b64encode(json.encode(document)).rstrip(b"=").decode()


@given(KEYS)
def test_a_key_survives_its_cursor(key: TransferKey) -> None:
    text = cursors.encode(FILTERS, key)

    assert cursors.decode(text, FILTERS, TransferKey) == key
    assert text.replace("-", "a").replace("_", "a").isalnum()


@given(st.text())
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        cursors.decode(text, FILTERS, TransferKey)

    assert (refused.value.status, refused.value.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    "document",
    [
        {"v": 2, "f": FILTERS, "k": [1, 2, 3, 4, 5]},
        {"v": 1, "f": FILTERS, "k": [1, 2, 3, 4]},
        {"v": 1, "f": FILTERS, "k": [1, 2, 3, 4, 2**63]},
        {"v": 1, "f": FILTERS, "k": [1, 2, 3, 4, -2]},
        {"v": 1, "f": FILTERS, "k": ["1", 2, 3, 4, 5]},
        {"v": 1, "f": FILTERS, "k": [1.5, 2, 3, 4, 5]},
        {"v": 1, "f": FILTERS},
        [1, 2, 3],
        "text",
    ],
)
def test_a_well_formed_cursor_of_another_shape_is_refused(document: Any) -> None:
    with pytest.raises(Problem, match="next_cursor"):
        cursors.decode(_text(document), FILTERS, TransferKey)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (AccountKey, ["\x00"]),
        (AccountKey, ["a b"]),
        (AccountKey, ["a\n"]),
        (TokenKey, ["-1"]),
        (TokenKey, ["1" * 79]),
        (TokenKey, ["1e5"]),
        (HoldingKey, ["polygon", "0x\x00", "1"]),
    ],
)
def test_text_that_postgres_would_choke_on_is_refused(kind: type[Any], key: list[str]) -> None:
    with pytest.raises(Problem) as refused:
        cursors.decode(_text({"v": 1, "f": FILTERS, "k": key}), FILTERS, kind)

    assert refused.value.code == "invalid_cursor"


def test_other_filters_are_told_apart() -> None:
    text = cursors.encode(FILTERS, AccountKey("0xa"))

    for other in (
        cursors.digest("transfers", "base", None),
        cursors.digest("transfers", "polygon", "None"),
        cursors.digest("transfers", None, "polygon"),
        cursors.digest("owners", "polygon", None),
    ):
        with pytest.raises(Problem) as refused:
            cursors.decode(text, other, AccountKey)
        assert (refused.value.status, refused.value.code) == (400, "cursor_filter_mismatch")
