"""ERC-2309: ranges are expanded up to a limit, and never counted up to a number that is merely stated."""

import json

import pytest

from ft.agents.decode.evm import decode_block
from ft.agents.decode.topics import CONSECUTIVE_TRANSFER
from tests.unit.agents.decode.building import ALICE, BOB, ZERO, block, decode_logs, log, receipt


def test_a_range_is_inclusive() -> None:
    events = decode_logs([log(CONSECUTIVE_TRANSFER, [3, ZERO, ALICE], [5])]).events

    assert events.token_id == ["3", "4", "5"]
    assert events.sub_index == [0, 1, 2]
    assert set(events.standard) == {"erc721"}


def test_a_range_of_one_is_one_token() -> None:
    top = 2**256 - 1

    events = decode_logs([log(CONSECUTIVE_TRANSFER, [top, ALICE, BOB], [top])]).events

    assert events.token_id == [str(top)]


@pytest.mark.parametrize(("last", "expanded"), [(9_999, 10_000), (10_000, 0), (2**256 - 1, 0)])
def test_a_range_is_expanded_up_to_ten_thousand_ids(last: int, expanded: int) -> None:
    decoded = decode_logs([log(CONSECUTIVE_TRANSFER, [0, ZERO, ALICE], [last])])

    assert len(decoded.events) == expanded
    assert len(decoded.quarantined) == (0 if expanded else 1)


def test_a_range_that_runs_backwards_is_quarantined() -> None:
    decoded = decode_logs([log(CONSECUTIVE_TRANSFER, [5, ZERO, ALICE], [4])])

    assert "expected toTokenId of at least fromTokenId (5), got 4" in decoded.quarantined[0].reason


def test_a_block_expands_a_hundred_thousand_ids_and_quarantines_the_rest() -> None:
    ranges = [log(CONSECUTIVE_TRANSFER, [0, ZERO, ALICE], [9_999], logIndex=hex(at)) for at in range(11)]
    body = json.dumps([receipt(ranges)]).encode()

    decoded = decode_block("ethereum", block(), receipts=body)

    assert len(decoded.events) == 100_000
    assert [each.log_index for each in decoded.quarantined] == [10]
