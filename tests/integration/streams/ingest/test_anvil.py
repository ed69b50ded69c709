"""Following a real node: real receipts, real reorgs, new heads over a WebSocket."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.devnet.contracts import Devnet
from tests.devnet.node import Anvil
from tests.integration.streams.ingest.conftest import Lab
from tests.integration.waiting import until


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil() as running:
        yield running


def agrees(lab: Lab, anvil: Anvil) -> bool:
    """Whether the log has the node's chain, whole."""
    canonical = lab.chain().canonical
    return sorted(canonical) == list(range(anvil.head() + 1)) and all(
        anvil.block_hash(height) == block for height, block in canonical.items()
    )


async def test_a_real_nodes_blocks_and_reorgs_are_followed(lab: Lab, anvil: Anvil) -> None:
    devnet = await asyncio.to_thread(Devnet, anvil)
    alice, bob = devnet.accounts[1:3]
    apes = await asyncio.to_thread(devnet.erc721)
    await asyncio.to_thread(apes.mint, alice)
    follower = await lab.follow(0, anvil.rpc_url, anvil.ws_url)
    await until(lambda: agrees(lab, anvil), "the log has what was there")

    await asyncio.to_thread(apes.transfer, alice, bob, 0)
    await until(lambda: agrees(lab, anvil), "the log has the transfer")
    await asyncio.to_thread(anvil.mine, 6)
    await until(lambda: agrees(lab, anvil), "the log has six more blocks")
    await asyncio.to_thread(anvil.reorg, 4)
    await until(lambda: agrees(lab, anvil), "the log has the chain after a reorg that made it no longer")
    await follower.stop()

    chain = lab.chain()
    assert chain.misfits == []
    assert chain.reverted == 4
    assert {record["proof"] for _, record in lab.records() if record["op"] == "append"} == {"receipts"}
