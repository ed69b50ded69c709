"""Following a chain that changes its mind, with restarts, kills and rivals."""

import asyncio
from dataclasses import replace

import pytest

from ft.demo.replay import View
from ft.stopping import Stopped, Stopping
from ft.streams.ingest.backfill import Progress
from ft.streams.ingest.jobs import Ingest
from ft.streams.ingest.raw_log import LeaseLost
from ft.streams.ingest.reconcile import FinalityContradicted
from tests.devnet.faulty_node import FaultyNode
from tests.integration.streams.ingest.conftest import NEVER, Crash, Crashed, Lab, at_step
from tests.integration.waiting import until

REORG_5_DEEP = (51, 52)
"""Steps before and after blocks 49 to 53 are replaced."""
REORG_SAME_HEIGHT = (62, 63)
LAST = 79


def next_height(lab: Lab) -> int:
    """Where the follower would go on."""
    return int(lab.sql("SELECT next_height FROM system.sync_cursors WHERE job = 'follow:devnet'")[0][0])


def agrees(lab: Lab, node: FaultyNode, first: int) -> bool:
    """Whether the log's canonical chain is the node's, from ``first`` to its head."""
    wanted = {height: block for height, block in node.view.canonical.items() if height >= first}
    return lab.chain().canonical == wanted


async def test_a_follower_writes_every_block_and_every_reorg(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 5)
    follower = await lab.follow(0, node.url)

    while not node.done:
        await until(lambda: agrees(lab, node, 0), f"the log has the chain of step {node.view.step}")
        node.advance(7)
    await until(lambda: agrees(lab, node, 0), "the log has the last chain")
    await until(lambda: next_height(lab) == node.view.head + 1, "the cursor stands behind the last block")
    await follower.stop()

    chain = lab.chain()
    assert chain.misfits == []
    assert max(chain.final) == node.view.finalized


async def test_a_follower_tells_the_block_last_written_and_waits_for_the_head(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 40)
    told: list[tuple[int, set[str]]] = []

    def report(progress: Progress) -> None:
        written = max(lab.tail(), default=-1)
        told.append((progress.next_height - 1 - written, set(progress.waits.seconds)))

    follower = await lab.follow(0, node.url, progress=Progress(report=report))
    await until(lambda: agrees(lab, node, 0), "the log has the chain")
    await until(lambda: "head" in told[-1][1], "the follower waits for the head, and says so")
    await follower.stop()

    assert {behind for behind, _ in told} == {0}
    assert told[-1][1] == {"provider", "kafka", "postgres", "head"}


@pytest.mark.parametrize("steps", [REORG_5_DEEP, REORG_SAME_HEIGHT])
async def test_a_reorg_while_nobody_ran_is_undone_at_the_next_start(
    lab: Lab, node: FaultyNode, steps: tuple[int, int]
) -> None:
    before, after = steps
    at_step(node, before)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain before")
    await first.stop()

    at_step(node, after)
    second = await lab.follow(None, node.url)

    await until(lambda: agrees(lab, node, 30), "the log has the chain after")
    await second.stop()
    assert lab.chain().misfits == []
    assert lab.chain().reverted > 0


async def test_a_reorg_while_nobody_ran_is_undone_by_the_same_range(lab: Lab, node: FaultyNode) -> None:
    at_step(node, REORG_5_DEEP[0])
    await lab.range(30, 52, node.url)

    at_step(node, REORG_5_DEEP[1])
    await lab.range(30, 52, node.url)

    chain = lab.chain()
    assert chain.misfits == []
    assert chain.canonical == {height: node.view.canonical[height] for height in range(30, 53)}


async def test_after_an_outage_that_outlasted_finality_a_dead_branch_is_still_reverted(
    lab: Lab, node: FaultyNode
) -> None:
    at_step(node, REORG_5_DEEP[0])
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain before")
    await first.stop()

    at_step(node, LAST)
    second = await lab.follow(None, node.url)

    await until(lambda: agrees(lab, node, 30), "the log has the chain after")
    await second.stop()
    assert lab.chain().misfits == []
    assert lab.chain().reverted >= 4


@pytest.mark.parametrize("comes_back", [True, False], ids=["the chain comes back", "the chain stays"])
async def test_dying_at_any_write_of_a_reorg_leaves_a_log_that_the_next_start_mends(
    lab: Lab, node: FaultyNode, comes_back: bool
) -> None:
    """A settled log, a reorg five blocks deep, death at its first, second ... last write; then a start that lives."""
    at_step(node, REORG_5_DEEP[0])
    one, other = node.view, replace(at_step(node, REORG_5_DEEP[1]).view, finalized=node.view.finalized - 1)
    assert one.finalized == other.finalized
    crash = Crash()
    async with lab.parts(node.url, crash=crash) as (source, raw, tail):

        async def start(view: View, dies_at: int) -> bool:
            """Follow until the log agrees (True) or we died."""
            node.view, stopping = view, Stopping()
            crash.again(dies_at)
            job = asyncio.create_task(Ingest(lab.network, source, raw, tail, "one", stopping).follow(40))
            await until(lambda: job.done() or agrees(lab, node, 40), f"dead or done, dying at write {dies_at}")
            stopping.stop()
            ended = (await asyncio.gather(job, return_exceptions=True))[0]
            assert isinstance(ended, Crashed | Stopped), repr(ended)
            return isinstance(ended, Stopped)

        dies_at, lived = 1, False
        while not lived:
            assert await start(one, NEVER)
            lived = await start(other, dies_at)
            assert await start(one if comes_back else other, NEVER)
            assert lab.chain().misfits == []
            dies_at += 1

    assert dies_at > 15


