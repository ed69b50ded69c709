"""Receipts that make the root, under a filter that holds more: logs of no transaction may lie outside of them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ft.agents.decode import families
from ft.schemas.events import RawBlock
from ft.streams.sources import Block
from tests.unit.streams.sources.made import Json, MadeBlock, Node, block, move
from tests.unit.streams.sources.test_ladder import BULK, LOGS, SINGLE, outcome, read, the_block, two_moves

CELO = "0x" + "ce10" * 10
FAILED = "0x" + "dead" * 10
ZERO = "0x" + "0" * 64
Tell = Callable[[int, Any], Any]


def by_itself(made: MadeBlock, *logs: Json, tx_hash: str | None = "") -> list[Json]:
    """Logs that the chain itself makes: in the filter, and under the block's own hash."""
    topics = [item for log in logs for item in (log["address"], *log["topics"])]
    made.leak(*topics)
    own = made.header["hash"]
    place = {"blockHash": own, "transactionHash": own if tx_hash == "" else tx_hash}
    return [log | place | {"logIndex": hex(90 + at)} for at, log in enumerate(logs)]


def celo(*txs: list[Json], tx_hash: str | None = "", alone: bool = False) -> Node:
    """A node that tells a log outside of the receipts by eth_getLogs only. ``alone``: nothing else is in the filter."""
    made = block(7, *(txs or ([move(1)], [move(2), move(3)])))
    outside = by_itself(made, move(5, of=CELO), tx_hash=tx_hash)
    node = Node(made)
    node.tells[LOGS] = lambda _, logs: [*logs, *outside]
    return node


def parts(found: Block) -> dict[str, Any]:
    return {part.name: msgspec.json.decode(part.bytes) for part in found.parts}


@pytest.mark.parametrize("tx_hash", ["", None, ZERO])
async def test_it_is_an_event_of_the_block_under_the_blocks_hash(tx_hash: str | None) -> None:
    found = await the_block(celo(tx_hash=tx_hash))
    record = RawBlock(
        network="ethereum", op="append", height=found.height, hash=found.hash, parent_hash=found.parent_hash,
        time=found.time, parts=list(found.parts),
    )  # fmt: skip

    events = families.decode(record, "evm").events

    assert events.token_id == ["1", "2", "3", "5"]
    assert (events.contract[3], events.tx_hash[3], events.log_index[3]) == (CELO, found.hash, 3)


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("tx_hash", ["", None, ZERO])
async def test_a_log_of_no_transaction_is_kept_beside_the_proven_receipts(tx_hash: str | None, final: bool) -> None:
    found = await the_block(celo(tx_hash=tx_hash), final=final)

    assert outcome(found) == ("receipts", ("outside_receipts",), 4)
    (log,) = parts(found)["outside"]
    assert (log["address"], log["transactionHash"]) == (CELO, found.hash if tx_hash == "" else tx_hash)


async def test_a_block_of_no_other_logs_is_one_of_those_too() -> None:
    node = celo([])

    assert outcome(await the_block(node)) == ("receipts", ("outside_receipts",), 1)


async def test_receipts_one_by_one_are_looked_beside_too() -> None:
    node = celo()
    node.without = {BULK}

    assert outcome(await the_block(node)) == ("receipts", ("outside_receipts",), 4)


async def test_logs_by_height_tell_of_it_where_those_by_hash_fail() -> None:
    node = celo()
    told, asked = node.tells[LOGS], list[int]()

    def first_fails(number: int, logs: Any) -> Any:
        asked.append(number)
        return {"code": -32602, "message": "invalid argument"} if len(asked) == 1 else told(number, logs)

    node.tells[LOGS] = first_fails

    assert outcome(await the_block(node)) == ("receipts", ("outside_receipts",), 4)


