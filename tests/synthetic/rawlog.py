"""A seeded raw log as sources write it: claims, leased blocks at the head, reorgs, finality, a backfill below."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from ft.schemas.events import RawBlock
from tests.synthetic.chain import TRANSFER, TRANSFER_SINGLE, Block, Chain, append
from tests.synthetic.model import ZERO
from tests.synthetic.script import DEPTH_MAX, FINAL_DEPTH

UNFINAL: Final = FINAL_DEPTH
"""Blocks kept unfinal below the head; no reorg is deeper."""


@dataclass
class RawLog:
    """Records in the order in which they are written: a record's place in ``records`` is its offset."""

    chain: Chain
    records: list[RawBlock] = field(default_factory=list)
    lease: int = -1
    finalized: int = -1
    reorgs: list[int] = field(default_factory=list)
    """Depth of each."""
    _lowest: int = 2**62
    """The first height that was followed; below it there is only the backfill."""

    def claim(self) -> None:
        """A source takes over; it appends once more what the one before had in its tail, all of it known."""
        old, self.lease = self.lease, len(self.records)
        self.records.append(RawBlock(network=self.chain.network, op="claim", provider="synthetic"))
        if old >= 0 and self.chain.blocks:
            self._zombie(old)
            for block in self.chain.blocks[-3:]:
                self._append(block)

    def follow(self, blocks: int) -> None:
        """Blocks at the head; the ones that have become deep enough are made final."""
        for _ in range(blocks):
            block = self.chain.grow()
            self._append(block)
            self._lowest = min(self._lowest, block.number)
            deep = block.number - UNFINAL
            if deep % 4 == 0 and deep > self.finalized and deep >= self._lowest:
                self._finalize(deep)

    def reorg(self, depth: int) -> None:
        """The highest blocks are reverted, newest first, and one more than as many take their place."""
        undone = self.chain.undo(depth)
        for block in undone:
            self._control("revert", block, reason="reorg")
        self.reorgs.append(depth)
        self.follow(depth + 1)

    def backfill(self, block: Block, *, first: bool) -> None:
        """One final block from below whatever was followed."""
        mark = max(self.finalized, block.number)
        self.records.append(append(block, self.chain.network, finalized=mark, starts_range=first))

    def _zombie(self, lease: int) -> None:
        """Whoever lost the lease writes on: all of it is ignored."""
        head = self.chain.blocks[-1]
        self._control("revert", head, reason="reorg", lease=lease)
        stray = Block(
            number=head.number + 1, hash="0x" + "f" * 64, parent_hash=head.hash, time=head.time + 2, txs=head.txs
        )
        self._append(stray, lease=lease)

    def _append(self, block: Block, lease: int | None = None) -> None:
        under = self.lease if lease is None else lease
        self.records.append(
            append(
                block,
                self.chain.network,
                lease=under,
                finalized=self.finalized,
                starts_range=block.number < self._lowest,
            )
        )

    def _finalize(self, height: int) -> None:
        [block] = [found for found in self.chain.blocks[-UNFINAL - 8 :] if found.number == height]
        self.finalized = height
        self._control("finalize", block)

    def _control(self, op: str, block: Block, *, reason: str = "", lease: int | None = None) -> None:
        under = self.lease if lease is None else lease
        self.records.append(
            RawBlock(
                network=self.chain.network,
                op=op,
                lease=under,
                height=block.number,
                hash=block.hash,
                finalized=self.finalized,
                safe=self.finalized,
                reason=reason,
            )
        )


def written(
    *, seed: int, network: str, events: int, logs: int = 100, contracts: int = 200, backfilled: float = 0.3
) -> RawLog:
    """A log whose canonical chain holds ``events`` events: a backfill of that share below a followed head.

    A reorg about every thirtieth block, of depth 1 to 64, small ones more often; a change of source about every
    hundredth.
    """
    random = Random(seed)
    log = RawLog(Chain(seed=seed, network=network, logs=logs, contracts=contracts))
    blocks = events // logs
    below = [log.chain.grow() for _ in range(int(blocks * backfilled))]
    log.claim()
    taken = 0
    while len(log.chain.blocks) < blocks:
        chance = random.random()
        followed = len(log.chain.blocks) - len(below)
        room = blocks - len(log.chain.blocks) - 1
        depth = int(DEPTH_MAX ** random.random())
        if chance < 0.03 and followed > depth:
            log.reorg(depth)
        elif chance < 0.04 and followed > depth:
            log.claim()
        else:
            log.follow(1)
        share = (blocks - room - 1 - len(below)) / max(1, blocks - len(below))
        while taken < len(below) and (taken < share * len(below) or len(log.chain.blocks) >= blocks):
            log.backfill(below[taken], first=taken == 0)
            taken += 1
    return log


def event_keys(blocks: list[Block]) -> dict[tuple[str, str, str, int], str]:
    """(transaction, contract, topic0, n) of every event on these blocks -> the hash of its block."""
    keys: dict[tuple[str, str, str, int], str] = {}
    for block in blocks:
        for tx in block.txs:
            seen: dict[tuple[str, str], int] = {}
            for move in tx.moves:
                topic0 = TRANSFER if move.standard == "erc721" else TRANSFER_SINGLE
                n = seen[move.contract, topic0] = seen.get((move.contract, topic0), -1) + 1
                keys[tx.hash, move.contract, topic0, n] = block.hash
    return keys


def kinds(blocks: list[Block]) -> dict[str, tuple[int, int, int]]:
    """Contract -> (transfers, mints, burns) on these blocks."""
    counts: dict[str, list[int]] = {}
    for block in blocks:
        for move in block.moves:
            row = counts.setdefault(move.contract, [0, 0, 0])
            row[1 if move.source == ZERO else 2 if move.target == ZERO else 0] += 1
    return {contract: (row[0], row[1], row[2]) for contract, row in counts.items()}
