"""Recorded mainnet blocks from nodes that answer in full, in part, or wrongly."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft.errors import ConfigError
from ft.streams.sources import Block, SourceError
from ft.streams.sources.evm.source import EvmSource
from tests.unit.streams.sources.nodes import Recorded, serving, source

HEIGHT = 17173050


async def _one(source: EvmSource, height: int) -> Block:
    blocks = [block async for block in source.blocks(height, height)]
    assert len(blocks) == 1
    return blocks[0]


def parts(block: Block) -> dict[str, Any]:
    return {part.name: json.loads(part.bytes) for part in block.parts}


async def test_a_block_comes_with_its_receipts_proven(fixtures: Path) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)

    async with serving(node) as url, source("ethereum", url) as evm:
        block = await _one(evm, HEIGHT)

    assert block.proof == "receipts"
    assert (block.height, block.hash, block.parent_hash) == (HEIGHT, node.block["hash"], node.block["parentHash"])
    assert block.time == int(node.block["timestamp"], 16)
    assert parts(block) == {"block": node.block, "receipts": node.receipts}
    assert block.logs == sum(len(receipt["logs"]) for receipt in node.receipts)


@pytest.mark.parametrize("height", [10_000_000, 20_000_000])
async def test_polygons_state_sync_receipt_is_a_part_of_its_own(fixtures: Path, height: int) -> None:
    node = Recorded(fixtures, "polygon", height)

    async with serving(node) as url, source("polygon", url) as evm:
        block = await _one(evm, height)

    assert block.proof == "receipts"
    assert parts(block)["receipts"] == node.receipts[:-1]
    assert parts(block)["state_sync"] == node.receipts[-1:]


async def test_a_state_sync_receipt_that_the_node_left_out_is_asked_for_by_its_hash(fixtures: Path) -> None:
    node = Recorded(fixtures, "polygon", 10_000_000)
    node.spoil["eth_getBlockReceipts"] = lambda receipts: receipts[:-1]

    async with serving(node) as url, source("polygon", url) as evm:
        block = await _one(evm, 10_000_000)

    assert parts(block)["state_sync"] == node.receipts[-1:]


@pytest.mark.parametrize("slug_and_height", [("ethereum", HEIGHT), ("polygon", 50_000_000)])
async def test_without_block_receipts_each_transaction_is_asked_for(
    fixtures: Path, slug_and_height: tuple[str, int]
) -> None:
    node = Recorded(fixtures, *slug_and_height)
    node.without = {"eth_getBlockReceipts"}

    async with serving(node) as url, source(slug_and_height[0], url) as evm:
        block = await _one(evm, node.height)
        again = await _one(evm, node.height)

    assert block.proof == "receipts"
    assert again.parts == block.parts
    assert node.calls.count("eth_getBlockReceipts") == 1, "what a node does not have is not asked for twice"


async def test_without_any_receipts_the_logs_are_checked_against_the_bloom(fixtures: Path) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)
    node.without = {"eth_getBlockReceipts", "eth_getTransactionReceipt"}

    async with serving(node) as url, source("ethereum", url) as evm:
        block = await _one(evm, HEIGHT)

    assert block.proof == "logs"
    assert parts(block)["logs"] == [log for receipt in node.receipts for log in receipt["logs"]]


def without_a_log(receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    next(receipt for receipt in receipts if receipt["logs"])["logs"].pop()
    return receipts


def with_other_data(receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    next(receipt for receipt in receipts if receipt["logs"])["logs"][0]["data"] = "0x" + "00" * 31 + "07"
    return receipts


@pytest.mark.parametrize("spoil", [without_a_log, with_other_data, lambda receipts: receipts[:-1]])
async def test_receipts_that_do_not_make_the_root_lead_to_those_one_by_one(
    fixtures: Path, spoil: Callable[[Any], Any]
) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)
    node.spoil["eth_getBlockReceipts"] = spoil

    async with serving(node) as url, source("ethereum", url) as evm:
        block = await _one(evm, HEIGHT)

    assert block.proof == "receipts"
    assert parts(block)["receipts"] == node.receipts


@pytest.mark.parametrize("spoil", [without_a_log, with_other_data, lambda receipts: receipts[:-1]])
async def test_receipts_that_do_not_make_the_root_in_any_way_send_us_to_the_next_provider(
    fixtures: Path, spoil: Callable[[Any], Any]
) -> None:
    wrong, right = Recorded(fixtures, "ethereum", HEIGHT), Recorded(fixtures, "ethereum", HEIGHT)
    wrong.spoil["eth_getBlockReceipts"] = spoil
    wrong.spoil["eth_getTransactionReceipt"] = lambda receipt: receipt | {"status": "0x0"}

    async with serving(wrong) as first, serving(right) as second, source("ethereum", first, second) as evm:
        block = await _one(evm, HEIGHT)

    assert parts(block)["receipts"] == right.receipts
    assert f"http://{block.provider}" == second


async def test_where_no_provider_proves_a_block_the_error_names_block_and_providers(
    fixtures: Path, quick: None
) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)
    node.spoil["eth_getBlockReceipts"] = with_other_data
    node.spoil["eth_getTransactionReceipt"] = lambda receipt: receipt | {"status": "0x0"}
    node.spoil["eth_getLogs"] = lambda logs: [log | {"address": "0x" + "12" * 20} for log in logs]

    async with serving(node) as url, source("ethereum", url) as evm:
        with pytest.raises(SourceError, match="receiptsRoot") as caught:
            await _one(evm, HEIGHT)

    assert str(HEIGHT) in str(caught.value)
    assert url.removeprefix("http://") in str(caught.value)


async def test_a_log_missing_from_the_fallback_is_seen_too(fixtures: Path, quick: None) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)
    node.without = {"eth_getBlockReceipts", "eth_getTransactionReceipt"}
    node.spoil["eth_getLogs"] = lambda logs: [log for log in logs if log["address"] != logs[0]["address"]]

    async with serving(node) as url, source("ethereum", url, give_up_s=0.5) as evm:
        with pytest.raises(SourceError, match="logsBloom"):
            await _one(evm, HEIGHT)


async def test_a_node_that_takes_no_batches_is_asked_one_by_one(fixtures: Path) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)
    node.batches = False

    async with serving(node) as url, source("ethereum", url) as evm:
        block = await _one(evm, HEIGHT)

    assert block.proof == "receipts"


async def test_a_node_of_another_chain_is_refused_and_both_chains_are_named(fixtures: Path) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)

    async with serving(node) as url:
        with pytest.raises(ConfigError, match=r"polygon \(chain id 137\), got chain id 1\b"):
            async with source("polygon", url):
                pass


async def test_one_wrong_provider_among_right_ones_is_refused_as_well(fixtures: Path) -> None:
    right, wrong = Recorded(fixtures, "ethereum", HEIGHT), Recorded(fixtures, "polygon", 10_000_000)

    async with serving(right) as first, serving(wrong) as second:
        with pytest.raises(ConfigError, match="got chain id 137"):
            async with source("ethereum", first, second):
                pass


async def test_a_recorded_node_that_knows_one_block_has_no_head_and_no_marks(fixtures: Path) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)

    async with serving(node) as url, source("ethereum", url) as evm:
        marks = await evm.marks()
        blocks = [block.height async for block in evm.blocks(HEIGHT, HEIGHT + 3)]
        hashes = await evm.hashes([HEIGHT - 1, HEIGHT])

    assert (marks.head, marks.safe, marks.finalized) == (-1, -1, -1)
    assert blocks == [HEIGHT]
    assert hashes == {HEIGHT - 1: None, HEIGHT: node.block["hash"]}


async def test_a_url_without_an_http_provider_names_the_remedy() -> None:
    with pytest.raises(ConfigError, match="--rpc"):
        async with source("ethereum", "wss://node.invalid"):
            pass


async def test_the_providers_name_holds_no_key(fixtures: Path) -> None:
    node = Recorded(fixtures, "ethereum", HEIGHT)

    async with serving(node) as url, source("ethereum", f"{url}/v2/a-secret-key") as evm:
        block = await _one(evm, HEIGHT)

    assert "secret" not in block.provider