async def test_a_filter_that_holds_more_even_so_is_a_reason_too() -> None:
    made = two_moves()
    outside = by_itself(made, move(5, of=CELO), tx_hash=None)
    made.leak(FAILED)
    node = Node(made)
    node.tells[LOGS] = lambda _, logs: [*logs, *(log | {"blockHash": made.header["hash"]} for log in outside)]

    assert outcome(await the_block(node)) == ("receipts", ("outside_receipts", "bloom_superset"), 4)


LISTS: dict[str, Tell] = {
    "late": lambda *_: [],
    "short": lambda _, logs: [logs[0], logs[-1]],
    "only the other": lambda _, logs: logs[-1:],
    "that names no transactions": lambda _, logs: [log | {"transactionHash": None} for log in logs],
    "of another block": lambda _, logs: [*logs[:-1], logs[-1] | {"blockHash": "0x" + "12" * 32}],
    "with a log of another transaction": lambda _, logs: [*logs[:-1], logs[-1] | {"transactionHash": "0x" + "12" * 32}],
    "removed": lambda _, logs: [*logs[:-1], logs[-1] | {"removed": True}],
    "with a log that the filter does not hold": lambda _, logs: [*logs[:-1], logs[-1] | {"address": "0x" + "31" * 20}],
    "an error": lambda *_: {"code": -32603, "message": "internal error"},
    "nothing": lambda *_: None,
    "garbage": lambda *_: {"page": "for people"},
}


@pytest.mark.parametrize("told", LISTS)
async def test_of_a_list_that_is_not_whole_nothing_is_taken_and_the_block_says_so(told: str) -> None:
    """At once, though the block is not final: its receipts are proven. What comes later is a revert and an append."""
    node = celo()
    whole = node.tells[LOGS]
    node.tells[LOGS] = lambda number, logs: LISTS[told](number, whole(number, logs))

    found = await the_block(node, final=False)

    assert outcome(found) == ("receipts", ("bloom_superset",), 3)
    assert "outside" not in parts(found)


async def test_of_two_providers_the_one_that_tells_of_it_is_taken() -> None:
    node, other = celo(), celo()
    other.tells.clear()

    for nodes in ([node, other], [other, node]):
        assert outcome(await the_block(*nodes)) == ("receipts", ("outside_receipts",), 4)


async def test_of_two_providers_the_one_that_tells_of_it_is_taken_though_the_filter_holds_more() -> None:
    """Both are as well proven, and the one has more logs."""
    made = two_moves()
    outside = by_itself(made, move(5, of=CELO), tx_hash=None)
    made.leak()
    node, other = Node(made), Node(made)
    node.tells[LOGS] = lambda _, logs: [*logs, *(log | {"blockHash": made.header["hash"]} for log in outside)]

    assert (await the_block(other, node)).logs == 4


async def test_what_nobody_tells_of_does_not_wait_and_is_not_proven() -> None:
    """The receipts are, and nothing else may be there."""
    made = two_moves().leak(FAILED)

    found = await the_block(Node(made), final=False)

    assert outcome(found) == ("receipts", ("bloom_superset",), 3)


async def test_a_filter_that_the_receipts_make_is_nothing_to_ask_about() -> None:
    node = Node(two_moves())

    assert outcome(await the_block(node)) == ("receipts", (), 3)
    assert node.calls[LOGS] == 0


async def test_one_that_holds_more_costs_one_request() -> None:
    node = Node(two_moves().leak(FAILED))

    await the_block(node)

    assert node.calls[LOGS] == 1
    assert node.calls[SINGLE] == 0


@pytest.mark.parametrize("bloom", ["0x", "0x" + "00" * 256], ids=["none", "an empty one"])
async def test_a_header_without_a_filter_is_nothing_to_ask_about(bloom: str) -> None:
    node = Node(two_moves())
    node.tells["eth_getBlockByNumber"] = lambda _, header: header | {"logsBloom": bloom}

    async with read(node) as evm:
        (found,) = [each async for each in evm.blocks(7, 7)]

    assert outcome(found) == ("receipts", ("header",), 3)
    assert node.calls[LOGS] == 0
