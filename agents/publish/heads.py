"""Heads on their way from the ledger's commit to the publisher, in memory: each waits for its place among the rows."""

from collections.abc import Container, Sequence

from ft.agents.ledger.posting import NetworkHead
from ft.streams.checkpoint import Claim


class Heads:
    """Of each partition and network at most two: the first that waits, so that one is announced however far the rows
    are behind, and the newest."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[str, list[NetworkHead]]] = {}

    def offer(self, heads: Sequence[NetworkHead]) -> None:
        """Add what was committed now."""
        for head in heads:
            waiting = self._waiting.setdefault(head.partition, {}).setdefault(head.network, [])
            if waiting and (len(waiting) > 1 or waiting[0].after == head.after):
                waiting.pop()
            waiting.append(head)

    def standing_at(self, claim: Claim, seq: int) -> list[NetworkHead]:
        """Those of the claim that stand right behind the row ``seq``, the last that was sent."""
        waiting = self._waiting.get(claim.partition, {}).values()
        now = (claim.epoch, claim.times)
        return [head for heads in waiting for head in heads if head.after == seq and head.claimed == now]

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
