"""ERC-1155 single and batch transfers, also as other encoders write them and as attackers might."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from ft.agents.decode import erc1155
from ft.agents.decode.topics import TRANSFER_BATCH, TRANSFER_SINGLE
from ft.agents.decode.words import Mismatch
from tests.unit.agents.decode.building import ALICE, BOB, CAROL, as_log, decode_logs, log

UINT = st.integers(min_value=0, max_value=2**256 - 1)
PARTIES: list[int | str] = [CAROL, ALICE, BOB]


def test_a_single_transfer_names_operator_from_to_in_that_order() -> None:
    moved = erc1155.decode_single(as_log(log(TRANSFER_SINGLE, PARTIES, [7, 3])))

    assert moved == (("7", ALICE, BOB, CAROL, "3"),)


def test_a_single_transfer_of_nothing_stays_an_event() -> None:
    decoded = decode_logs([log(TRANSFER_SINGLE, PARTIES, [7, 0])])

    assert decoded.events.quantity == ["0"]


@pytest.mark.parametrize("words", [0, 1, 3])
def test_a_single_transfer_with_other_than_two_words_is_quarantined(words: int) -> None:
    outcome = erc1155.decode_single(as_log(log(TRANSFER_SINGLE, PARTIES, [1] * words)))

    assert outcome == Mismatch(f"ERC-1155 TransferSingle: expected 64 bytes of data, got {32 * words}")


@pytest.mark.parametrize("topic0", [TRANSFER_SINGLE, TRANSFER_BATCH])
def test_a_transfer_that_does_not_index_its_parties_is_quarantined(topic0: str) -> None:
    decoded = decode_logs([log(topic0, [], [CAROL, ALICE, BOB, 7, 3])])

    assert "expected 4 topics, got 1" in decoded.quarantined[0].reason


@pytest.mark.parametrize("size", [1, 10, 100])
def test_a_batch_is_numbered_without_gaps(size: int) -> None:
    data = encode(["uint256[]", "uint256[]"], [list(range(size)), [1] * size])

    events = decode_logs([log(TRANSFER_BATCH, PARTIES, "0x" + data.hex())]).events

    assert events.sub_index == list(range(size))
    assert events.n == [0] * size
    assert events.token_id == [str(token_id) for token_id in range(size)]


@given(st.lists(st.tuples(UINT, UINT), max_size=20))
def test_what_the_abi_encodes_is_decoded_back(pairs: list[tuple[int, int]]) -> None:
    data = encode(["uint256[]", "uint256[]"], [[pair[0] for pair in pairs], [pair[1] for pair in pairs]])

    moved = erc1155.decode_batch(as_log(log(TRANSFER_BATCH, PARTIES, "0x" + data.hex())))

    assert moved == [(str(token_id), ALICE, BOB, CAROL, str(amount)) for token_id, amount in pairs]


@given(UINT, UINT)
def test_any_single_transfer_is_decoded_back(token_id: int, amount: int) -> None:
    data = encode(["uint256", "uint256"], [token_id, amount])

    moved = erc1155.decode_single(as_log(log(TRANSFER_SINGLE, PARTIES, "0x" + data.hex())))

    assert moved == ((str(token_id), ALICE, BOB, CAROL, str(amount)),)


def test_an_empty_batch_moves_nothing_and_is_not_quarantined() -> None:
    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, [64, 96, 0, 0])])

    assert (len(decoded.events), decoded.quarantined) == (0, ())


def test_repeated_ids_of_a_batch_are_all_kept() -> None:
    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, [64, 160, 2, 5, 5, 2, 1, 3])])

    assert decoded.events.token_id == ["5", "5"]
    assert decoded.events.quantity == ["1", "3"]


def test_arrays_may_stand_in_the_other_order() -> None:
    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, [128, 64, 1, 30, 1, 7])])

    assert (decoded.events.token_id, decoded.events.quantity) == (["7"], ["30"])


def test_arrays_may_have_gaps_between_them() -> None:
    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, [96, 192, 999, 1, 7, 999, 1, 30, 999])])

    assert (decoded.events.token_id, decoded.events.quantity) == (["7"], ["30"])


def test_ids_and_values_of_unequal_number_are_quarantined_and_not_cut() -> None:
    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, [64, 160, 2, 5, 6, 1, 1])])

    assert len(decoded.events) == 0
    assert decoded.quarantined[0].reason == "ERC-1155 TransferBatch: expected as many values as ids (2), got 1"


@pytest.mark.parametrize(
    "words",
    [
        [],
        [64],
        [64, 96],
        [64, 2**255, 0, 0],
        [2**256 - 1, 64, 0, 0],
        [64, 96, 2**256 - 1, 0],
        [64, 96, 2**64, 1],
        [64, 128, 1, 7, 2],
        [64, 128, 2, 7, 2],
    ],
)
def test_a_stated_offset_or_length_outside_the_data_is_quarantined(words: list[int | str]) -> None:
    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, words)])

    assert len(decoded.events) == 0
    assert "TransferBatch: expected" in decoded.quarantined[0].reason


def test_a_batch_has_no_more_entries_than_its_block_has_room_for() -> None:
    data = "0x" + encode(["uint256[]", "uint256[]"], [[1] * 1000, [1] * 1000]).hex()

    decoded = erc1155.decode_batch(as_log(log(TRANSFER_BATCH, PARTIES, data)), room=999)

    assert decoded == Mismatch(
        "ERC-1155 TransferBatch: expected at most 999 ids more in batches of this block, got 1000"
    )
    assert len(decode_logs([log(TRANSFER_BATCH, PARTIES, data)] * 3).events) == 3000


def test_the_batches_that_fit_before_are_kept() -> None:
    batch = erc1155.BLOCK_ENTRIES_MAX // 2
    words = f"{64:064x}{64:064x}{batch:064x}" + f"{1:064x}" * batch

    decoded = decode_logs([log(TRANSFER_BATCH, PARTIES, "0x" + words)] * 3)

    assert len(decoded.events) == 2 * batch
    assert [each.log_index for each in decoded.quarantined if each.log_index] == [2]
