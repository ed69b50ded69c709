"""The ladder of proof at one node: whichever rungs fail, and however, the best that holds is what comes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft.streams.sources import Block, SourceError
from ft.streams.sources.evm.source import EvmSource
from tests.synthetic.sealed import seal
from tests.unit.streams.sources.made import MadeBlock, Node, block, move
from tests.unit.streams.sources.nodes import serving, source

Tell = Callable[[int, Any], Any]
BULK, SINGLE, LOGS = "eth_getBlockReceipts", "eth_getTransactionReceipt", "eth_getLogs"
ERROR = {"code": -32603, "message": "internal error"}


@asynccontextmanager
async def read(*nodes: Node, final: bool = True, **changes: Any) -> AsyncIterator[EvmSource]:
    """A source over these nodes that knows where head and finality are."""
    network: dict[str, Any] = {"give_up_s": 0.3, **changes}
    for node in nodes:
        node.finalized = max(node.blocks) if final else 0
    async with serving(nodes[0]) as first, serving(nodes[-1]) as second:
        urls = [first, second][: len(nodes)]
        async with source("ethereum", *urls, **network) as evm:
            await evm.marks()
            yield evm


async def the_block(*nodes: Node, **changes: Any) -> Block:
    """The highest one."""
    async with read(*nodes, **changes) as evm:
        height = max(nodes[0].blocks)
        (found,) = [each async for each in evm.blocks(height, height)]
        return found


def two_moves(number: int = 7) -> MadeBlock:
    return block(number, [move(1)], [move(2), move(3)])


def outcome(found: Block) -> tuple[str, tuple[str, ...], int]:
    return found.proof, found.reasons, found.logs


FAILURES: dict[str, Tell] = {
    "an error": lambda *_: ERROR,
    "nothing": lambda *_: None,
    "an empty list": lambda *_: [],
    "a short list": lambda _, answer: answer[:-1],
    "one twice": lambda _, answer: [*answer, answer[-1]],
    "no status": lambda _, answer: [{k: v for k, v in each.items() if k != "status"} for each in answer],
    "another status": lambda _, answer: [each | {"status": "0x0"} for each in answer],
    "of another block": lambda _, answer: [each | {"blockHash": "0x" + "12" * 32} for each in answer],
    "no receipts at all": lambda *_: {"page": "for people"},
    "out of order": lambda _, answer: answer[::-1],
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_bulk_receipts_that_fail_in_any_way_lead_to_receipts_one_by_one(failure: str) -> None:
    node = Node(two_moves())
    node.tells[BULK] = FAILURES[failure]

    assert outcome(await the_block(node)) == ("receipts", (), 3)


def each_alone(tell: Tell) -> Tell:
    """What fails a list, for a node that answers one receipt."""

    def told(number: int, receipt: Any) -> Any:
        answer = tell(number, [receipt])
        return answer[0] if isinstance(answer, list) and answer else (answer or None)

    return told


@pytest.mark.parametrize("failure", sorted(set(FAILURES) - {"a short list", "one twice", "out of order"}))
async def test_receipts_that_fail_both_ways_lead_to_the_logs_of_the_block(failure: str) -> None:
    node = Node(two_moves())
    node.tells |= {BULK: FAILURES[failure], SINGLE: each_alone(FAILURES[failure])}

    assert outcome(await the_block(node)) == ("logs", (), 3)


@pytest.mark.parametrize("by_hash", [lambda *_: ERROR, lambda *_: [], lambda _, logs: logs[:1]])
async def test_logs_by_hash_that_fail_lead_to_logs_by_height(by_hash: Tell) -> None:
    node = Node(two_moves())
    node.without, node.by_hash = {BULK, SINGLE}, by_hash

    assert outcome(await the_block(node, final=False)) == ("logs", (), 3)


async def test_a_receipts_root_of_another_kind_is_no_reason_to_stop() -> None:
    node = Node(two_moves(6).reseal(receiptsRoot="0x" + "5a" * 32), two_moves(7))

    async with read(node) as evm:
        found = [each async for each in evm.blocks(6, 7)]

    assert [outcome(each) for each in found] == [("logs", (), 3), ("receipts", (), 3)]


async def test_receipts_before_byzantium_that_lost_their_root_lead_to_logs() -> None:
    old = two_moves()
    old.receipts = [{k: v for k, v in each.items() if k != "status"} | {"root": "0x" + "77" * 32, "type": "0x0"}
                    for each in old.receipts]  # fmt: skip
    seal(old.header, old.receipts)
    node = Node(old.reseal())

    def lost(_: int, answer: Any) -> Any:
        return [{k: v for k, v in each.items() if k != "root"} | {"status": "0x1"} for each in answer]

    assert outcome(await the_block(node)) == ("receipts", (), 3)
    node.tells |= {BULK: lost, SINGLE: each_alone(lost)}
    assert outcome(await the_block(node)) == ("logs", (), 3)


async def test_the_failure_of_one_rung_may_be_that_of_the_whole_node_for_a_moment() -> None:
    node, heavy = Node(two_moves()), 0

    def served(request: Any) -> Any:
        nonlocal heavy
        calls = request if isinstance(request, list) else [request]
        if any(call["method"] == BULK for call in calls):
            heavy += 1
            return "too much"
        return node(request)

    async with serving(served) as url, source("ethereum", url, give_up_s=5.0) as evm:
        (found,) = [each async for each in evm.blocks(7, 7)]

    assert heavy == 1
    assert outcome(found) == ("receipts", (), 3)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(FAILURES)), st.sampled_from(list(FAILURES)), st.booleans())
def test_no_failure_of_receipts_makes_anything_proven_that_is_not(bulk: str, single: str, by_hash: bool) -> None:
    node = Node(two_moves())
    node.tells |= {BULK: FAILURES[bulk], SINGLE: each_alone(FAILURES[single])}
    if by_hash:
        node.by_hash = lambda *_: []

    found = asyncio.run(the_block(node, final=False))

    assert (found.proof, found.logs) in (("receipts", 3), ("logs", 3))


async def test_a_block_that_nothing_proves_keeps_back_none_before_it(quick: None) -> None:
    late: Tell = lambda number, answer: [] if number == 6 else answer  # noqa: E731
    node = Node(*(two_moves(number) for number in range(3, 9)))
    node.tells |= {BULK: late, LOGS: late, SINGLE: lambda number, answer: None if number == 6 else answer}

    async with read(node, final=False) as evm:
        found: list[int] = []
        with pytest.raises(SourceError, match="block 6: nothing proves it yet"):
            found.extend([each.height async for each in collected(evm, 3, 8, found)])

    assert found == [3, 4, 5]


async def collected(evm: EvmSource, first: int, last: int, into: list[int]) -> AsyncIterator[Block]:
    async for each in evm.blocks(first, last):
        into.append(each.height)
        yield each


@pytest.mark.parametrize(("final", "stands_s"), list(product([True, False], [None, 0.0])))
async def test_empty_lists_of_a_block_with_transactions_are_not_believed_before_receipts_come(
    final: bool, stands_s: float | None, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receipts and logs late together, the filter true; however long that stands, and though the block be final."""
    if stands_s is not None:
        monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", stands_s)
    node = Node(two_moves())
    node.tells |= {BULK: lambda *_: [], SINGLE: lambda *_: None, LOGS: lambda *_: []}

    with pytest.raises(SourceError, match="nothing proves it yet"):
        await the_block(node, final=final)


