"""CryptoPunks, both contracts: their own events, the buyer that an accepted bid forgets and the seller that V1 does."""

from typing import Any

import pytest

from ft.agents.decode.topics import ASSIGN, PUNK_BOUGHT, PUNK_TRANSFER, TRANSFER
from tests.unit.agents.decode.building import ALICE, BOB, CAROL, ZERO, Json, decode_logs, log

PUNKS = "0xb47e3cd837ddf8e4c57f05d70ab865de6e193bbb"
FIRST = "0x6ba6f2207e343923ba692e5cae646fb0f566db8d"
NO_LONGER_FOR_SALE = "0xb0e0a660b4e50f26f0b7ce75c24655fc76cc66e3334a54ff410277229fa10bd4"


def punk(topic0: str, indexed: list[int | str], data: list[int | str], **changed: Any) -> Json:
    return log(topic0, indexed, data, address=PUNKS, **changed)


def test_an_assigned_punk_is_a_mint() -> None:
    events = decode_logs([punk(ASSIGN, [ALICE], [42])]).events

    assert (events.token_id, events.from_account, events.to_account) == (["42"], [ZERO], [ALICE])
    assert events.standard == ["cryptopunks"]


def test_a_given_punk_moves_once_though_two_events_say_so() -> None:
    events = decode_logs([punk(TRANSFER, [ALICE, BOB], [1]), punk(PUNK_TRANSFER, [ALICE, BOB], [42])]).events

    assert (events.token_id, events.from_account, events.to_account) == (["42"], [ALICE], [BOB])


def test_a_bought_punk_goes_to_the_named_buyer() -> None:
    events = decode_logs([punk(TRANSFER, [ALICE, BOB], [1]), punk(PUNK_BOUGHT, [42, ALICE, BOB], [10**18])]).events

    assert (events.token_id, events.from_account, events.to_account) == (["42"], [ALICE], [BOB])


def test_an_accepted_bid_takes_its_buyer_from_the_transfer_before() -> None:
    logs = [
        punk(TRANSFER, [ALICE, CAROL], [1]),
        punk(PUNK_BOUGHT, [1, ALICE, ZERO], [0]),
        punk(TRANSFER, [ALICE, BOB], [1]),
        punk(PUNK_BOUGHT, [2, ALICE, ZERO], [0]),
    ]

    events = decode_logs(logs).events

    assert (events.token_id, events.to_account) == (["1", "2"], [CAROL, BOB])
    assert events.n == [0, 1]


def test_an_accepted_bid_without_a_transfer_before_is_quarantined() -> None:
    decoded = decode_logs([punk(PUNK_BOUGHT, [42, ALICE, ZERO], [0]), punk(TRANSFER, [ALICE, BOB], [1])])

    assert len(decoded.events) == 0
    assert "expected a Transfer before a PunkBought without a buyer" in decoded.quarantined[0].reason


def test_the_transfer_of_another_transaction_is_not_the_one_before() -> None:
    other = "0x" + "22" * 32

    decoded = decode_logs(
        [punk(TRANSFER, [ALICE, BOB], [1], transactionHash=other), punk(PUNK_BOUGHT, [42, ALICE, ZERO], [0])]
    )

    assert len(decoded.quarantined) == 1


def test_the_transfer_of_another_seller_is_not_the_one_before() -> None:
    decoded = decode_logs([punk(TRANSFER, [CAROL, BOB], [1]), punk(PUNK_BOUGHT, [42, ALICE, ZERO], [0])])

    assert "to be from its seller" in decoded.quarantined[0].reason


@pytest.mark.parametrize("network", ["polygon", "base"])
def test_the_contract_is_known_on_ethereum_only(network: str) -> None:
    decoded = decode_logs([punk(ASSIGN, [ALICE], [42])], network)

    assert (len(decoded.events), decoded.quarantined) == (0, ())


def test_the_topics_of_another_contract_are_ignored() -> None:
    decoded = decode_logs([log(ASSIGN, [ALICE], [42]), log(PUNK_TRANSFER, [ALICE, BOB], [42])])

    assert (len(decoded.events), decoded.quarantined) == (0, ())


def test_a_punk_event_of_another_layout_is_quarantined() -> None:
    decoded = decode_logs([punk(ASSIGN, [ALICE, BOB], [42])])

    assert decoded.quarantined[0].reason == "CryptoPunks: expected 2 topics, got 3"


def first(topic0: str, indexed: list[int | str], data: list[int | str]) -> Json:
    return log(topic0, indexed, data, address=FIRST)


def sale(token_id: int, seller: str, buyer: str) -> list[Json]:
    """What buyPunk of the first contract logs: PunkBought with the buyer twice."""
    return [
        first(TRANSFER, [seller, buyer], [1]),
        first(NO_LONGER_FOR_SALE, [token_id], []),
        first(PUNK_BOUGHT, [token_id, buyer, buyer], [10**18]),
    ]


def test_a_sale_of_the_first_contract_has_its_seller_in_the_transfer_before() -> None:
    events = decode_logs([*sale(5328, ALICE, BOB), *sale(17, CAROL, BOB)]).events

    assert events.token_id == ["5328", "17"]
    assert (events.from_account, events.to_account) == ([ALICE, CAROL], [BOB, BOB])
    assert events.standard == ["cryptopunks", "cryptopunks"]


def test_a_gift_of_the_first_contract_moves_once_though_two_events_say_so() -> None:
    events = decode_logs([first(TRANSFER, [ALICE, BOB], [1]), first(PUNK_TRANSFER, [ALICE, BOB], [9])]).events

    assert (events.token_id, events.from_account, events.to_account) == (["9"], [ALICE], [BOB])


def test_ids_of_the_first_contract_have_no_bound() -> None:
    events = decode_logs([first(ASSIGN, [ALICE], [2**256 - 1])]).events

    assert (events.token_id, events.from_account) == ([str(2**256 - 1)], [ZERO])


def test_a_sale_of_the_first_contract_without_its_transfer_is_quarantined() -> None:
    decoded = decode_logs(sale(1, ALICE, BOB)[1:])

    assert len(decoded.events) == 0
    assert "of the first contract, which names no seller, got none" in decoded.quarantined[0].reason


def test_a_sale_of_the_first_contract_after_the_transfer_of_another_buyer_is_quarantined() -> None:
    decoded = decode_logs([first(TRANSFER, [ALICE, CAROL], [1]), *sale(1, ALICE, BOB)[1:]])

    assert "to be to its buyer" in decoded.quarantined[0].reason


def test_the_transfers_of_the_two_contracts_are_kept_apart() -> None:
    logs = [first(TRANSFER, [ALICE, BOB], [1]), punk(TRANSFER, [CAROL, BOB], [1]), *sale(3, ALICE, BOB)[1:]]

    assert decode_logs(logs).events.from_account == [ALICE]
