"""Heads on their way from the ledger's commit to the publisher, in memory: each waits for its place among the rows."""

import time
from collections.abc import Container, Sequence
from typing import Final

from ft.agents.ledger.posting import NetworkHead
from ft.streams.worker.fence import Claim

AGAIN_S: Final = 30.0
"""How long a partition's heads wait after one was refused; its rows do not."""
_EPOCH_BITS: Final = 32


class Heads:
    """Of each partition and network at most two: the first that waits, so that one is announced however far the rows
    are behind, and the newest."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[str, list[NetworkHead]]] = {}
        self._seqs: dict[int, int] = {}
        """Partition -> seq of the last head that this process has sent, acknowledged or not."""
        self._positions: dict[tuple[int, str], int] = {}
        """Partition and network -> position of the last head that this process has sent."""
        self._rest_until: dict[int, float] = {}
        """Partition -> when its heads are tried again, by the monotonic clock."""

    def offer(self, heads: Sequence[NetworkHead]) -> None:
        """Add what was committed now."""
        for head in heads:
            waiting = self._waiting.setdefault(head.partition, {}).setdefault(head.network, [])
            if waiting and (len(waiting) > 1 or waiting[0].after == head.after):
                waiting.pop()
            waiting.append(head)

    def standing_at(self, claim: Claim, seq: int) -> list[NetworkHead]:
        """Those of the claim that stand right behind the row ``seq``, the last that was sent. None that would go back
        behind one that was sent already; none for a while after one was refused."""
        if time.monotonic() < self._rest_until.get(claim.partition, 0.0):
            return []
        waiting = self._waiting.get(claim.partition, {}).values()
        now = (claim.epoch, claim.times)
        found = [head for heads in waiting for head in heads if head.after == seq and head.claimed == now]
        return [head for head in found if head.position >= self._positions.get((head.partition, head.network), -1)]

    def numbered(self, head: NetworkHead, epoch: int, noted: int) -> int:
        """The seq under which the head is sent now: greater than that of any before it, also of those that an earlier
        process has sent, noted or not. It begins with the claim's epoch."""
        seq = max(epoch << _EPOCH_BITS, noted + 1, self._seqs.get(head.partition, 0) + 1)
        self._seqs[head.partition] = seq
        self._positions[head.partition, head.network] = head.position
        return seq

    def refused(self, head: NetworkHead) -> None:
        """One was, and those of its partition rest."""
        self._rest_until[head.partition] = time.monotonic() + AGAIN_S

    def forget_before(self, partition: int, seq: int) -> None:
        """Who stands before a row that is announced came too late."""
        for waiting in self._waiting.get(partition, {}).values():
            waiting[:] = [head for head in waiting if head.after >= seq]

    def waits(self, partition: int) -> bool:
        """Whether one of the partition is still to be announced."""
        return any(self._waiting.get(partition, {}).values())

    def sent(self, heads: Sequence[NetworkHead]) -> None:
        """They are acknowledged. Who was offered meanwhile stays."""
        for head in heads:
            waiting = self._waiting.get(head.partition, {}).get(head.network, [])
            if head in waiting:
                waiting.remove(head)

    def keep(self, partitions: Container[int]) -> None:
        """Forget the partitions that are no longer held."""
        for partition in [p for p in self._waiting if p not in partitions]:
            del self._waiting[partition]
