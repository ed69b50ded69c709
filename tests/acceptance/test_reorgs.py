"""The scenarios that every network must pass, from a real node to the API: its contracts say who owns what."""

from tests.acceptance.conftest import Chains
from tests.devnet.contracts import ZERO
from tests.devnet.seaport import Seaport

NETWORKS = ("gone", "moved", "deep", "sale")


def test_a_transfer_that_is_reverted_and_never_comes_back_is_undone(live: Chains) -> None:
    chain = live("gone")
    alice, bob = chain.devnet.accounts[1:3]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    chain.pipeline.follow("gone", chain.node.rpc_url, first=0)
    gone = apes.transfer(alice, bob, 0)
    chain.pipeline.until(lambda: chain.owner(apes, 0) == bob, "the transfer")

    chain.node.reorg(1)
    chain.node.mine(3)

    chain.agrees(apes)
    assert chain.owner(apes, 0) == alice
    assert chain.transfers(gone) == []
    chain.pipeline.verify()


def test_a_transfer_that_comes_back_elsewhere_keeps_its_id_and_is_live_once(live: Chains) -> None:
    chain = live("moved")
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    chain.node.mine()
    chain.pipeline.follow("moved", chain.node.rpc_url, first=0)
    with chain.devnet.block():
        apes.transfer(alice, carol, 0)
        again = apes.transfer(bob, carol, 1)
    chain.pipeline.until(lambda: chain.owner(apes, 1) == carol, "the transfer")
    (first,) = chain.transfers(again)

    chain.node.reorg(2, [(again, 1)])
    chain.agrees(apes, tokens=range(2))
    chain.node.reorg(2, [(again, 0)])

    chain.agrees(apes, tokens=range(2))
    (third,) = chain.transfers(again)
    assert (third["transfer_id"], third["revision"]) == (first["transfer_id"], 5)
    assert third["block_number"] == first["block_number"] - 1
    assert third["log_index"] != first["log_index"]
    chain.pipeline.verify()


def test_many_blocks_with_one_token_moved_often_a_batch_and_another_contract_come_out_right(live: Chains) -> None:
    chain = live("deep")
    alice, bob, carol, dave = chain.devnet.accounts[1:5]
    apes, items = chain.devnet.erc721(), chain.devnet.erc1155()
    old, new = chain.devnet.erc721("Old"), chain.devnet.erc721("New")
    switch = chain.devnet.switch()
    old.grant_minter(switch.address)
    new.grant_minter(switch.address)
    apes.mint(alice)
    items.mint_batch(alice, [1, 2, 3], [10, 10, 10])
    switch.point(old.address)
    chain.pipeline.follow("deep", chain.node.rpc_url, first=0)
    moves = [apes.transfer(alice, bob, 0)]
    batch = items.batch_transfer(alice, bob, [1, 2, 2], [4, 3, 1])
    moves += [apes.transfer(bob, carol, 0), apes.transfer(carol, alice, 0), apes.transfer(alice, carol, 0)]
    lost = items.batch_transfer(bob, carol, [1, 2], [1, 1])
    switch.point(new.address, sender=carol)
    minted = switch.pass_on("mint(address)", bob, sender=dave)
    chain.agrees(apes, items, old, new, tokens=range(4))
    assert chain.owner(new, 0) == bob

    chain.node.reorg(8, [(moves[0], 2), (batch, 3), (moves[1], 3), (minted, 6)])

    chain.agrees(apes, items, old, new, tokens=range(4))
    assert chain.owner(apes, 0) == carol
    assert chain.balances(items, 2) == {alice: 6, bob: 4}
    assert chain.transfers(lost) == []
    assert (chain.owner(old, 0), chain.owner(new, 0)) == (bob, None)
    assert [each["contract"] for each in chain.transfers(minted)] == [old.address]
    chain.pipeline.verify()


def test_a_mint_and_a_sale_that_are_reverted_take_asset_and_figures_with_them(live: Chains) -> None:
    chain = live("sale")
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    seaport, _ = Seaport.deploy(chain.devnet)
    apes.mint(alice)
    apes.approve_all(alice, seaport.address)
    order = seaport.list_token(alice, apes, 0, 10**18)
    chain.pipeline.follow("sale", chain.node.rpc_url, first=0)
    minted = apes.mint(carol)
    sold = seaport.fulfil(order, bob)
    chain.agrees(apes)
    assert (chain.owner(apes, 0), chain.owner(apes, 1)) == (bob, carol)

    chain.node.reorg(2)

    chain.agrees(apes)
    assert chain.kinds(apes, 0) == [("mint", ZERO, alice)]
    assert chain.pipeline.ask(f"assets/{chain.asset(apes, 1)}").status_code == 404
    assert chain.transfers(minted) == chain.transfers(sold) == []
    stats = chain.pipeline.get(f"collections/sale:{apes.address}")["stats"]
    assert {key: stats[key] for key in ("owners", "assets", "supply", "transfers", "mints", "burns")} == {
        "owners": 1,
        "assets": 1,
        "supply": "1",
        "transfers": 0,
        "mints": 1,
        "burns": 0,
    }
    chain.pipeline.verify()
