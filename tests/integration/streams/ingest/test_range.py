"""Ranges: below finality, above it, across it, isolated, interrupted, beside a follower."""

import asyncio
from dataclasses import replace

import pytest

from ft.demo.recording import Recording
from ft.errors import BrokerError
from ft.stopping import Stopped
from ft.streams.ingest.jobs import RangeRefused
from ft.streams.ingest.raw_log import RawLog
from ft.streams.ingest.reconcile import FinalityContradicted
from ft.streams.sources import SourceError
from tests.devnet.faulty_node import FaultyNode
from tests.integration.streams.ingest.conftest import Lab, at_step, no_tags
from tests.integration.waiting import until

LAST = 79
"""Head 82, finalized 74."""


async def test_a_range_of_final_blocks_needs_no_claim(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)

    await lab.range(10, 40, node.url)

    records = [record for _, record in lab.records()]
    assert [r["height"] for r in records] == list(range(10, 41))
    assert {(r["op"], r["lease"], r["finalized"], r["safe"], r["covers_from"]) for r in records} == {
        ("append", 0, 74, 78, 10)
    }
    assert [r["height"] for r in records if r["starts_range"]] == [10]
    assert lab.tail() == {}
    assert lab.chain().misfits == []


async def test_records_hold_the_nodes_bytes_their_proof_and_a_trace_of_the_block(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)

    await lab.range(12, 12, node.url)

    ((_, record),), (message,) = lab.records(), lab.messages()
    block_hash = node.view.canonical[12]
    found = node._chain.find(node.view, hex(12))
    assert found is not None
    assert {p["name"]: p["bytes"] for p in record["parts"]} == {
        "block": found.with_transactions,
        "receipts": found.receipts,
    }
    assert (record["hash"], record["proof"]) == (block_hash, "receipts")
    assert message.headers == {"traceparent": f"00-{block_hash[2:34]}-{block_hash[34:50]}-01".encode()}


async def test_a_range_across_finality_claims_for_its_upper_part_only(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)

    await lab.range(70, None, node.url)

    records = [record for _, record in lab.records()]
    assert [(r["op"], r["height"]) for r in records[:6]] == [
        *(("append", h) for h in range(70, 75)),
        ("claim", -1),
    ]
    assert {r["lease"] for r in records[6:]} == {5}
    chain = lab.chain()
    assert chain.misfits == []
    assert set(chain.canonical) == set(range(70, 83))
    assert lab.sql("SELECT height FROM ingest.tail WHERE final") == [(74,)]


async def test_isolated_ranges_leave_gaps_and_that_is_no_error(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)

    for first, last in ((81, 82), (20, 21), (78, 78), (50, 50), (79, 80)):
        await lab.range(first, last, node.url)

    chain = lab.chain()
    assert chain.misfits == []
    assert set(chain.canonical) == {20, 21, 50, 78, 79, 80, 81, 82}


async def test_every_isolated_stretch_becomes_final(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 60)
    for first, last in ((55, 56), (58, 59), (61, 61)):
        await lab.range(first, last, node.url)
    at_step(node, LAST)

    await lab.range(80, 80, node.url)

    chain = lab.chain()
    assert chain.misfits == []
    assert chain.final == {55, 56, 58, 59, 61}
    assert set(lab.tail()) == {61, 80}


