"""Tokens older than the standard: read by the list of contracts, never by their topics alone."""

import pytest

from ft.agents.decode.legacy import LEGACY_CONTRACTS, Layout
from ft.agents.decode.topics import TRANSFER
from tests.unit.decode.building import ALICE, BOB, Json, decode_logs, log

KITTIES = "0x06012c8cf97bead5deae237070f9587f8e7a266d"


def transfer_of(contract: str, layout: Layout) -> Json:
    words: list[int | str] = [ALICE, BOB, 77]
    indexed = layout.value - 1
    return log(TRANSFER, words[:indexed], words[indexed:], address=contract)


@pytest.mark.parametrize(("network", "contract"), LEGACY_CONTRACTS)
def test_a_listed_contract_moves_its_token(network: str, contract: str) -> None:
    decoded = decode_logs([transfer_of(contract, LEGACY_CONTRACTS[network, contract])], network)

    assert decoded.events.token_id == ["77"]
    assert (decoded.events.from_account, decoded.events.to_account) == ([ALICE], [BOB])
    assert decoded.events.standard == ["legacy721"]


@pytest.mark.parametrize(("network", "contract"), LEGACY_CONTRACTS)
def test_a_listed_contract_is_no_such_token_on_another_network(network: str, contract: str) -> None:
    decoded = decode_logs([transfer_of(contract, LEGACY_CONTRACTS[network, contract])], "polygon")

    assert (len(decoded.events), decoded.quarantined) == (0, ())


def test_a_listed_contract_with_another_layout_is_quarantined() -> None:
    decoded = decode_logs([log(TRANSFER, [ALICE, BOB], [77], address=KITTIES)])

    assert decoded.quarantined[0].reason == "Transfer of a listed contract (all_in_data): expected 1 topics, got 3"


def test_listed_addresses_are_lower_case() -> None:
    assert all(contract == contract.lower() and len(contract) == 42 for _, contract in LEGACY_CONTRACTS)
