"""Recorded mainnet blocks and a recorded devnet, each from a node through the whole pipeline to the API's answers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ft.demo.node import ReplayNode, replaying
from tests.acceptance import recorded
from tests.acceptance.pipeline import Pipeline
from tests.acceptance.recorded import RecordedBlock
from tests.devnet.contracts import ZERO
from tests.devnet.faulty_node import Faults, FaultyNode

NETWORKS = ("recorded-devnet",)
Blocks = list[RecordedBlock]


@pytest.fixture(scope="module")
def blocks(fixtures: Path, pipeline: Pipeline) -> Blocks:
    """Every recorded mainnet block, ingested one by one, in an order that is not the chain's."""
    found = list(recorded.recorded_blocks(fixtures))
    ingest_all(pipeline, found)
    return found


def ingest_all(pipeline: Pipeline, blocks: Blocks) -> None:
    """A run of ``ft ingest`` a block; networks side by side."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda network: _ingest(pipeline, blocks, network), recorded.CHAIN_IDS))
    for network in recorded.CHAIN_IDS:
        pipeline.caught_up(network)


def _ingest(pipeline: Pipeline, blocks: Blocks, network: str) -> None:
    one_by_one = Faults(without={"eth_getBlockReceipts"})
    for by_transaction in (False, True):
        served = [each for each in blocks if (each.network, each.by_transaction) == (network, by_transaction)]
        if served:
            faults = one_by_one if by_transaction else Faults()
            with replaying(FaultyNode(recorded.recording(served), faults)) as node:
                for each in served:
                    pipeline.ingest(network, node.url, first=each.number, last=each.number)


def number(block: RecordedBlock) -> int:
    return block.number


def transfers(pipeline: Pipeline, block: RecordedBlock, limit: int = 100) -> list[list[dict[str, Any]]]:
    """A block's movements, page by page."""
    at = {"network": block.network, "block_from": block.number, "block_to": block.number}
    return pipeline.pages("transfers", limit=limit, **at)


def test_the_events_of_each_block_are_those_of_the_reference_decode(pipeline: Pipeline, blocks: Blocks) -> None:
    known = [each for each in blocks if each.reference is not None]

    for block in known:
        (page,) = transfers(pipeline, block)
        assert recorded.moves(page) == recorded.reference_moves(block.reference or [])
    assert len(known) == 3


def test_a_block_without_a_reference_has_an_event_for_every_log_of_its_shape(
    pipeline: Pipeline, blocks: Blocks
) -> None:
    for block in blocks:
        found = {(each["contract"], each["log_index"]) for page in transfers(pipeline, block) for each in page}
        assert found == recorded.nft_logs(block), (block.network, block.number)
    assert sum(len(recorded.nft_logs(block)) for block in blocks) > 80


def test_each_token_is_where_its_last_event_put_it(pipeline: Pipeline, blocks: Blocks) -> None:
    reference = [(each.network, move) for each in sorted(blocks, key=number) for move in each.reference or []]
    last = {(network, move["contract"], move["token_id"]): move for network, move in reference if move["item"] == 0}

    single = {key: move["to"] for key, move in last.items() if move["kind"] == "erc721" and move["to"] != ZERO}
    held = {key: pipeline.get("assets/" + ":".join(key))["ownership"]["holder"] for key in single}

    assert held == single
    assert len(held) > 10


def test_pages_of_a_blocks_events_join_to_the_whole(pipeline: Pipeline, blocks: Blocks) -> None:
    largest = max(blocks, key=lambda each: len(each.receipts))
    assert len(largest.receipts) > 1 << 20
    (whole,) = transfers(pipeline, largest)

    pages = transfers(pipeline, largest, limit=7)

    assert [len(page) for page in pages] == [7, 7, 7, 7, 5]
    assert [each for page in pages for each in page] == whole
    places = [(each["log_index"], each["sub_index"]) for each in whole]
    assert places == sorted(places, reverse=True)


def test_nothing_is_quarantined_and_no_holding_claims_a_whole_history(pipeline: Pipeline, blocks: Blocks) -> None:
    status = {each["network"]: each for each in pipeline.get("status")["networks"]}

    assert {status[network]["quarantined"] for network in recorded.CHAIN_IDS} == {0}
    contracts = {(block.network, contract) for block in blocks for contract, _ in recorded.nft_logs(block)}
    for network, contract in sorted(contracts):
        assert pipeline.get(f"collections/{network}:{contract}")["integrity"] == "partial_history"
        for asset in pipeline.all(f"collections/{network}:{contract}/assets"):
            assert asset["integrity"] == "partial_history"
    assert pipeline.sql("SELECT DISTINCT proof FROM ingest.blocks") == [("receipts",)]
    assert pipeline.sql("SELECT count(*) FROM system.dlq") == [(0,)]


def test_the_same_blocks_again_change_nothing(pipeline: Pipeline, blocks: Blocks) -> None:
    def everything() -> list[object]:
        events = pipeline.sql("SELECT count(*) FROM ledger.events WHERE op IN ('apply', 'revert')")
        return [events, *(transfers(pipeline, block) for block in blocks)]

    before = everything()

    ingest_all(pipeline, [each for each in blocks if each.reference is not None or each.by_transaction])

    assert everything() == before
    pipeline.verify()


def test_a_recorded_devnet_gives_the_balances_that_its_contracts_named(pipeline: Pipeline, fixtures: Path) -> None:
    recording, document = recorded.devnet(fixtures)
    contracts = {name: address.lower() for name, address in document["contracts"].items()}
    expected, network = document["expected"], "recorded-devnet"

    with replaying(ReplayNode(recording)) as node:
        pipeline.ingest(network, node.url, first=0, last=recording.steps[-1].head)
    pipeline.caught_up(network)

    drop = f"{network}:{contracts['erc2309']}"
    stats = pipeline.get(f"collections/{drop}")
    assert (stats["stats"]["supply"], stats["integrity"]) == (str(expected["erc2309_supply"]), "proven")
    holder = pipeline.get(f"assets/{drop}:42")["ownership"]["holder"]
    assert holder == expected["erc2309_owner_of_42"].lower()
    assert pipeline.get(f"assets/{drop}:{expected['erc2309_burned']}")["ownership"] is None
    held = {e["owner"]: e["quantity"] for e in pipeline.all(f"assets/{network}:{contracts['erc1155']}:5/owners")}
    accounts = {name: document["accounts"][name].lower() for name in ("A", "B")}
    assert held == {accounts[name]: expected[f"erc1155_{name}_balance_of_5"] for name in accounts}
    pipeline.verify()
