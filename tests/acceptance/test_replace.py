"""`ft replace`: final blocks corrected by the operator, beside a running pipeline."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from ft import children
from ft.children import FT
from ft.demo.node import ReplayNode, replaying
from ft.networks import load_networks
from ft.schemas.events import RawPart
from ft.stopping import Stopping
from ft.streams.ingest.raw_log import NO_LEASE, RawLog
from ft.streams.ingest.replace import Replace
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.sources import Block
from ft.streams.sources.evm.source import open_evm
from tests.acceptance.chains import LiveChain
from tests.acceptance.conftest import Chains
from tests.acceptance.pipeline import START_S, STEP_S, Pipeline
from tests.acceptance.test_logs import scraped
from tests.acceptance.test_trust import becomes_proven, integrity, quarantined, story
from tests.devnet.contracts import Contract
from tests.devnet.faulty_node import Faults, FaultyNode
from tests.integration.streams.ingest.conftest import Crash, Crashed, DyingRawLog
from tests.rules import firing

NETWORKS = ("unproven", "promised", "holes", "limits", "beside", "interrupted", "busy", "young")
OLDER = """
import runpy, sys
from ft.agents.decode import erc2309
erc2309.RANGE_IDS_MAX = 10
sys.argv = ["faust", "-A", "ft", "worker"]
runpy.run_module("faust", run_name="__main__")
"""
"""A worker of a version that takes shorter ranges."""


def replace(pipeline: Pipeline, network: str, url: str, first: int, last: int, *options: str) -> Any:
    """`ft replace` to its end; what it said is in stdout and stderr."""
    words = ["replace", network, "--rpc", url, "--from", str(first), "--to", str(last), *options]
    return subprocess.run(
        [sys.executable, *FT, *words], env=pipeline.environ(), capture_output=True, text=True, timeout=120, check=False
    )


def events(chain: LiveChain, query: str) -> list[tuple[Any, ...]]:
    return chain.pipeline.sql(query, network=chain.network)


def live_rows(chain: LiveChain) -> list[tuple[Any, ...]]:
    """Every live event: its id, its block, its revision."""
    return events(
        chain,
        "SELECT tx_hash, contract, topic0, n, sub_index, block_number, revision FROM ledger.normalized_events"
        " WHERE network = %(network)s ORDER BY 1, 2, 3, 4, 5",
    )


def test_a_block_read_from_logs_is_replaced_from_receipts(live: Chains) -> None:
    chain = live("unproven")
    apes, _ = story(chain)
    recording, last = chain.served_later(), chain.node.head()
    with replaying(
        FaultyNode(recording, Faults(without={"eth_getBlockReceipts", "eth_getTransactionReceipt"}))
    ) as poor:
        chain.pipeline.ingest("unproven", poor.url, first=0, last=last)
        chain.caught_up()
        before = live_rows(chain)
        assert integrity(chain, apes) == "unproven"
        end = chain.pipeline.raw_end("unproven")

        with replaying(ReplayNode(recording)) as node:
            tried = replace(chain.pipeline, "unproven", node.url, 0, last, "--dry-run")
            assert (tried.returncode, chain.pipeline.raw_end("unproven")) == (0, end), tried.stderr
            done = replace(chain.pipeline, "unproven", node.url, 0, last)
        worse = replace(chain.pipeline, "unproven", poor.url, 0, last)

    assert "blocks 1 to 2: the same block, proof logs -> receipts, " in tried.stdout
    assert f"to {last}: the same block, read anew, proof receipts, 0 logs" in tried.stdout  # none of them has a receipt
    assert "nothing was written" in tried.stdout
    assert done.returncode == 0, done.stderr
    assert "normalize has read them" in done.stderr
    assert worse.returncode == 1
    assert "in the log with proof receipts, the node gives logs only" in worse.stderr
    chain.caught_up()
    after = live_rows(chain)
    assert [row[:-1] for row in after] == [row[:-1] for row in before]
    assert [row[-1] for row in after] == [row[-1] + 2 for row in before]
    becomes_proven(chain, apes)
    assert chain.owner(apes, 0) == chain.devnet.accounts[2]
    assert chain.pipeline.raw_end("unproven") == end + 2 * (last + 1)
    chain.pipeline.verify()


def test_a_chain_that_broke_its_promise_is_replaced_and_followed_on(live: Chains) -> None:
    chain = live("promised", slots_in_an_epoch=1)
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    node.mine(2)
    apes.transfer(alice, carol, 0)
    again = apes.transfer(bob, carol, 1)
    node.mine(4)
    ingest = pipeline.follow("promised", node.rpc_url, first=0)
    chain.caught_up()
    pipeline.until(lambda: chain.history(apes, 1)[-1]["finality_status"] == "finalized", "the transfers to be final")
    (first,) = chain.transfers(again)
    (standing,) = events(chain, "SELECT height FROM ingest.tail WHERE network = %(network)s AND final")[0]
    beside = replace(pipeline, "promised", node.rpc_url, standing, standing)
    reorg = node.reorg(8, [(again, 0)])
    assert ingest.wait(STEP_S) == 1
    pipeline.until(lambda: firing("FinalityContradicted", [scraped(pipeline)]) != [], "the metric")
    said = re.search(r"`ft replace promised --from (\d+) --to (\d+)` makes the log agree", ingest.log.read_text())
    reasons = {(reason["reason"], reason["network"]) for reason in pipeline.get("status")["reasons"]}
    parted, final = reorg.ancestor + 1, int(node.block("finalized")["number"], 16)

    short = replace(pipeline, "promised", node.rpc_url, parted + 3, final)
    low = replace(pipeline, "promised", node.rpc_url, parted, parted)
    advised = replace(pipeline, "promised", node.rpc_url, parted, standing, "--dry-run")
    done = replace(pipeline, "promised", node.rpc_url, parted, final)

    assert firing("FinalityContradicted", [scraped(pipeline)]) == [{"network": "promised"}]
    assert ("finality_contradicted", "promised") in reasons
    assert said is not None
    assert (int(said[1]), int(said[2])) == (parted, standing)
    assert advised.returncode == 0, advised.stderr
    assert beside.returncode == 1
    assert f"a running `ft ingest` stands on block {standing}: stop it" in beside.stderr
    assert (short.returncode, low.returncode) == (1, 1)
    assert f"begin there, --from {parted}." in short.stderr
    assert "Go on higher: --to " in low.stderr
    assert done.returncode == 0, done.stderr
    assert f"blocks {parted} to {final}: another block" in done.stdout
    assert f"blocks {final + 1} to {node.head()}: not final, and stand on a block that is gone" in done.stdout
    pipeline.follow("promised", node.rpc_url)
    chain.agrees(apes, tokens=range(2))
    assert (chain.owner(apes, 0), chain.owner(apes, 1)) == (alice, carol)
    (after,) = chain.transfers(again)
    assert (after["transfer_id"], after["revision"]) == (first["transfer_id"], first["revision"] + 2)
    assert after["block_number"] < first["block_number"]
    pipeline.verify()


def test_a_quarantined_block_is_read_anew(live: Chains) -> None:
    chain = live("holes")
    apes, moved = story(chain)
    with replaying(ReplayNode(chain.served_later())) as node:
        asyncio.run(write_broken(chain, node.url, moved))
        chain.pipeline.caught_up("holes")
        holes = quarantined(chain)
        owner = chain.owner(apes, 0)

        done = replace(chain.pipeline, "holes", node.url, moved, moved)

    assert (holes, owner) == (1, chain.devnet.accounts[1])
    assert done.returncode == 0, done.stderr
    assert "1 quarantined entries of these blocks were read anew" in done.stdout
    chain.pipeline.caught_up("holes")
    assert quarantined(chain) == 0
    assert chain.owner(apes, 0) == chain.devnet.accounts[2]
    becomes_proven(chain, apes)
    chain.pipeline.verify()


def test_a_log_past_a_limit_that_was_raised_later_is_read_anew(live: Chains, pipeline: Pipeline) -> None:
    chain = live("limits")
    alice, bob = chain.devnet.accounts[1:3]
    pipeline.stop_workers()
    pipeline.workers.append(children.start(pipeline.config, "worker-older", ("-c", OLDER)))
    drop = chain.devnet.erc721a(alice, 20)
    minted = chain.node.head()
    drop.mint(bob, 1)
    with replaying(ReplayNode(chain.served_later())) as node:
        pipeline.ingest("limits", node.url, first=0, last=chain.node.head())
        pipeline.until(lambda: chain.owner(drop, 20) == bob, "the older worker to read the chain", START_S)
        before = (quarantined(chain), chain.owner(drop, 7), integrity_of(chain, drop, 20))
        pipeline.stop_workers()
        pipeline.start_worker()

        done = replace(pipeline, "limits", node.url, minted, minted)

    assert before == (1, None, "partial_history")
    assert done.returncode == 0, done.stderr
    assert "1 quarantined entries of these blocks were read anew" in done.stdout
    pipeline.caught_up("limits")
    assert quarantined(chain) == 0
    assert [chain.owner(drop, token) for token in (0, 7, 19, 20)] == [alice, alice, alice, bob]
    pipeline.until(lambda: {integrity_of(chain, drop, token) for token in (7, 20)} == {"proven"}, "the recount")
    assert events(chain, "SELECT DISTINCT state FROM ingest.quarantine WHERE network = %(network)s") == [("reverted",)]
    pipeline.verify()


def integrity_of(chain: LiveChain, contract: Contract, token: int) -> str:
    return str(chain.pipeline.get(f"assets/{chain.asset(contract, token)}")["integrity"])


def test_lower_blocks_are_replaced_while_a_follower_goes_on(live: Chains) -> None:
    chain = live("beside", slots_in_an_epoch=1)
    pipeline, node = chain.pipeline, chain.node
    apes, moved = story(chain)
    bob, carol = chain.devnet.accounts[2:4]
    node.mine(4)
    follower = pipeline.follow("beside", node.rpc_url, first=0)
    chain.agrees(apes, tokens=range(1))
    before = live_rows(chain)

    apes.transfer(bob, carol, 0)
    done = replace(pipeline, "beside", node.rpc_url, 1, moved)
    apes.transfer(carol, bob, 0)

    assert done.returncode == 0, done.stderr
    chain.agrees(apes, tokens=range(1))
    assert chain.owner(apes, 0) == bob
    assert follower.running
    after = {row[:-1]: row[-1] for row in live_rows(chain)}
    assert [after[row[:-1]] for row in before] == [row[-1] + 2 for row in before]
    assert len(after) == len(before) + 2
    becomes_proven(chain, apes)
    assert events(chain, "SELECT count(*) FROM system.dlq WHERE network = %(network)s") == [(0,)]
    pipeline.verify()


async def write_broken(chain: LiveChain, url: str, broken: int) -> None:
    """The whole chain in the log; one block in a way that nobody can decode."""
    config = chain.pipeline.config
    raw = await RawLog.open(config, chain.network)
    async with open_evm(load_networks(config.networks_file)[chain.network], [url]) as source:
        marks = await source.marks()
        async for block in source.blocks(0, marks.head):
            found = block if block.height != broken else unreadable(block)
            raw.append(found, marks, lease=NO_LEASE, covers_from=0, starts_range=block.height == 0)
    await raw.acknowledged()
    raw.close()


def unreadable(block: Block) -> Block:
    parts = tuple(RawPart(name=part.name, encoding=part.encoding, bytes=b"{}") for part in block.parts)
    return Block(
        height=block.height, hash=block.hash, parent_hash=block.parent_hash, time=block.time, proof=block.proof,
        provider=block.provider, parts=parts,
    )  # fmt: skip


class DyingReplace(Replace):
    crash: Crash

    async def _rows(self, name: str, **values: object) -> Sequence[tuple[Any, ...]]:
        writes = name in ("begin", "move_anchor", "finish")
        if writes:
            self.crash.point()
        found = await super()._rows(name, **values)
        if writes:
            self.crash.point()
        return found


async def replace_until(chain: LiveChain, url: str, first: int, last: int, at: int) -> None:
    """A replace that dies at the write of this number."""
    config, network, crash = chain.pipeline.config, load_networks(chain.pipeline.config.networks_file), Crash()
    raw = await DyingRawLog.open(config, chain.network)
    raw.crash = crash
    tail = UnfinalizedBlocks(config, chain.network, raw.topic_id, "dying")
    async with open_evm(network[chain.network], [url]) as source:
        job = DyingReplace(config, network[chain.network], source, raw, tail, Stopping())
        job.crash = crash
        crash.again(at)
        try:
            await job.run(first, last)
        finally:
            await job.close()
            await tail.close()
            await RawLog.acknowledged(raw)
            raw.close()


def test_a_replace_that_dies_at_every_write_is_finished_by_the_same_again(live: Chains) -> None:
    chain = live("interrupted")
    apes, moved = story(chain)
    recording, head = chain.served_later(), chain.node.head()
    with replaying(ReplayNode(recording)) as node:
        chain.pipeline.ingest("interrupted", node.url, first=0, last=head)
        chain.caught_up()
        before = live_rows(chain)

        died = 0
        for at in range(1, 40):
            try:
                asyncio.run(replace_until(chain, node.url, moved - 1, moved + 1, at))
                break
            except Crashed:
                died += 1

    # begin, three reverts, acknowledged, three appends, acknowledged, anchor, finish: each before, some after too
    assert died >= 13
    chain.caught_up()
    assert [row[:-1] for row in live_rows(chain)] == [row[:-1] for row in before]
    assert chain.owner(apes, 0) == chain.devnet.accounts[2]
    becomes_proven(chain, apes)
    assert events(chain, "SELECT count(*) FROM system.sync_cursors WHERE starts_with(job, 'replace:')") == [(0,)]
    assert events(chain, "SELECT count(*) FROM system.dlq WHERE network = %(network)s") == [(0,)]
    chain.pipeline.verify()


def test_two_at_a_time_are_refused(live: Chains) -> None:
    chain = live("busy")
    story(chain)
    with replaying(ReplayNode(chain.served_later())) as node:
        chain.pipeline.ingest("busy", node.url, first=0, last=3)
        conn = "SELECT pg_advisory_lock(hashtextextended('ft replace ' || %(network)s, 0))"
        with psycopg.connect(chain.pipeline.config.postgres, autocommit=True) as other:
            other.execute(conn, {"network": "busy"})
            refused = replace(chain.pipeline, "busy", node.url, 1, 2)
        done = replace(chain.pipeline, "busy", node.url, 1, 2)

    assert refused.returncode == 1
    assert "another `ft replace` of this network is at work" in refused.stderr
    assert done.returncode == 0, done.stderr


def test_what_is_not_final_is_left_to_the_follower(live: Chains) -> None:
    chain = live("young", slots_in_an_epoch=4)
    story(chain)
    head = chain.node.head()
    chain.pipeline.ingest("young", chain.node.rpc_url, first=0, last=head)
    chain.caught_up()

    at_node = replace(chain.pipeline, "young", chain.node.rpc_url, head, head)
    with replaying(ReplayNode(chain.served_later())) as node:
        in_log = replace(chain.pipeline, "young", node.url, head, head)

    assert (at_node.returncode, in_log.returncode) == (1, 1)
    assert "What is not final is corrected by `ft ingest young --follow`" in at_node.stderr
    assert f"block {head} is not final in the log, although it is at the node" in in_log.stderr


def test_without_a_worker_nothing_is_written(live: Chains, pipeline: Pipeline) -> None:
    chain = live("young", slots_in_an_epoch=1)
    chain.node.mine(6)
    pipeline.stop_workers()
    pipeline.ingest("young", chain.node.rpc_url, first=0, last=0)
    end = pipeline.raw_end("young")

    refused = replace(pipeline, "young", chain.node.rpc_url, 0, 0, "--wait", "0.5")

    assert refused.returncode == 1
    assert "Nothing was written. Start a worker (`faust -A ft worker`)" in refused.stderr
    assert pipeline.raw_end("young") == end
