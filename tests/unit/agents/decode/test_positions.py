"""Where a log stands in its block: numbered by us, whatever the node says of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.agents.decode.events import Events
from ft.agents.decode.evm import decode_block
from ft.agents.decode.topics import TRANSFER
from ft.errors import MalformedRecord
from tests.unit.agents.decode.building import ALICE, BLOCK_HASH, BOB, SENDER, ZERO, Json, block, encoded, log, receipt

APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"
FIRST, SECOND = "0x" + "f1" * 32, "0x" + "01" * 32
TRANSACTIONS = [{"hash": each, "from": SENDER} for each in (FIRST, SECOND)]


def moved(token_id: int, tx: str, index: Any = None) -> Json:
    return log(TRANSFER, [ALICE, BOB, token_id], transactionHash=tx, logIndex=index)


def chain_of(tokens: dict[str, list[int]]) -> list[Json]:
    """The logs of both transactions, two to an event: an approval before each, that no decoder reads."""
    return [
        each
        for tx, ids in tokens.items()
        for token_id in ids
        for each in (log(APPROVAL, [ALICE, BOB, token_id], transactionHash=tx), moved(token_id, tx))
    ]


def by_receipts(logs: list[Json]) -> Events:
    built = [
        receipt([each for each in logs if each["transactionHash"] == tx], transactionHash=tx) for tx in (FIRST, SECOND)
    ]
    return decode_block("ethereum", block(TRANSACTIONS), receipts=encoded(built)).events


def by_logs(logs: list[Json]) -> Events:
    return decode_block("ethereum", block(TRANSACTIONS), logs=encoded(logs)).events


def restarting(logs: list[Json]) -> list[Json]:
    seen: dict[str, int] = {}
    built = []
    for each in logs:
        at = seen[each["transactionHash"]] = seen.get(each["transactionHash"], -1) + 1
        built.append(each | {"logIndex": hex(at)})
    return built


def shifted(logs: list[Json]) -> list[Json]:
    return [each | {"logIndex": hex(at + 1_000)} for at, each in enumerate(logs)]


def as_numbers(logs: list[Json]) -> list[Json]:
    return [each | {"logIndex": at} for at, each in enumerate(logs)]


def silent(logs: list[Json]) -> list[Json]:
    return [{key: value for key, value in each.items() if key != "logIndex"} for each in logs]


def nonsense(logs: list[Json]) -> list[Json]:
    return [each | {"logIndex": "0x1_0"} for each in logs]


def unsorted(logs: list[Json]) -> list[Json]:
    return [each | {"logIndex": hex((at * 7) % len(logs))} for at, each in enumerate(logs)]


TOLD = {FIRST: [1, 2], SECOND: [3]}


@pytest.mark.parametrize("tell", [restarting, shifted, as_numbers, silent, nonsense, unsorted])
def test_logs_of_receipts_stand_where_they_are(tell: Any) -> None:
    events = by_receipts(tell(chain_of(TOLD)))

    assert (events.token_id, events.log_index, events.n) == (["1", "2", "3"], [1, 3, 5], [0, 1, 0])


@pytest.mark.parametrize("tell", [restarting, shifted, as_numbers, silent, nonsense])
def test_listed_logs_stand_in_the_order_of_their_transactions(tell: Any) -> None:
    events = by_logs(tell(chain_of(TOLD)))

    assert (events.token_id, events.log_index, events.n) == (["1", "2", "3"], [1, 3, 5], [0, 1, 0])


@pytest.mark.parametrize("tell", [restarting, shifted, as_numbers])
def test_listed_logs_may_come_in_any_order_where_the_node_numbers_them(tell: Any) -> None:
    events = by_logs(tell(chain_of(TOLD))[::-1])

    assert (events.token_id, events.log_index, events.n) == (["1", "2", "3"], [1, 3, 5], [0, 1, 0])


def test_the_order_of_transactions_is_that_of_the_block_not_of_their_hashes() -> None:
    events = by_logs([moved(3, SECOND, "0x0"), moved(1, FIRST, "0x1")])

    assert (events.token_id, events.log_index) == (["1", "3"], [0, 1])


def test_a_removed_log_takes_no_place() -> None:
    logs = [moved(1, FIRST), moved(2, FIRST) | {"removed": True}, moved(3, FIRST)]

    assert by_receipts(logs).log_index == by_logs(logs).log_index == [0, 1]


def test_logs_of_no_transaction_come_last_and_were_sent_by_nobody() -> None:
    logs = [moved(7, BLOCK_HASH, "0x0"), moved(8, BLOCK_HASH, "0x1"), moved(1, SECOND, "0x2")]

    events = by_logs(logs)

    assert (events.token_id, events.log_index, events.n) == (["1", "7", "8"], [0, 1, 2], [0, 0, 1])
    assert events.tx_from == [SENDER, ZERO, ZERO]
    assert events.tx_hash[1:] == [BLOCK_HASH, BLOCK_HASH]


def test_a_log_of_another_blocks_transaction_is_refused() -> None:
    with pytest.raises(MalformedRecord, match="expected the sender of 0x7777"):
        by_logs([moved(1, "0x" + "77" * 32, "0x0")])


@given(
    st.lists(st.tuples(st.sampled_from([FIRST, SECOND]), st.integers(1, 9)), max_size=8),
    st.sampled_from([restarting, shifted, as_numbers]),
    st.randoms(use_true_random=False),
)
def test_receipts_and_listed_logs_agree_however_the_node_numbers_and_sorts(
    rows: list[tuple[str, int]], tell: Any, random: Any
) -> None:
    logs = [moved(token_id, tx) for tx, token_id in sorted(rows, key=lambda row: row[0] != FIRST)]
    told = tell(logs)
    random.shuffle(told)

    assert by_logs(told) == by_receipts(logs)


@pytest.mark.parametrize("told", ["null", "left out", "the block's hash"])
def test_a_listed_log_without_a_transactions_hash_is_one_of_no_transaction(told: str) -> None:
    own = moved(2, BLOCK_HASH, "0x0")
    if told == "left out":
        del own["transactionHash"]
    elif told == "null":
        own["transactionHash"] = None

    events = by_logs([own, moved(1, FIRST, "0x1")])

    assert (events.token_id, events.tx_hash, events.tx_from) == (["1", "2"], [FIRST, BLOCK_HASH], [SENDER, ZERO])


@pytest.mark.parametrize("missing", ["address", "topics"])
def test_a_log_of_no_transaction_that_lacks_more_is_no_log(missing: str) -> None:
    own = moved(2, FIRST, "0x0") | {"transactionHash": None}
    del own[missing]

    with pytest.raises(MalformedRecord, match="a list of logs"):
        by_logs([own])


@pytest.mark.parametrize("tx_hash", [None, BLOCK_HASH, "0x" + "00" * 32])
def test_logs_outside_of_the_receipts_come_after_them_under_the_blocks_hash(tx_hash: str | None) -> None:
    nobodys = {"transactionHash": tx_hash}
    outside = [moved(3, FIRST, "0x9") | nobodys, moved(2, FIRST, "0x8") | nobodys]
    odd = log(TRANSFER, [ALICE, BOB, 4], [1], logIndex="0xa") | nobodys
    receipts = encoded([receipt([moved(1, FIRST)], transactionHash=FIRST)])

    decoded = decode_block("celo", block(), receipts=receipts, outside=encoded([*outside, odd]))

    events = decoded.events
    assert (events.token_id, events.n, events.log_index) == (["1", "2", "3"], [0, 0, 1], [0, 1, 2])
    assert (events.tx_hash, events.tx_from) == ([FIRST, BLOCK_HASH, BLOCK_HASH], [SENDER, ZERO, ZERO])
    (quarantined,) = decoded.quarantined
    assert (quarantined.tx_hash, json.loads(quarantined.log)) == (BLOCK_HASH, odd)
