"""How sure an answer is: by what was read, by how it was proven, and by nodes that do not tell the truth."""

from typing import Any

from ft.demo.node import ReplayNode, replaying
from ft.streams.deployment.provision import prepare
from tests.acceptance.chains import LiveChain
from tests.acceptance.conftest import Chains
from tests.acceptance.pipeline import with_start_block
from tests.devnet.contracts import Erc721, Erc1155
from tests.devnet.faulty_node import Faults, FaultyNode

NETWORKS = ("middle", "isolated", "declared", "logs-only", "liar", "liars", "forgers")


def story(chain: LiveChain) -> tuple[Erc721, int]:
    """Alice's token, minted and moved to bob; the height of the move, with blocks below and above."""
    alice, bob = chain.devnet.accounts[1:3]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    chain.node.mine(3)
    apes.transfer(alice, bob, 0)
    moved = chain.node.head()
    chain.node.mine(2)
    return apes, moved


def integrity(chain: LiveChain, apes: Erc721) -> str:
    """The asset's and the collection's, which must agree."""
    asset = chain.pipeline.get(f"assets/{chain.asset(apes, 0)}")["integrity"]
    assert chain.pipeline.get(f"collections/{chain.network}:{apes.address}")["integrity"] == asset
    return str(asset)


def becomes_proven(chain: LiveChain, apes: Erc721) -> None:
    """Wait for it: a contract of which events were applied below a token's row is recounted first."""
    paths = f"assets/{chain.asset(apes, 0)}", f"collections/{chain.network}:{apes.address}"

    def is_proven() -> bool:
        return {chain.pipeline.get(path)["integrity"] for path in paths} == {"proven"}

    chain.pipeline.until(is_proven, f"{chain.network}: asset and collection to be proven")


def quarantined(chain: LiveChain) -> int:
    (found,) = [e for e in chain.pipeline.get("status")["networks"] if e["network"] == chain.network]
    return int(found["quarantined"])


def test_a_range_from_mid_chain_knows_the_owner_and_says_that_history_is_missing(live: Chains) -> None:
    chain = live("middle")
    apes, moved = story(chain)

    chain.pipeline.ingest("middle", chain.node.rpc_url, first=moved - 1, last=chain.node.head())

    chain.caught_up()
    assert chain.owner(apes, 0) == chain.devnet.accounts[2]
    assert (integrity(chain, apes), quarantined(chain)) == ("partial_history", 0)
    chain.pipeline.verify()


def test_one_isolated_block_is_enough_for_an_owner(live: Chains) -> None:
    chain = live("isolated")
    apes, moved = story(chain)

    with replaying(ReplayNode(chain.served_later())) as node:
        chain.pipeline.ingest("isolated", node.url, first=moved, last=moved)

    chain.pipeline.caught_up("isolated")
    assert chain.owner(apes, 0) == chain.devnet.accounts[2]
    assert (integrity(chain, apes), quarantined(chain)) == ("partial_history", 0)
    chain.pipeline.verify()


def test_a_start_block_that_makes_coverage_whole_makes_it_proven(live: Chains) -> None:
    chain = live("declared")
    apes, _ = story(chain)
    created = 1
    chain.pipeline.ingest("declared", chain.node.rpc_url, first=created + 1, last=chain.node.head())
    chain.caught_up()
    assert integrity(chain, apes) == "partial_history"

    prepare(with_start_block(chain.pipeline.config, "declared", created + 1))

    assert integrity(chain, apes) == "proven"
    assert quarantined(chain) == 0
    chain.pipeline.verify()


def test_blocks_from_a_node_without_receipts_are_unproven(live: Chains) -> None:
    chain = live("logs-only")
    apes, _ = story(chain)
    poor = Faults(without={"eth_getBlockReceipts", "eth_getTransactionReceipt"})

    with replaying(FaultyNode(chain.served_later(), poor)) as node:
        chain.pipeline.ingest("logs-only", node.url, first=0, last=chain.node.head())

    chain.pipeline.caught_up("logs-only")
    assert chain.owner(apes, 0) == chain.devnet.accounts[2]
    assert (integrity(chain, apes), quarantined(chain)) == ("unproven", 0)
    chain.pipeline.verify()


def alike(chain: LiveChain) -> tuple[Erc1155, int]:
    """A block with two transfers whose logs have the same topics: without one of them the bloom is the same."""
    alice, bob = chain.devnet.accounts[1:3]
    items = chain.devnet.erc1155()
    items.mint_batch(alice, [1, 2], [10, 10])
    with chain.devnet.block():
        items.transfer(alice, bob, 1, 1)
        items.transfer(alice, bob, 2, 2)
    return items, chain.node.head()


def test_a_node_that_drops_a_log_is_passed_over_for_the_next(live: Chains) -> None:
    chain = live("liar")
    items, height = alike(chain)
    recording, bob = chain.served_later(), chain.devnet.accounts[2]

    with replaying(FaultyNode(recording, Faults(dropped_log=1))) as liar, replaying(ReplayNode(recording)) as honest:
        chain.pipeline.ingest("liar", liar.url, honest.url, first=0, last=height)

    chain.pipeline.caught_up("liar")
    assert (chain.balances(items, 1)[bob], chain.balances(items, 2)[bob]) == (1, 2)
    assert chain.pipeline.get(f"collections/liar:{items.address}")["integrity"] == "proven"
    chain.pipeline.verify()


def test_with_no_honest_node_left_a_block_is_never_proven_by_receipts(live: Chains) -> None:
    """A root that no receipts make may be of another kind: the logs are in the filter, and that is all that is said."""
    chain = live("liars")
    _, height = alike(chain)
    lie, recording = Faults(dropped_log=1), chain.served_later()

    with replaying(FaultyNode(recording, lie)) as one, replaying(FaultyNode(recording, lie)) as two:
        chain.pipeline.ingest("liars", one.url, two.url, first=height, last=height)

    chain.pipeline.caught_up("liars")
    statement = "SELECT number, proof FROM ingest.blocks WHERE network = 'liars'"
    assert chain.pipeline.sql(statement) == [(height, "logs")]


def test_with_no_honest_node_left_nothing_that_contradicts_the_filter_is_written(live: Chains) -> None:
    chain = live("forgers")
    _, height = alike(chain)
    forged = Faults(spoil=dict.fromkeys(("eth_getBlockReceipts", "eth_getLogs"), of_another_contract))
    forged.null = {"eth_getTransactionReceipt"}
    recording = chain.served_later()

    with replaying(FaultyNode(recording, forged)) as one, replaying(FaultyNode(recording, forged)) as two:
        ended = chain.pipeline.ingest_any_end("forgers", one.url, two.url, first=height, last=height)

    assert ended.process.returncode == 1
    said = ended.log_end()
    assert f"block {height}" in said
    assert "receiptsRoot" in said
    assert "in logsBloom" in said
    assert "Traceback" not in said
    assert chain.pipeline.raw_end("forgers") == 0


def of_another_contract(answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for each in answer:
        for log in each.get("logs", [each]):
            log["address"] = "0x" + "77" * 20
    return answer
