"""What requests ask with: every usual spelling is read, everything else is a problem and never an exception."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.api import parameters
from ft.api.problems import Problem
from ft.schemas.ids import AssetKey

EVM = "0x" + "aB" * 20
RAW = "0:" + "0f" * 32
PARSERS: list[Callable[[str], Any]] = [
    parameters.asset_key,
    parameters.collection_key,
    parameters.network_slug,
    parameters.min_block,
    lambda text: parameters.account_on(text, None),
    lambda text: parameters.account_on(text, "ton"),
    lambda text: parameters.address("ton", text, "account"),
    lambda text: parameters.instant(text, "at_time"),
]
PIECES = st.sampled_from(
    ["polygon", "ton", "solana", ":", EVM, RAW, "EQ", "A" * 46, "7", "-", "\x00", "é", "=", "9" * 78, "2024-05-01T"]
)


@pytest.mark.parametrize("parser", PARSERS)
@given(text=st.one_of(st.text(), st.lists(PIECES, max_size=6).map("".join)))
def test_any_text_is_read_or_refused(parser: Callable[[str], Any], text: str) -> None:
    try:
        parser(text)
    except Problem as problem:
        assert (problem.status, len(problem.errors)) == (422, 1)  # noqa: PT017


@given(st.binary(min_size=20, max_size=20), st.integers(min_value=0, max_value=2**256 - 1))
def test_a_natural_key_is_read_in_any_case(contract: bytes, token: int) -> None:
    lower = AssetKey(network="polygon", contract="0x" + contract.hex(), token_id=str(token))

    assert parameters.asset_key(f"polygon:0x{contract.hex().upper()}:{token}") == lower
    assert parameters.asset_key(f"polygon:0X{contract.hex().upper()}:{token}") == lower
    assert parameters.asset_key(str(lower)) == lower


@pytest.mark.parametrize(
    ("text", "network", "expected"),
    [
        (f"polygon:{EVM}", None, ("polygon", EVM.lower())),
        (f"polygon:{EVM}", "polygon", ("polygon", EVM.lower())),
        (EVM, None, (None, EVM.lower())),
        (EVM, "base", ("base", EVM.lower())),
        (EVM.upper(), None, (None, EVM.lower())),
        (f"base:{EVM.upper()}", None, ("base", EVM.lower())),
        (RAW, None, (None, RAW)),
        (f"ton:{RAW.upper()}", None, ("ton", RAW)),
        (RAW, "ton", ("ton", RAW)),
    ],
)
def test_accounts_are_read_with_and_without_a_network(
    text: str, network: str | None, expected: tuple[str | None, str]
) -> None:
    assert parameters.account_on(text, network) == expected


def test_an_account_on_another_network_than_asked_is_a_contradiction() -> None:
    with pytest.raises(Problem) as refused:
        parameters.account_on(f"polygon:{EVM}", "base")

    assert refused.value.errors[0].code == "contradiction"


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_time_is_read_in_utc(at: datetime) -> None:
    text = at.replace(tzinfo=UTC).isoformat()

    assert parameters.instant(text, "at_time") == at.replace(tzinfo=UTC)
    assert parameters.instant(text.replace("+00:00", "+02:00"), "at_time") == at.replace(tzinfo=UTC) - timedelta(
        hours=2
    )


@pytest.mark.parametrize(
    ("sent", "matched"),
    [('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ("*", True), ('"b"', False), ("", False), (None, False)],
)
def test_entity_tags_are_compared_weakly(sent: str | None, matched: bool) -> None:
    assert parameters.matches(sent, 'W/"a"') is matched