async def test_an_empty_filter_does_not_stand_for_receipts_that_are_still_to_come(quick: None) -> None:
    node = Node(two_moves().reseal(logsBloom="0x" + "00" * 256))
    node.tells |= {BULK: lambda *_: [], SINGLE: lambda *_: None, LOGS: lambda *_: []}

    with pytest.raises(SourceError, match="no receipts yet"):
        await the_block(node, final=False)


async def test_a_block_without_transactions_needs_no_receipt() -> None:
    assert outcome(await the_block(Node(block(7)))) == ("receipts", (), 0)


async def test_block_zero_at_time_zero_is_read() -> None:
    genesis = block(0).reseal(timestamp="0x0")

    found = await the_block(Node(genesis))

    assert (found.height, found.time, found.proof, found.reasons) == (0, 0, "receipts", ())


async def test_a_time_beyond_any_is_no_reason_to_stop() -> None:
    found = await the_block(Node(two_moves().reseal(timestamp="0x" + "f" * 40)))

    assert found.time == 2**63 - 1


async def test_a_header_that_does_not_make_its_hash_says_so_in_the_record() -> None:
    node = Node(two_moves())
    node.tells["eth_getBlockByNumber"] = lambda _, header: header | {"timestamp": "0x655b9999"}

    assert outcome(await the_block(node)) == ("receipts", ("header",), 3)


async def test_a_header_that_does_not_make_its_hash_is_not_taken_where_another_provider_has_better() -> None:
    node, other = Node(two_moves()), Node(two_moves())
    node.tells["eth_getBlockByNumber"] = lambda _, header: header | {"timestamp": "0x655b9999"}

    assert outcome(await the_block(node, other)) == ("receipts", (), 3)


async def test_a_receipt_of_the_chain_itself_is_proven_with_the_others() -> None:
    """Celo logs under the block's own hash, and the root covers that receipt too."""
    made = block(7, [move(1)], [move(2)])
    made.header["transactions"].pop()
    node = Node(made)

    def renamed(_: int, receipts: Any) -> Any:
        receipts[-1]["transactionHash"] = made.header["hash"]
        for log in receipts[-1]["logs"]:
            log["transactionHash"] = made.header["hash"]
        return receipts

    node.tells[BULK] = renamed

    assert outcome(await the_block(node)) == ("receipts", (), 2)


@pytest.mark.parametrize("tx_hash", ["", "0x" + "12" * 32, None])
async def test_logs_of_no_transaction_are_kept(tx_hash: str | None) -> None:
    made = two_moves()
    node = Node(made)
    node.without = {BULK, SINGLE}
    named = made.header["hash"] if tx_hash == "" else tx_hash
    node.tells[LOGS] = lambda _, logs: [*logs[:-1], logs[-1] | {"transactionHash": named}]

    assert outcome(await the_block(node)) == ("logs", (), 3)