async def test_the_same_range_again_adds_nothing(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    await lab.range(70, 82, node.url)
    before = lab.chain()

    await lab.range(70, 82, node.url)

    after = lab.chain()
    assert (after.canonical, after.appended, after.reverted) == (before.canonical, before.appended, 0)
    assert after.misfits == []


async def test_without_tags_depth_says_what_is_final(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    node.faults.without_tags = {"safe", "finalized", "latest"}

    await lab.range(70, 80, node.url)

    marks = {(r["finalized"], r["safe"]) for _, r in lab.records() if r["op"] == "append"}
    assert marks == {(82 - 8, 82 - 4)}


async def test_tags_can_be_turned_off_by_configuration(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 60)

    await lab.range(40, 45, node.url, network=no_tags())

    assert {r["finalized"] for _, r in lab.records()} == {node.view.head - 8}
    assert "finalized" not in str(node.calls)


async def test_a_block_that_no_provider_has_is_an_error_that_names_it(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    node.faults.ahead = 10

    with pytest.raises(SourceError, match=r"block 83: no provider has it \(head 92\)"):
        await lab.range(80, 90, node.url)

    assert max(lab.chain().canonical) == 82


@pytest.mark.parametrize(("first", "last"), [(50, 62), (62, 90), (90, None)])
async def test_a_range_above_the_head_is_refused_before_it_claims_and_the_follower_goes_on(
    lab: Lab, node: FaultyNode, first: int, last: int | None
) -> None:
    at_step(node, 60)
    follower = await lab.follow(50, node.url)
    await until(lambda: 61 in lab.chain().canonical, "the follower follows")

    with pytest.raises(RangeRefused, match=f"up to the head, block 61, got {first} to {last or 61}. Nothing was writ"):
        await lab.range(first, last, node.url)

    node.advance()
    await until(lambda: node.view.canonical[node.view.head] in lab.chain().canonical.values(), "its next block")
    await follower.stop()
    assert [record["op"] for _, record in lab.records()].count("claim") == 1
    assert lab.sql("SELECT job FROM system.sync_cursors") == [("follow:devnet",)]


async def test_a_dropped_log_stops_the_block_and_the_next_provider_has_it(
    lab: Lab, node: FaultyNode, recording: Recording
) -> None:
    at_step(node, LAST)
    async with FaultyNode(recording) as wrong:
        at_step(wrong, LAST)
        wrong.faults.dropped_log = 0

        await lab.range(10, 60, wrong.url, node.url)

    chain = lab.chain()
    assert chain.canonical == {h: node.view.canonical[h] for h in range(10, 61)}
    assert chain.misfits == []


async def test_a_final_block_that_the_node_denies_stops_a_range_before_it_writes(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    lab.sql(
        "INSERT INTO ingest.blocks VALUES ('devnet', 40, %s, '0x', now(), 'canonical', true, '', 'receipts', 1)",
        "0x" + "ee" * 32,
    )

    with pytest.raises(FinalityContradicted, match="block 40 is final"):
        await lab.range(30, 50, node.url)

    assert lab.messages() == []


async def test_a_range_that_was_stopped_goes_on_where_it_was(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    node.faults.delay_s = 0.2
    slow = replace(lab.network, batch_max=2)
    async with lab.job(node.url, network=slow) as job:
        running = asyncio.create_task(job.range(10, 70))
        await until(lambda: bool(lab.messages()), "something was written")
        job._stopping.stop()
        with pytest.raises(Stopped):
            await running
    node.faults.delay_s = 0
    ((cursor,),) = lab.sql("SELECT next_height FROM system.sync_cursors")
    written = len(lab.messages())
    assert cursor == 10 + written, "what was sent is acknowledged, and the cursor behind it"

    await lab.range(10, 70, node.url)

    assert [r["height"] for _, r in lab.records()] == list(range(10, 71))
    assert lab.sql("SELECT next_height FROM system.sync_cursors") == [(71,)]


async def test_a_backfill_stays_below_the_lowest_unfinal_block(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 60)
    follower = await lab.follow(50, node.url)
    await until(lambda: set(lab.chain().canonical) == set(range(50, 62)), "the log has the chain")
    await follower.stop()
    at_step(node, LAST)

    await lab.range(52, 56, node.url)

    chain = lab.chain()
    assert chain.misfits == []
    assert {54, 55, 56} <= chain.final, "rows of the tail were finalized, under a claim"
    assert [r["op"] for _, r in lab.records()].count("claim") == 2


async def test_beside_a_follower_a_backfill_waits_for_the_ledger(lab: Lab, node: FaultyNode) -> None:
    at_step(node, LAST)
    follower = await lab.follow(75, node.url)
    await until(lambda: 82 in lab.chain().canonical, "the follower follows")
    lab.sql(
        "INSERT INTO system.partition_head (consumer, partition, network, position) VALUES ('ledger', 0, 'devnet', 1)"
    )

    backfill = asyncio.create_task(lab.range(0, 70, node.url))
    await until(lambda: len(lab.chain().canonical) > 8, "the backfill began")
    await asyncio.sleep(1.0)
    unread = lab.messages()[-1].offset - 1
    assert not backfill.done()
    assert unread < 16 + 16

    follower_of_the_log = asyncio.create_task(_read_on(lab, backfill))
    await asyncio.wait_for(backfill, 20)
    await follower_of_the_log
    await follower.stop()
    assert set(lab.chain().canonical) == set(range(71)) | set(range(75, 83))


async def test_a_backfill_never_puts_much_before_the_head(lab: Lab, node: FaultyNode) -> None:
    """Counted in records, whatever the clock says: of the backfill, before a new block of the head, while the ledger
    stands still."""
    at_step(node, 60)
    follower = await lab.follow(node.view.finalized + 1, node.url)
    await until(lambda: node.view.head in lab.chain().canonical, "the follower follows")
    applied = _end(lab)
    _apply(lab, applied)
    backfill = asyncio.create_task(lab.range(0, 50, node.url))
    await until(lambda: _end(lab) >= applied + 16, "the backfill to fill what it may")

    before = []
    for _ in range(3):
        head = node.view.head
        while node.view.head == head:
            node.advance()
        await until(lambda: node.view.head in lab.chain().canonical, "the next block of the head")
        offset = max(o for o, r in lab.records() if r["hash"] == node.view.canonical[node.view.head])
        unread = [r for o, r in lab.records() if applied < o < offset]
        before.append(sum(record["op"] == "append" and record["lease"] == 0 for record in unread))
    assert not backfill.done()
    reader = asyncio.create_task(_read_on(lab, backfill))
    await asyncio.wait_for(backfill, 30)
    await reader
    await follower.stop()

    assert max(before) <= 16 + 8, before  # 16 may be unread; 8 are written before it looks again
    chain = lab.chain()
    assert chain.misfits == []
    assert set(range(51)) <= chain.final


def _end(lab: Lab) -> int:
    return lab.messages()[-1].offset


def _apply(lab: Lab, position: int) -> None:
    """The ledger has applied so much."""
    lab.sql(
        "INSERT INTO system.partition_head (consumer, partition, network, position) VALUES ('ledger', 0, 'devnet', %s)"
        " ON CONFLICT (consumer, partition, network) DO UPDATE SET position = excluded.position",
        position,
    )


async def _read_on(lab: Lab, until_done: "asyncio.Task[None]") -> None:
    """A ledger that applies what is there."""
    while not until_done.done():
        end = (await asyncio.to_thread(lab.messages))[-1].offset
        await asyncio.to_thread(lab.sql, "UPDATE system.partition_head SET position = %s", end)
        await asyncio.sleep(0.05)


async def _refused(_: RawLog) -> None:
    raise BrokerError("the record is refused")


async def test_the_cursor_of_a_range_stays_where_nothing_is_acknowledged(
    lab: Lab, node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(node, LAST)
    monkeypatch.setattr(RawLog, "acknowledged", _refused)

    with pytest.raises(BrokerError):
        await lab.range(10, 40, node.url)

    assert lab.sql("SELECT next_height FROM system.sync_cursors WHERE next_height > 10") == []


async def test_the_tail_has_no_offset_of_what_is_not_acknowledged(
    lab: Lab, node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(node, LAST)
    monkeypatch.setattr(RawLog, "acknowledged", _refused)

    with pytest.raises(BrokerError):
        await lab.range(76, None, node.url)

    assert lab.tail() != {}
    assert lab.sql("SELECT height FROM ingest.tail WHERE raw_offset IS NOT NULL") == []
