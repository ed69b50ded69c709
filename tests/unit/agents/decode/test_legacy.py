"""Tokens older than the standards: read by the network's list of contracts, never by their topics alone."""

import pytest

from ft.agents.decode.evm import decode_block
from ft.agents.decode.legacy import LAYOUTS, NOTHING_LISTED, listed
from ft.agents.decode.topics import ERC821_TRANSFER_5, ERC821_TRANSFER_6, TRANSFER, TRANSFER_SINGLE
from ft.contracts import LAYOUTS as CONFIGURED
from ft.contracts import NONE
from ft.networks import load_networks
from tests.unit.agents.decode.building import ALICE, BOB, CAROL, Json, block, decode_logs, encoded, log, receipt

KITTIES = "0x06012c8cf97bead5deae237070f9587f8e7a266d"
AXIES = "0xf5b0a3efb8e8e4c201e2a935f110eaaf3ffecb8d"
LAND = "0xf87e31492faf9a91b02ee0deaad50d51d56d5d4d"
ETHEREUM = {address: each.layout for address, each in load_networks()["ethereum"].contracts.items()}
PLAIN = [address for address, layout in ETHEREUM.items() if layout in ("all_in_data", "id_in_data", "id_in_topic")]


def transfer_of(contract: str, layout: str) -> Json:
    if layout == "all_in_data":
        return log(TRANSFER, [], [ALICE, BOB, 77], address=contract)
    if layout == "id_in_data":
        return log(TRANSFER, [ALICE, BOB], [77], address=contract)
    return log(TRANSFER, [77], [ALICE, BOB], address=contract)


def decoded_with(logs: list[Json], layouts: dict[str, str]) -> tuple[list[str], list[str], list[str], list[str]]:
    events = decode_block("amoy", block(), receipts=encoded([receipt(logs)]), listed=listed(layouts)).events
    return events.token_id, events.from_account, events.to_account, events.standard


def test_every_layout_of_the_configuration_has_a_decoder() -> None:
    assert LAYOUTS | {NONE} == CONFIGURED.keys()


@pytest.mark.parametrize("contract", PLAIN)
def test_a_shipped_contract_moves_its_token(contract: str) -> None:
    events = decode_logs([transfer_of(contract, ETHEREUM[contract])]).events

    assert events.token_id == ["77"]
    assert (events.from_account, events.to_account) == ([ALICE], [BOB])
    assert events.standard == ["legacy721"]


@pytest.mark.parametrize("contract", PLAIN)
def test_a_shipped_contract_is_no_such_token_on_another_network(contract: str) -> None:
    decoded = decode_logs([transfer_of(contract, ETHEREUM[contract])], "polygon")

    assert (len(decoded.events), decoded.quarantined) == (0, ())


@pytest.mark.parametrize("layout", ["all_in_data", "id_in_data", "id_in_topic"])
def test_a_contract_that_a_user_lists_is_read_by_its_layout(layout: str) -> None:
    contract = "0x" + "ab" * 20

    moved = decoded_with([transfer_of(contract, layout)], {contract.upper().replace("X", "x"): layout})

    assert moved == (["77"], [ALICE], [BOB], ["legacy721"])


def test_a_contract_taken_off_the_list_is_a_coin_again() -> None:
    assert decoded_with([transfer_of(AXIES, "id_in_data")], {AXIES: NONE}) == ([], [], [], [])


def test_a_listed_contract_with_another_layout_is_quarantined() -> None:
    decoded = decode_logs([log(TRANSFER, [ALICE, BOB], [77], address=KITTIES)])

    assert decoded.quarantined[0].reason == "Transfer of a listed contract (all_in_data): expected 1 topics, got 3"


def test_other_events_of_a_listed_contract_are_read_as_ever() -> None:
    events = decode_logs([log(TRANSFER_SINGLE, [CAROL, ALICE, BOB], [3, 1], address=KITTIES)]).events

    assert events.standard == ["erc1155"]


def sent_along(words: list[int | str]) -> Json:
    return log(ERC821_TRANSFER_6, [ALICE, BOB, 9], words, address=LAND)


def test_a_token_of_erc821_moves_with_whatever_was_sent_along() -> None:
    five = log(ERC821_TRANSFER_5, [BOB, CAROL, 9], [ALICE, 64, 0], address=LAND)
    plain = log(TRANSFER, [CAROL, ALICE, 9], address=LAND)

    events = decode_logs([sent_along([CAROL, 96, 128, 0, 0]), five, plain]).events

    assert events.token_id == ["9", "9", "9"]
    assert (events.from_account, events.to_account) == ([ALICE, BOB, CAROL], [BOB, CAROL, ALICE])
    assert events.standard == ["erc721"] * 3
    assert events.echo == []


def test_the_events_of_erc821_are_ignored_of_contracts_that_are_not_listed() -> None:
    decoded = decode_logs([sent_along([CAROL, 96, 128, 0, 0]) | {"address": "0x" + "55" * 20}])

    assert (len(decoded.events), decoded.quarantined) == (0, ())


def test_a_token_of_erc821_without_its_topics_is_quarantined() -> None:
    decoded = decode_logs([log(ERC821_TRANSFER_6, [ALICE, BOB], [9], address=LAND)])

    assert decoded.quarantined[0].reason == "Transfer of a listed contract (erc821): expected 4 topics, got 3"


def test_nothing_is_looked_at_for_the_sake_of_a_list_that_does_not_need_it() -> None:
    assert listed({}) == NOTHING_LISTED
    assert listed({AXIES: "id_in_data"}).topics == frozenset()
