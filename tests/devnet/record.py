"""Records the demo chain: ``python -m tests.devnet.record OUT`` writes what a follower of the scenario's chain saw.

Everything in the file is the node's own answer; what is expected at the end is read from the contracts.
"""

import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from ft.demo.recording import (
    Expected,
    RecordedBlock,
    RecordedContract,
    RecordedReorg,
    RecordedSale,
    Recording,
    Step,
)
from tests.devnet.contracts import Devnet
from tests.devnet.node import CHAIN_ID, Anvil
from tests.devnet.scenario import Scenario

SLOTS_IN_AN_EPOCH: Final = 4
NOTE: Final = (
    "LOCAL anvil devnet, not a public network: real OpenZeppelin ERC-721, ERC-1155 and ERC-20, ERC721A (ERC-2309), "
    "Seaport 1.6. The node's answers, byte for byte, in the order a follower sees them."
)


class Follower:
    """Looks at a node and keeps what it sees: blocks, byte for byte, and a step a look."""

    def __init__(self, node: Anvil) -> None:
        self._node = node
        self.canonical: dict[int, str] = {}
        self.steps: list[Step] = []
        self.blocks: dict[str, RecordedBlock] = {}
        self.reorgs: list[RecordedReorg] = []

    def look(self) -> None:
        """One more step: every block that is new or changed since the last look, and the marks."""
        head = self._node.block("latest")
        height, block_hash = int(head["number"], 16), str(head["hash"])
        changed: dict[int, str] = {}
        while height >= 0 and self.canonical.get(height) != block_hash:
            changed[height] = block_hash
            self._keep(block_hash)
            block_hash = str(self._node.block(block_hash)["parentHash"])
            height -= 1
        self._note_reorg(height, block_hash)
        self.canonical = {at: known for at, known in self.canonical.items() if at <= height} | changed
        self.steps.append(
            Step(
                head=int(head["number"], 16),
                safe=int(self._node.block("safe")["number"], 16),
                finalized=int(self._node.block("finalized")["number"], 16),
                chain=dict(sorted(changed.items())),
            )
        )

    def undone_transactions(self) -> set[str]:
        """Hashes of all transactions in blocks that are not canonical now."""
        undone = self.blocks.keys() - set(self.canonical.values())
        return {tx for block_hash in undone for tx in _transactions(self.blocks[block_hash])}

    def standing_transactions(self) -> set[str]:
        """Hashes of all transactions in canonical blocks."""
        return {tx for block_hash in self.canonical.values() for tx in _transactions(self.blocks[block_hash])}

    def _keep(self, block_hash: str) -> None:
        block = self._node.rpc_text("eth_getBlockByHash", block_hash, True)
        receipts = self._node.rpc_text("eth_getBlockReceipts", block_hash)
        self.blocks[block_hash] = RecordedBlock(block=msgspec.Raw(block), receipts=msgspec.Raw(receipts))

    def _note_reorg(self, ancestor: int, ancestor_hash: str) -> None:
        old_head = max(self.canonical, default=-1)
        if ancestor < old_head:
            self.reorgs.append(
                RecordedReorg(
                    from_block=old_head,
                    to_block=ancestor + 1,
                    depth=old_head - ancestor,
                    ancestor=ancestor,
                    ancestor_hash=ancestor_hash,
                )
            )


class _Transaction(msgspec.Struct):
    hash: str


class _Transactions(msgspec.Struct):
    transactions: list[_Transaction]


def _transactions(block: RecordedBlock) -> list[str]:
    return [tx.hash for tx in msgspec.json.decode(block.block, type=_Transactions).transactions]


def record() -> Recording:
    """Run the scenario on a new chain and record it. Raises DevnetError if the chain does not do as told."""
    with Anvil(automine=False, slots_in_an_epoch=SLOTS_IN_AN_EPOCH) as node:
        follower = Follower(node)
        follower.look()
        scenario = Scenario(Devnet(node), follower.look)
        scenario.play()
        return Recording(
            note=NOTE,
            chain_id=CHAIN_ID,
            contracts={
                name: RecordedContract(address=contract.address, standard=standard)
                for name, (contract, standard) in scenario.contracts.items()
            },
            steps=follower.steps,
            blocks=follower.blocks,
            expected=_expected(scenario, follower),
        )


def _expected(scenario: Scenario, follower: Follower) -> Expected:
    undone, standing = follower.undone_transactions(), follower.standing_transactions()
    owners = scenario.owners()
    balances = scenario.balances()
    supply = {name: str(contract.total_supply()) for name, contract in scenario.collections.items()}
    supply |= {
        name: str(sum(int(amount) for held in tokens.values() for amount in held.values()))
        for name, tokens in balances.items()
    }
    sales = [
        RecordedSale(
            tx_hash=sale.tx,
            collection=sale.listing.token,
            token_id=str(sale.listing.token_id),
            seller=sale.listing.seller,
            buyer=sale.buyer,
            price_wei=str(sale.listing.price_wei + sale.listing.fee_wei),
            fee_wei=str(sale.listing.fee_wei),
        )
        for sale in scenario.sales
        if sale.tx in standing
    ]
    return Expected(
        owners=owners,
        balances=balances,
        supply=supply,
        reorgs=follower.reorgs,
        sales=sales,
        gone=sorted(undone - standing),
        returned=sorted(undone & standing),
    )


def main() -> None:
    """Record to the path given as the only argument."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.devnet.record OUT.json.gz")
    out, began = Path(sys.argv[1]), time.monotonic()
    recording = record()
    recording.write(out)
    head = recording.steps[-1].head
    depths = [reorg.depth for reorg in recording.expected.reorgs]
    took = time.monotonic() - began
    print(
        f"{out}: {out.stat().st_size} bytes, {len(recording.steps)} steps to block {head}, "
        f"reorgs of depth {depths}, {len(recording.expected.gone)} transactions gone, "
        f"{len(recording.expected.returned)} back in another block; {took:.1f} s"
    )


if __name__ == "__main__":
    main()
