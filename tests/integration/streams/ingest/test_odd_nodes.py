"""A follower of nodes that are late or tell blocks in odd ways: it stays, and the log comes to say the best."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.integration.streams.ingest.conftest import Lab, Running
from tests.integration.waiting import until
from tests.unit.streams.sources.made import MadeBlock, Node, block, move
from tests.unit.streams.sources.nodes import serving

BULK, SINGLE, LOGS, HEADER = (
    "eth_getBlockReceipts", "eth_getTransactionReceipt", "eth_getLogs", "eth_getBlockByNumber",
)  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting, without so much of it."""
    monkeypatch.setattr("ft.streams.sources.evm.providers.backoff_s", lambda attempt, **_: 0.02)
    monkeypatch.setattr("ft.streams.ingest.waiting.PAUSE_S", (0.05, 0.2))
    monkeypatch.setattr("ft.streams.ingest.better.FIRST_S", 0.2)
    monkeypatch.setattr("ft.streams.ingest.better.LONGEST_S", 0.4)


def chain(*blocks: MadeBlock) -> Node:
    """Each the parent of the next; none is final."""
    for below, above in pairwise(blocks):
        above.reseal(parentHash=below.header["hash"])
    return Node(*blocks, chain_id=31337)


@asynccontextmanager
async def followed(lab: Lab, node: Node, *others: Node) -> AsyncIterator[Running]:
    """``others``: providers before this one; one at most."""
    async with serving(node) as url, serving(others[0] if others else node) as other:
        follower = await lab.follow(1, *([other, url] if others else [url]))
        try:
            yield follower
        finally:
            await follower.stop()


def of_block(number: int, told: Callable[[Any], Any]) -> Callable[[int, Any], Any]:
    return lambda at, answer: told(answer) if at == number else answer


def written(lab: Lab) -> list[tuple[str, int, str, list[str]]]:
    """What is in the log, without the claim and what is said of finality."""
    return [
        (record["op"], record["height"], record["proof"] if record["op"] == "append" else "", record["reasons"])
        for _, record in lab.records()
        if record["op"] in ("append", "revert")
    ]


def waits(lab: Lab) -> tuple[Any, ...]:
    found = lab.sql("SELECT waits_for, waits_error FROM system.sync_cursors WHERE job = 'follow:devnet'")
    return found[0] if found else (None, None)


async def test_a_follower_stays_while_receipts_and_logs_are_late_together(lab: Lab) -> None:
    node = chain(*(block(number, [move(number)]) for number in (1, 2, 3)))
    late = {BULK: of_block(2, lambda _: []), SINGLE: of_block(2, lambda _: None), LOGS: of_block(2, lambda _: [])}
    node.tells |= late

    async with followed(lab, node) as follower:
        await until(lambda: waits(lab)[0] == 2, "the follower to say which block it waits for")
        before, said = written(lab), waits(lab)[1]
        node.tells.clear()
        await until(lambda: lab.chain().canonical.keys() == {1, 2, 3}, "the blocks that were late")
        await until(lambda: waits(lab) == (None, None), "the follower to say that it goes on")
        assert not follower.task.done()

    assert before == [("append", 1, "receipts", [])]
    assert "block 2" in said
    assert "nothing proves it yet" in said
    assert written(lab) == [("append", number, "receipts", []) for number in (1, 2, 3)]
    assert [record["op"] for _, record in lab.records()].count("claim") == 1


async def test_blocks_that_do_not_become_canonical_are_claimed_anew_beside_one_that_cannot_be_had(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.ingest.jobs._DOUBT_EVERY_S", 0.3)
    node = chain(*(block(number, [move(number)]) for number in (1, 2, 3)))
    node.tells |= {
        BULK: of_block(3, lambda _: []),
        SINGLE: of_block(3, lambda _: None),
        LOGS: of_block(3, lambda _: []),
    }

    async with followed(lab, node):
        await until(lambda: waits(lab)[0] == 3, "the follower to say which block it waits for")
        read_to = lab.records()[-1][0]
        lab.sql("INSERT INTO ingest.heads (network, position, broken) VALUES ('devnet', %s, true)", read_to)
        await until(lambda: lab.chain().claim > read_to, "another claim")
        claimed = lab.chain().claim
        await until(lambda: {r["height"] for o, r in lab.records() if o > claimed} == {1, 2}, "what is below, under it")

    assert lab.chain().misfits == []


async def test_a_better_proof_of_the_same_logs_is_appended_again_without_a_retraction(lab: Lab) -> None:
    node = chain(*(block(number, [move(number)]) for number in (1, 2, 3)))
    node.tells |= {BULK: of_block(2, lambda _: None), SINGLE: of_block(2, lambda _: None)}

    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 3, "all of them, one by its logs")
        node.tells.clear()
        await until(lambda: len(written(lab)) == 4, "the better proof")
        await until(lambda: ("receipts",) in lab.sql("SELECT proof FROM ingest.tail WHERE height = 2"), "its row")

    assert written(lab) == [
        ("append", 1, "receipts", []),
        ("append", 2, "logs", []),
        ("append", 3, "receipts", []),
        ("append", 2, "receipts", []),
    ]
    assert lab.chain().misfits == []


