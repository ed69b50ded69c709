"""A real node followed: what happens on its chain is what the API says, also when the chain changes its mind."""

import pytest

from tests.acceptance.conftest import Chains
from tests.acceptance.pipeline import STEP_S, Pipeline
from tests.devnet.contracts import ZERO

NETWORKS = ("moves", "marks", "depth-1", "depth-3", "depth-10", "down-range", "down-follow", "too-deep")


def test_a_mint_a_transfer_a_batch_and_a_burn_are_seen_with_owner_and_history(live: Chains) -> None:
    chain = live("moves")
    until, (alice, bob) = chain.pipeline.until, chain.devnet.accounts[1:3]
    apes, items = chain.devnet.erc721(), chain.devnet.erc1155()
    chain.pipeline.follow("moves", chain.node.rpc_url, first=0)

    apes.mint(alice)
    until(lambda: chain.owner(apes, 0) == alice, "the mint")
    apes.transfer(alice, bob, 0)
    until(lambda: chain.owner(apes, 0) == bob, "the transfer")
    items.mint_batch(alice, [1, 2], [10, 5])
    until(lambda: chain.balances(items, 2) == {alice: 5}, "the batch")
    items.batch_transfer(alice, bob, [1, 2, 1], [3, 5, 1])
    until(lambda: chain.balances(items, 1) == {alice: 6, bob: 4}, "the second batch")
    apes.burn(bob, 0)
    until(lambda: chain.owner(apes, 0) is None, "the burn")

    assert chain.kinds(apes, 0) == [("mint", ZERO, alice), ("transfer", alice, bob), ("burn", bob, ZERO)]
    assert chain.kinds(items, 1) == [("mint", ZERO, alice), ("transfer", alice, bob), ("transfer", alice, bob)]
    assert [(each["sub_index"], each["quantity"]) for each in chain.history(items, 1)[1:]] == [(0, "3"), (2, "1")]
    assert chain.balances(items, 2) == {bob: 5}
    chain.agrees(apes, items)


def test_a_transfer_becomes_confirmed_then_finalized_as_blocks_pass(live: Chains) -> None:
    chain = live("marks", slots_in_an_epoch=2)
    alice, bob = chain.devnet.accounts[1:3]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    chain.pipeline.follow("marks", chain.node.rpc_url, first=0)
    apes.transfer(alice, bob, 0)

    def said() -> list[str]:
        stats = chain.pipeline.ask(f"collections/{chain.network}:{apes.address}")
        if chain.owner(apes, 0) != bob or not stats.is_success:
            return []
        asset = chain.pipeline.get(f"assets/{chain.asset(apes, 0)}")["ownership"]["finality_status"]
        moved = chain.history(apes, 0)[1]["finality_status"]
        return [asset, moved, stats.json()["stats"]["finality_status"]]

    for expected, blocks in (("pending", 0), ("confirmed", 2), ("finalized", 2)):
        chain.node.mine(blocks) if blocks else None
        chain.pipeline.until(lambda expected=expected: said() == [expected] * 3, expected)  # type: ignore[misc]


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_a_reorg_leaves_what_the_chain_has_then_and_no_trace_of_what_is_gone(live: Chains, depth: int) -> None:
    chain = live(f"depth-{depth}")
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    chain.pipeline.follow(chain.network, chain.node.rpc_url, first=0)
    with chain.devnet.block():
        gone = apes.transfer(alice, carol, 0)
        kept = apes.transfer(bob, carol, 1)
    chain.node.mine(depth - 1) if depth > 1 else None
    chain.pipeline.until(lambda: chain.owner(apes, 1) == chain.owner(apes, 0) == carol, "both transfers")
    (before,) = chain.transfers(kept)

    chain.node.reorg(depth, [(kept, depth - 1)])

    chain.pipeline.until(lambda: chain.owner(apes, 0) == alice, "the transfer to be taken back")
    chain.agrees(apes)
    assert chain.transfers(gone) == []
    (after,) = chain.transfers(kept)
    assert after["transfer_id"] == before["transfer_id"]
    assert after["revision"] > before["revision"]
    assert after["block_hash"] != before["block_hash"]
    assert after["log_index"] == before["log_index"] - 1
    assert chain.kinds(apes, 0) == [("mint", ZERO, alice)]


@pytest.mark.parametrize("again", ["range", "follow"])
def test_a_reorg_while_ingestion_was_down_is_found_when_it_comes_back(live: Chains, again: str) -> None:
    chain = live(f"down-{again}")
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    gone = apes.transfer(alice, bob, 0)
    kept = apes.mint(carol)
    head = chain.node.head()
    chain.pipeline.ingest(chain.network, chain.node.rpc_url, first=0, last=head)
    chain.pipeline.until(lambda: chain.owner(apes, 0) == bob, "what was there first")

    chain.node.reorg(2, [(kept, 0)])
    if again == "range":
        chain.pipeline.ingest(chain.network, chain.node.rpc_url, first=0, last=head)
    else:
        chain.pipeline.follow(chain.network, chain.node.rpc_url)

    chain.pipeline.until(lambda: chain.owner(apes, 0) == alice, "the transfer to be taken back")
    chain.agrees(apes)
    assert chain.transfers(gone) == []
    assert [each["revision"] for each in chain.transfers(kept)] == [3]


def test_a_reorg_deeper_than_finality_stops_ingestion_and_changes_nothing(live: Chains) -> None:
    chain = live("too-deep", slots_in_an_epoch=1)
    alice, bob = chain.devnet.accounts[1:3]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.transfer(alice, bob, 0)
    chain.node.mine(4)
    ingest = chain.pipeline.follow("too-deep", chain.node.rpc_url, first=0)
    chain.caught_up()
    final = f"status of {chain.asset(apes, 0)} to be finalized"
    chain.pipeline.until(lambda: chain.history(apes, 0)[-1]["finality_status"] == "finalized", final)
    written = chain.pipeline.raw_end("too-deep")

    chain.node.reorg(5)

    assert ingest.wait(STEP_S) == 1
    assert "final" in ingest.log_end()
    assert chain.pipeline.raw_end("too-deep") == written
    assert chain.owner(apes, 0) == bob


def test_all_of_it_can_be_proven(pipeline: Pipeline) -> None:
    pipeline.verify()