async def test_rows_that_never_reached_the_log_are_appended_again(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 40)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")
    await first.stop()
    head, claim = node.view.head, lab.sql("SELECT claim_offset FROM ingest.leases")[0][0]
    node.advance()
    block = node.view.canonical[head + 1]
    lab.sql("INSERT INTO ingest.tail VALUES ('devnet', %s, %s, %s)", head + 1, block, node.view.canonical[head])

    second = await lab.follow(None, node.url)

    await until(lambda: agrees(lab, node, 30), "the log has the block that only the tail had")
    await second.stop()
    assert lab.chain().misfits == []
    assert lab.chain().claim > claim


async def test_rows_that_never_reached_the_log_are_appended_again_though_they_are_final_by_now(
    lab: Lab, node: FaultyNode
) -> None:
    """Below them are rows in the log that are final by now too: a network stood still here."""
    at_step(node, 40)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")
    await first.stop()
    last = at_step(node, LAST).view
    top = max(lab.tail())
    for height in range(top + 1, top + 4):
        block, parent = last.canonical[height], last.canonical[height - 1]
        lab.sql("INSERT INTO ingest.tail VALUES ('devnet', %s, %s, %s)", height, block, parent)
    assert last.finalized >= top + 3
    assert lab.tail()[top] == last.canonical[top]

    second = await lab.follow(None, node.url)

    await until(lambda: agrees(lab, node, 30), "the log has the chain")
    await second.stop()
    assert lab.chain().misfits == []
    assert min(lab.tail()) == last.finalized
    assert set(range(30, last.finalized + 1)) <= lab.chain().final


async def test_dead_rows_of_the_tail_are_reverted_without_harm(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 40)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")
    await first.stop()
    head = node.view.head
    lab.sql("INSERT INTO ingest.tail VALUES ('devnet', %s, %s, %s)", head + 1, "0x" + "ab" * 32, "0x" + "cd" * 32)

    at_step(node, 45)
    second = await lab.follow(None, node.url)

    await until(lambda: agrees(lab, node, 30), "the log has the chain, and nothing of the dead row")
    await second.stop()
    assert lab.chain().misfits == []


async def test_a_follower_that_sees_a_newer_claim_stops(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 40)
    follower = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")

    lab.write(op="claim", provider="a rival")

    with pytest.raises(LeaseLost, match="a rival"):
        await asyncio.wait_for(follower.task, 20)


async def test_of_two_followers_the_later_one_writes(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 40)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")

    second = await lab.follow(None, node.url)

    with pytest.raises(LeaseLost):
        await asyncio.wait_for(first.task, 20)
    at_step(node, LAST)
    await until(lambda: agrees(lab, node, 30), "the second one goes on")
    await second.stop()
    assert lab.chain().misfits == []


async def test_what_a_zombie_wrote_after_the_next_claim_is_not_believed(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 40)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")
    await first.stop()
    head, lease = node.view.head, lab.sql("SELECT claim_offset FROM ingest.leases")[0][0]
    node.advance()
    block, parent = node.view.canonical[head + 1], node.view.canonical[head]

    lab.write(op="claim", provider="a rival that died")
    late = lab.write(op="append", lease=lease, height=head + 1, hash=block, parent_hash=parent, finalized=head - 8)
    lab.sql("INSERT INTO ingest.tail VALUES ('devnet', %s, %s, %s, %s)", head + 1, block, parent, None)
    second = await lab.follow(None, node.url)

    await until(lambda: agrees(lab, node, 30), "the zombie's block is in the log, under a lease that counts")
    await second.stop()
    appended = [o for o, r in lab.records() if r["op"] == "append" and r["height"] == head + 1]
    assert appended[0] == late
    assert len(appended) > 1


async def test_a_reorg_deeper_than_finality_writes_nothing(lab: Lab, node: FaultyNode) -> None:
    at_step(node, 60)
    first = await lab.follow(30, node.url)
    await until(lambda: agrees(lab, node, 30), "the log has the chain")
    await first.stop()
    written = len(lab.messages())
    lab.sql("UPDATE ingest.tail SET hash = %s WHERE final", "0x" + "ee" * 32)

    second = await lab.follow(None, node.url)

    with pytest.raises(FinalityContradicted, match="Nothing was written"):
        await asyncio.wait_for(second.task, 20)
    assert len(lab.messages()) == written


async def test_blocks_that_do_not_become_canonical_are_claimed_anew(
    lab: Lab, node: FaultyNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.streams.ingest.jobs._DOUBT_EVERY_S", 0.3)
    at_step(node, 40)
    follower = await lab.follow(35, node.url)
    await until(lambda: agrees(lab, node, 35), "the log has the chain")
    read_to = lab.records()[-1][0]

    lab.sql("INSERT INTO ingest.heads (network, position, broken) VALUES ('devnet', %s, true)", read_to)

    def again() -> set[int]:
        claimed = lab.chain().claim
        return {r["height"] for o, r in lab.records() if o > claimed > read_to and r["op"] == "append"}

    unfinal = {height for height in node.view.canonical if height >= 35}
    await until(lambda: again() == unfinal, "another claim, and the unfinal blocks under it")
    await follower.stop()
    assert lab.chain().misfits == []