async def test_a_better_proof_of_other_logs_is_a_revert_and_an_append(lab: Lab) -> None:
    """Two equal logs: the filter does not show that one of them is missing."""
    node = chain(block(1, [move(1)]), block(2, [move(2), move(2)]), block(3, [move(3)]))
    node.tells |= {
        BULK: of_block(2, lambda _: None),
        SINGLE: of_block(2, lambda _: None),
        LOGS: of_block(2, lambda logs: logs[:1]),
    }

    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 3, "all of them, one by its logs")
        node.tells.clear()
        await until(lambda: len(written(lab)) == 7, "what is true")

    assert written(lab)[3:] == [
        ("revert", 3, "", []),
        ("revert", 2, "", []),
        ("append", 2, "receipts", []),
        ("append", 3, "receipts", []),
    ]
    assert lab.chain().misfits == []


async def test_a_time_that_was_not_the_headers_is_corrected_by_a_revert(lab: Lab) -> None:
    node = chain(*(block(number, [move(number)]) for number in (1, 2)))
    node.tells[HEADER] = of_block(2, lambda header: header | {"timestamp": "0x655b9999"})

    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 2, "both")
        node.tells.clear()
        await until(lambda: len(written(lab)) == 4, "what is true")

    assert written(lab)[1:] == [
        ("append", 2, "receipts", ["header"]),
        ("revert", 2, "", []),
        ("append", 2, "receipts", []),
    ]


async def test_state_sync_that_comes_later_fills_its_hole(lab: Lab) -> None:
    lab.network = replace(lab.network, state_sync=True)
    node = chain(block(16, [move(1)]).synced(move(2)))
    own = node.blocks[16].outside[0]["transactionHash"]

    def without(answer: Any) -> Any:
        if isinstance(answer, list):
            return [each for each in answer if each["transactionHash"] != own]
        return None if answer["transactionHash"] == own else answer

    node.tells |= dict.fromkeys((BULK, SINGLE, LOGS), of_block(16, without))
    async with serving(node) as url:
        follower = await lab.follow(16, url)
        await until(lambda: len(written(lab)) == 1, "the block with its hole")
        node.tells.clear()
        await until(lambda: len(written(lab)) == 3, "the whole block")
        await follower.stop()

    assert written(lab) == [
        ("append", 16, "receipts", ["state_sync_missing"]),
        ("revert", 16, "", []),
        ("append", 16, "receipts", ["state_sync"]),
    ]


async def test_a_log_outside_of_the_receipts_that_comes_later_is_a_revert_and_an_append(lab: Lab) -> None:
    """As Celo's chain logs by itself: receipts are proven, the filter holds more, and the log is late."""
    own = move(9, of="0x" + "ce10" * 10)
    blocks = [block(number, [move(number)]) for number in (1, 2, 3)]
    blocks[1].leak(own["address"], *own["topics"])
    node = chain(*blocks)
    nobodys = own | {"blockHash": blocks[1].header["hash"], "transactionHash": None, "logIndex": "0x9"}

    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 3, "all of them, one with something missing")
        node.by_hash = lambda number, logs: [*logs, nobodys] if number == 2 else logs
        await until(lambda: len(written(lab)) == 7, "the block with its log")

    assert written(lab) == [
        ("append", 1, "receipts", []),
        ("append", 2, "receipts", ["bloom_superset"]),
        ("append", 3, "receipts", []),
        ("revert", 3, "", []),
        ("revert", 2, "", []),
        ("append", 2, "receipts", ["outside_receipts"]),
        ("append", 3, "receipts", []),
    ]
    assert lab.chain().misfits == []


def leaking(first: int, last: int) -> list[MadeBlock]:
    """Their filter holds more than their two logs make."""
    return [
        block(number, [move(number)], [move(1_000 + number)]).leak("0x" + "dead" * 10)
        for number in range(first, last + 1)
    ]


def logs_of(record: dict[str, Any]) -> list[Any]:
    """The logs that an append carries, by the part that lists them."""
    return [log for part in record["parts"] if part["name"] == "logs" for log in json.loads(part["bytes"])]


