"""Processes that die in the middle of things, and caches that are gone: the same result as without."""

import shutil
import signal
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import Chains
from tests.acceptance.pipeline import START_S, Pipeline

pytestmark = pytest.mark.usefixtures("worker")

NETWORKS = ("killed", "rebuilt", "unsaved", "cacheless")
NAMED = ("transfer_id", "asset_id", "network", "revision")
FIGURES = ("owners", "assets", "supply", "transfers", "mints", "burns")
"""Not first_block and last_block: they count events that were retracted."""
JOURNAL = "SELECT count(*) FROM ledger.events WHERE network = 'unsaved' AND op IN ('apply', 'revert')"
HOLES = "SELECT count(*) FROM ingest.quarantine WHERE network = 'unsaved'"


def test_a_worker_and_an_ingestion_killed_in_a_reorg_within_a_reorg_come_to_the_chains_state(live: Chains) -> None:
    chain = live("killed")
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes, items = chain.devnet.erc721(), chain.devnet.erc1155()
    for _ in range(4):
        apes.mint(alice)
    items.mint_batch(alice, [1, 2, 3], [10, 10, 10])
    ingest = pipeline.follow("killed", node.rpc_url, first=0)
    kept = [apes.transfer(alice, bob, token) for token in range(3)]
    batch = items.batch_transfer(alice, carol, [1, 2, 3], [1, 2, 3])
    apes.transfer(bob, carol, 0)
    chain.agrees(apes, items, tokens=range(4))

    # The first reorg, as the worker dies: some of it is produced, some of it committed.
    before = pipeline.raw_end("killed")
    node.reorg(5, [(kept[0], 0), (kept[1], 2), (kept[2], 2), (batch, 3)])
    pipeline.until(lambda: pipeline.raw_end("killed") > before, "the first revert of the reorg")
    pipeline.kill_workers()
    ingest.kill(signal.SIGKILL)
    ingest.wait(10)
    # The second within it, while nobody looks; then the source dies again on its way.
    node.reorg(3, [(kept[1], 1)])
    before = pipeline.raw_end("killed")
    ingest = pipeline.follow("killed", node.rpc_url)
    pipeline.start_worker()
    pipeline.until(lambda: pipeline.raw_end("killed") > before + 1, "the source to write", START_S)
    ingest.kill(signal.SIGKILL)
    ingest.wait(10)
    pipeline.kill_workers()
    node.reorg(2, [])
    apes.transfer(alice, carol, 3)
    pipeline.follow("killed", node.rpc_url)
    pipeline.start_worker()

    pipeline.until(lambda: chain.owner(apes, 3) == carol, "the last transfer", START_S)
    chain.agrees(apes, items, tokens=range(4))
    pipeline.verify()

    # And it is what a reader of the final chain alone would hold.
    pipeline.ingest("rebuilt", node.rpc_url, first=0, last=node.head())
    pipeline.caught_up("rebuilt")
    assert facts(pipeline, "killed") == facts(pipeline, "rebuilt")


def test_a_normalizer_killed_between_sending_a_reorg_and_saving_that_it_did_sends_it_again_in_vain(
    live: Chains,
) -> None:
    chain = live("unsaved")
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    pipeline.follow("unsaved", node.rpc_url, first=0)
    chain.agrees(apes)
    pipeline.stop_workers()
    head = pipeline.raw_end("unsaved")
    with chain.devnet.block():
        apes.transfer(alice, carol, 0)
        moved = apes.transfer(bob, carol, 1)
    pipeline.until(lambda: tail(pipeline, "unsaved") == node.block_hash(node.head()), "the block to be sent")
    node.reorg(1, [(moved, 0)])
    pipeline.until(lambda: tail(pipeline, "unsaved") == node.block_hash(node.head()), "the other block to be sent")
    assert pipeline.raw_end("unsaved") >= head + 3  # an append, its revert, an append

    with psycopg.connect(pipeline.config.postgres) as conn:
        conn.execute("LOCK TABLE ingest.blocks IN EXCLUSIVE MODE")  # the normalizer sends, and cannot commit
        pipeline.start_worker()
        pipeline.until(lambda: chain.owner(apes, 1) == carol, "the ledger to have the reorg", START_S)
        pipeline.kill_workers()
    saved = pipeline.sql("SELECT max(number) FROM ingest.blocks WHERE network = 'unsaved'")
    pipeline.start_worker()

    chain.agrees(apes)
    assert saved == [(node.head() - 1,)]
    assert [pipeline.sql(statement) for statement in (JOURNAL, HOLES)] == [[(7,)], [(0,)]]
    assert [each["revision"] for each in chain.transfers(moved)] == [3]
    pipeline.verify()


def test_workers_whose_rocksdb_folders_were_deleted_come_to_the_same_result(live: Chains) -> None:
    chain = live("cacheless")
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes, items = chain.devnet.erc721(), chain.devnet.erc1155()
    apes.mint(alice)
    items.mint(alice, 1, 10)
    pipeline.follow("cacheless", node.rpc_url, first=0)
    moved = apes.transfer(alice, bob, 0)
    items.transfer(alice, bob, 1, 4)
    chain.agrees(apes, items, tokens=range(3))

    pipeline.stop_workers()
    folders = [each for each in (pipeline.config.home / "rocksdb").iterdir() if each.is_dir()]
    for folder in folders:
        shutil.rmtree(folder)
    pipeline.start_worker()
    node.reorg(2, [(moved, 1)])
    items.transfer(alice, carol, 1, 7)

    pipeline.until(lambda: chain.balances(items, 1) == {alice: 3, carol: 7}, "the last transfer", START_S)
    chain.agrees(apes, items, tokens=range(3))
    assert [each["revision"] for each in chain.transfers(moved)] == [3]
    assert folders
    pipeline.verify()


def tail(pipeline: Pipeline, network: str) -> str:
    """Hash of the highest block that the source has in the log."""
    statement = "SELECT hash FROM ingest.tail WHERE network = %(network)s AND raw_offset IS NOT NULL"
    return str(pipeline.sql(f"{statement} ORDER BY height DESC LIMIT 1", network=network)[0][0])


def facts(pipeline: Pipeline, network: str) -> list[Any]:
    """All that the API says of a network, but for its name, and for how often an event has come and gone."""
    transfers = pipeline.all("transfers", network=network)
    moves = [{k: v for k, v in each.items() if k not in NAMED} for each in transfers]
    contracts = sorted({each["contract"] for each in transfers})
    collections = [pipeline.get(f"collections/{network}:{contract}") for contract in contracts]
    assets = [asset for contract in contracts for asset in pipeline.all(f"collections/{network}:{contract}/assets")]
    held = [(each["contract"], each["token_id"], each["supply"], each["owners"], each["integrity"]) for each in assets]
    holders = [pipeline.all(f"assets/{network}:{contract}:{token}/owners") for contract, token, *_ in held]
    owners = [(each["owner"], each["quantity"], each["acquired_at"]) for page in holders for each in page]
    figures = [{k: each["stats"][k] for k in FIGURES} for each in collections]
    return [moves, held, owners, figures, [each["integrity"] for each in collections]]
