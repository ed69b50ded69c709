"""The devnet itself: a real node, real contracts, real reorgs. Other tests lean on what is proven here."""

from collections.abc import Iterator

import pytest

from ft.demo.recording import load_recording
from tests.devnet.contracts import Devnet
from tests.devnet.node import Anvil, TxHash
from tests.devnet.packages import DevnetError
from tests.devnet.record import record
from tests.devnet.seaport import ERC1155_ITEM, Seaport

ETHER = 10**18


@pytest.fixture
def node() -> Iterator[Anvil]:
    with Anvil() as running:
        yield running


@pytest.fixture
def devnet(node: Anvil) -> Devnet:
    return Devnet(node)


def test_tokens_are_minted_moved_and_burnt(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[1:3]
    apes = devnet.erc721()
    apes.mint(alice)
    apes.mint(alice)

    apes.transfer(alice, bob, 0)
    apes.safe_transfer(alice, bob, 1)
    apes.burn(bob, 1)

    assert (apes.owner_of(0), apes.owner_of(1), apes.owner_of(2)) == (bob, None, None)
    assert (apes.balance_of(bob), apes.total_supply()) == (1, 1)


def test_batches_may_be_empty_repeat_an_id_and_hold_nothing(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[1:3]
    items = devnet.erc1155()
    items.mint_batch(alice, [1, 1, 2], [5, 5, 0])

    items.batch_transfer(alice, bob, [1, 1, 2], [2, 3, 0])
    empty = items.batch_transfer(alice, bob, [], [])
    items.burn_batch(bob, [1, 1], [1, 1])

    assert items.balances_of(devnet.accounts, 1) == {alice: 5, bob: 3}
    assert len(devnet.wait(empty)["logs"]) == 1


def test_a_drop_is_minted_by_one_consecutive_transfer(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[1:3]

    drop = devnet.erc721a(alice, 2_000)
    drop.transfer(alice, bob, 1_999)

    created = devnet.node.block(1, full=True)["transactions"][0]["hash"]
    logs = devnet.wait(TxHash(created))["logs"]
    assert [log["topics"][0][:10] for log in logs] == ["0xdeaa91b6"]
    assert (drop.total_supply(), drop.balance_of(alice), drop.owner_of(1_999)) == (2_000, 1_999, bob)


def test_seaport_sells_both_ways_and_through_a_conduit_and_refuses_what_was_cancelled(devnet: Devnet) -> None:
    alice, bob, fees = devnet.accounts[1:4]
    seaport, controller = Seaport.deploy(devnet)
    conduit = seaport.open_conduit(controller, fees)
    apes, items = devnet.erc721(), devnet.erc1155()
    apes.mint(alice)
    items.mint(alice, 7, 5)
    for operator in (seaport.address, conduit.address):
        apes.approve_all(alice, operator)
        apes.approve_all(bob, operator)
        items.approve_all(alice, operator)

    seaport.fulfil(seaport.list_token(alice, apes, 0, ETHER, fee_wei=ETHER // 40, fee_recipient=fees), bob)
    seaport.fulfil_basic(seaport.list_token(bob, apes, 0, ETHER, conduit_key=conduit.key), alice)
    seaport.fulfil_basic(seaport.list_token(alice, items, 7, ETHER, amount=2, item_type=ERC1155_ITEM), bob)
    cancelled = seaport.list_token(alice, apes, 0, ETHER)
    seaport.cancel(cancelled)

    assert apes.owner_of(0) == alice
    assert items.balances_of(devnet.accounts, 7) == {alice: 3, bob: 2}
    assert seaport.is_cancelled(cancelled)
    with pytest.raises(DevnetError, match="expected status 0x1, got 0x0"):
        seaport.fulfil(cancelled, bob)


def test_incrementing_the_counter_voids_open_orders(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[1:3]
    seaport, _ = Seaport.deploy(devnet)
    apes = devnet.erc721()
    apes.mint(alice)
    apes.approve_all(alice, seaport.address)
    order = seaport.list_token(alice, apes, 0, ETHER)

    seaport.increment_counter(alice)

    assert seaport.counter_of(alice) > 0
    with pytest.raises(DevnetError):
        seaport.fulfil(order, bob)


@pytest.mark.parametrize("depth", [1, 3, 10])
def test_a_reorg_undoes_the_newest_blocks_and_keeps_what_is_told_to_come_back(devnet: Devnet, depth: int) -> None:
    node, (alice, bob, carol) = devnet.node, devnet.accounts[1:4]
    apes = devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    node.mine(depth - 1)
    with devnet.block():
        gone = apes.transfer(alice, carol, 0)
        kept = apes.transfer(bob, carol, 1)
    head = node.head()
    was = devnet.wait(kept)

    reorg = node.reorg(depth, [(kept, 0)])

    now = devnet.wait(kept)
    assert node.head() == head
    assert (reorg.depth, reorg.ancestor) == (depth, head - depth)
    assert reorg.undone[-1] == was["blockHash"]
    assert reorg.blocks[0] == now["blockHash"] == node.block_hash(reorg.ancestor + 1)
    assert not set(reorg.undone) & set(reorg.blocks)
    assert (was["logs"][0]["logIndex"], now["logs"][0]["logIndex"]) == ("0x1", "0x0")
    assert node.receipt(gone) is None
    assert (apes.owner_of(0), apes.owner_of(1)) == (alice, carol)


def test_a_transaction_executed_again_may_leave_its_log_at_another_contract(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[1:3]
    old, new, switch = devnet.erc721("Old"), devnet.erc721("New"), devnet.switch()
    old.grant_minter(switch.address)
    new.grant_minter(switch.address)
    switch.point(old.address)
    switch.point(new.address, sender=alice)
    minted = switch.pass_on("mint(address)", bob, sender=bob)
    assert (old.total_supply(), new.total_supply()) == (0, 1)

    devnet.node.reorg(2, [(minted, 1)])

    assert (old.total_supply(), new.total_supply()) == (1, 0)
    assert devnet.wait(minted)["logs"][0]["address"] == old.address


def test_any_log_can_be_emitted(devnet: Devnet) -> None:
    emitter = devnet.emitter()
    topics = [bytes([n]) * 32 for n in range(4)]

    logs = [devnet.wait(emitter.emit(topics[:count], b"odd"))["logs"][0] for count in range(5)]

    assert [log["topics"] for log in logs] == [["0x" + each.hex() for each in topics[:count]] for count in range(5)]
    assert {log["data"] for log in logs} == {"0x" + b"odd".hex()}


def test_blocks_mined_by_hand_hold_what_was_sent_in_order_and_marks_follow_the_epoch() -> None:
    with Anvil(automine=False, slots_in_an_epoch=2) as node:
        devnet = Devnet(node)
        apes = devnet.erc721()
        sent = [apes.mint(account) for account in devnet.accounts[:3]]

        height = devnet.seal()
        node.mine(4)

        assert [tx["hash"] for tx in node.block(height, full=True)["transactions"]] == sent
        heights = [int(node.block(tag)["number"], 16) for tag in ("latest", "safe", "finalized")]
        assert heights == [height + 4, height + 2, height]


def test_a_failed_transaction_is_reported_when_its_block_is_sealed() -> None:
    with Anvil(automine=False) as node:
        devnet = Devnet(node)
        apes = devnet.erc721()
        apes.transfer(devnet.accounts[1], devnet.accounts[2], 99)

        with pytest.raises(DevnetError, match="expected status 0x1, got 0x0"):
            devnet.seal()


def test_a_reorg_to_below_genesis_is_refused(node: Anvil) -> None:
    node.mine(2)

    with pytest.raises(DevnetError, match="expected a depth from 1 to 2, got 3"):
        node.reorg(3)


def test_blocks_come_by_the_clock_where_a_block_time_is_set() -> None:
    with Anvil(block_time_s=0.1) as node:
        devnet = Devnet(node)
        apes = devnet.erc721()

        devnet.wait(apes.mint(devnet.accounts[1]))

        assert apes.owner_of(0) == devnet.accounts[1]


def test_recording_the_demo_chain_again_gives_the_same_blocks() -> None:
    shipped = load_recording()

    again = record()

    assert again.steps == shipped.steps
    assert again.expected == shipped.expected