@pytest.mark.parametrize("providers", [1, 2], ids=["one provider", "another before it that gives fewer logs"])
async def test_a_follower_keeps_up_where_every_answer_has_to_stand(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, providers: int
) -> None:
    """One after the other they would take a minute and a half."""
    monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", 2.0)
    lab.network = replace(lab.network, proof="logs")
    node = chain(block(0), *leaking(1, 30))
    fewer = Node(chain_id=31337)
    fewer.blocks, fewer.tells[LOGS] = node.blocks, lambda _, logs: logs[:-1]

    async with followed(lab, node, *([fewer] if providers == 2 else [])):
        await until(lambda: 10 in lab.chain().canonical, "the first of them")
        for each in leaking(31, 45):
            node.blocks[each.number] = each.reseal(parentHash=node.blocks[each.number - 1].header["hash"])
            await asyncio.sleep(0.05)  # the chain's pace
        await until(lambda: 45 in lab.chain().canonical, "all of them", 15.0)
        assert waits(lab) == (None, None), "that an answer has to stand is nothing to tell of"

    assert written(lab) == [("append", number, "logs", ["bloom_superset"]) for number in range(1, 46)]
    assert lab.chain().misfits == []
    assert {len(logs_of(record)) for _, record in lab.records() if record["op"] == "append"} == {2}


async def test_a_reorg_among_blocks_whose_answers_stand_leaves_nothing_of_them_in_the_log(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", 2.0)
    lab.network = replace(lab.network, proof="logs")
    node = chain(block(0), *leaking(1, 8))

    async with followed(lab, node):
        await until(lambda: node.calls[LOGS] >= 16, "all of them to be asked for")
        for each in leaking(4, 9):
            below = node.blocks[each.number - 1].header["hash"]
            node.blocks[each.number] = each.reseal(parentHash=below, extraData="0x01")
        await until(lambda: 9 in lab.chain().canonical, "the chain as it is now", 15.0)

    assert [each[:2] for each in written(lab)] == [("append", number) for number in range(1, 10)]
    assert lab.chain().canonical == {number: node.blocks[number].header["hash"] for number in range(1, 10)}
    assert lab.chain().misfits == []


async def test_a_range_whose_answers_have_to_stand_waits_for_them_side_by_side(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other those that are asked for together would take 27 s."""
    monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", 3.0)
    monkeypatch.setattr("ft.streams.sources.evm.providers.backoff_s", lambda attempt, **_: 0.2)
    network = replace(lab.network, proof="logs")

    async with serving(chain(block(0), *leaking(1, 30))) as url:
        await asyncio.wait_for(lab.range(1, 30, url, network=network), 20.0)

    assert [each[1] for each in written(lab)] == list(range(1, 31))


async def test_a_follower_that_starts_again_still_knows_what_was_less_proven(lab: Lab) -> None:
    node = chain(*(block(number, [move(number)]) for number in (1, 2)))
    node.tells |= {BULK: of_block(2, lambda _: None), SINGLE: of_block(2, lambda _: None)}
    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 2, "both, one by its logs")

    node.tells.clear()
    async with followed(lab, node):
        await until(lambda: written(lab)[-1] == ("append", 2, "receipts", []), "the better proof")

    assert [each[0] for each in written(lab)] == ["append", "append", "append"]


@pytest.mark.parametrize("restarts", [False, True])
async def test_more_logs_of_equal_proof_that_come_later_are_a_revert_and_an_append(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, restarts: bool
) -> None:
    """A list was believed because it had stood; the filter, which holds more than both, does not tell them apart."""
    monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", 0.5)
    lab.network = replace(lab.network, proof="logs")
    node = chain(block(0), *leaking(1, 3))
    node.tells[LOGS] = node.by_hash = of_block(2, lambda logs: logs[:1])

    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 3, "all of them, one with fewer logs")
        if not restarts:
            node.tells.clear()
            node.by_hash = lambda _, logs: logs
            await until(lambda: len(written(lab)) == 7, "the fuller list")
    if restarts:
        node.tells.clear()
        node.by_hash = lambda _, logs: logs
        async with followed(lab, node):
            await until(lambda: len(written(lab)) == 7, "the fuller list")

    assert [each[:2] for each in written(lab)[3:]] == [("revert", 3), ("revert", 2), ("append", 2), ("append", 3)]
    assert [len(logs_of(record)) for _, record in lab.records() if record["op"] == "append"] == [2, 1, 2, 2, 2]
    assert lab.chain().misfits == []


async def test_fewer_logs_that_come_later_change_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft.streams.sources.evm.standing.STANDS_S", 0.5)
    monkeypatch.setattr("ft.streams.sources.evm.standing.FORGOTTEN_S", 0.5)
    lab.network = replace(lab.network, proof="logs")
    node = chain(block(0), *leaking(1, 3))

    async with followed(lab, node):
        await until(lambda: len(written(lab)) == 3, "all of them")
        node.tells[LOGS] = node.by_hash = of_block(2, lambda logs: logs[:1])
        asked = node.calls[LOGS]
        await until(lambda: node.calls[LOGS] > asked + 30, "the follower to ask again and again")

    assert [each[:2] for each in written(lab)] == [("append", 1), ("append", 2), ("append", 3)]
