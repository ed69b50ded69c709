"""ERC-721 and ERC-404 transfers, and what only looks like them."""

import pytest

from ft.agents.decode import erc404, erc721
from ft.agents.decode.topics import ERC721_TRANSFER, TRANSFER
from ft.agents.decode.words import Mismatch
from tests.unit.agents.decode.building import ALICE, BOB, CONTRACT, ZERO, as_log, decode_logs, log

LARGEST = 2**256 - 1


@pytest.mark.parametrize("token_id", [0, 1, 7383, LARGEST])
def test_a_transfer_moves_one_token(token_id: int) -> None:
    moved = erc721.decode(as_log(log(TRANSFER, [ALICE, BOB, token_id])))

    assert moved == ((str(token_id), ALICE, BOB, None, "1"),)


def test_a_transfer_to_oneself_is_an_event() -> None:
    decoded = decode_logs([log(TRANSFER, [ALICE, ALICE, 5])])

    assert (decoded.events.from_account, decoded.events.to_account) == ([ALICE], [ALICE])


def test_mint_and_burn_keep_the_zero_address() -> None:
    decoded = decode_logs([log(TRANSFER, [ZERO, ALICE, 5]), log(TRANSFER, [ALICE, ZERO, 5])])

    assert decoded.events.from_account == [ZERO, ALICE]
    assert decoded.events.to_account == [ALICE, ZERO]


@pytest.mark.parametrize("data", ["0x", "", None])
def test_empty_data_may_be_written_in_any_way(data: str | None) -> None:
    decoded = decode_logs([log(TRANSFER, [ALICE, BOB, 5], data=[]) | {"data": data}])

    assert len(decoded.events) == 1


def test_hex_in_upper_case_gives_the_same_event() -> None:
    plain = log(TRANSFER, [ALICE, BOB, 0xABCDEF])
    shouting = plain | {
        "topics": ["0x" + topic[2:].upper() for topic in plain["topics"]],
        "address": "0x" + CONTRACT[2:].upper(),
        "transactionHash": "0x" + plain["transactionHash"][2:].upper(),
    }

    assert decode_logs([shouting]).events == decode_logs([plain]).events


def test_a_transfer_with_data_besides_four_topics_is_quarantined() -> None:
    decoded = decode_logs([log(TRANSFER, [ALICE, BOB, 5], [1])])

    assert len(decoded.events) == 0
    assert decoded.quarantined[0].reason == "ERC-721 Transfer: expected 0 bytes of data, got 32"


def test_an_address_word_with_more_than_an_address_is_quarantined() -> None:
    outcome = erc721.decode(as_log(log(TRANSFER, [LARGEST, BOB, 5])))

    assert isinstance(outcome, Mismatch)
    assert "expected an address" in outcome.reason


@pytest.mark.parametrize(
    "topic", ["0x12", "0x" + "0" * 63 + "g", "0x" + "0" * 62 + "_1", "zz" + "0" * 64, "", "é" * 66]
)
def test_a_topic_that_is_no_word_is_quarantined(topic: str) -> None:
    built = log(TRANSFER, [ALICE, BOB, 5])
    built["topics"][3] = topic

    decoded = decode_logs([built])

    assert len(decoded.events) == 0
    assert len(decoded.quarantined) == 1


def test_an_erc20_transfer_is_neither_event_nor_quarantined() -> None:
    decoded = decode_logs(
        [log(TRANSFER, [ALICE, BOB], [5]), log(TRANSFER, [], [ALICE, BOB, 5]), log(TRANSFER, [ALICE])]
    )

    assert len(decoded.events) == 0
    assert decoded.quarantined == ()


def test_an_erc404_contract_moves_tokens_by_its_own_event_only() -> None:
    erc20_transfer = "0xe59fdd36d0d223c0c7d996db7ad796880f45e1936cb0bb7ac102e7082e031487"

    decoded = decode_logs([log(erc20_transfer, [ALICE, BOB], [10**18]), log(ERC721_TRANSFER, [ALICE, BOB, 9])])

    assert decoded.events.standard == ["erc404"]
    assert decoded.events.token_id == ["9"]


def test_an_erc404_transfer_of_another_layout_is_quarantined() -> None:
    outcome = erc404.decode(as_log(log(ERC721_TRANSFER, [ALICE, BOB], [9])))

    assert outcome == Mismatch("ERC-404 ERC721Transfer: expected 4 topics, got 3")
