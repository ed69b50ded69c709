"""What requests ask with: every usual spelling is read, everything else is a problem and never an exception."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.api.http import parameters
from ft.api.http.problems import Problem
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


@pytest.mark.parametrize(
    ("parse", "expected"),
    [
        (parameters.network_slug, "a slug such as polygon"),
        (parameters.asset_key, "<network>:<contract>:<token_id>, or the asset's uuid"),
        (parameters.collection_key, "<network>:<contract>"),
        (lambda text: parameters.contract_on(text, "polygon"), "<network>:<contract>, or an address beside network="),
        (lambda text: parameters.contract_on(text, None), "<network>:<contract>, or an address beside network="),
        (lambda text: parameters.account_on(text, None), "<network>:<address> or an address"),
        (lambda text: parameters.account_on(text, "polygon"), "<network>:<address> or an address"),
        (lambda text: parameters.account_on(f"polygon:{text}", None), "an address on polygon"),
        (lambda text: parameters.transaction("polygon", text), "the hash of a transaction"),
        (lambda text: parameters.transaction("ton", text), "the hash of a transaction"),
        (lambda text: parameters.min_block(f"{text}:7"), "a slug such as polygon"),
    ],
)
def test_an_empty_value_is_told_what_was_expected(parse: Callable[[str], Any], expected: str) -> None:
    with pytest.raises(Problem) as refused:
        parse("")

    assert refused.value.errors[0].message == f"expected {expected}, got ''"


@pytest.mark.parametrize("text", ["0x12", "0X" + "g" * 40, EVM + "0"])
def test_a_bare_account_that_is_none_names_no_network(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parameters.account_on(text, None)

    assert refused.value.errors[0].message == f"expected 0x and 40 hex digits, got {text!r}"


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
    ("text", "at"),
    [
        ("0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59-14:00", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_time_beyond_the_first_or_the_last_year_is_the_end_of_all_times(text: str, at: datetime) -> None:
    assert parameters.instant(text, "at_time") == at


@pytest.mark.parametrize(
    "text", ["2024-05-01T00:00Z", "20240501T000000Z", "2024-05-01 00:00:00Z", "2024-02-30T00:00:00Z", "2024-05-01"]
)
def test_a_time_that_the_document_does_not_describe_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        parameters.instant(text, "at_time")

    assert refused.value.errors[0].code == "invalid_time"


@pytest.mark.parametrize(
    ("sent", "matched"),
    [('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ("*", True), ('"b"', False), ("", False), (None, False)],
)
def test_entity_tags_are_compared_weakly(sent: str | None, matched: bool) -> None:
    assert parameters.matches(sent, 'W/"a"') is matched
