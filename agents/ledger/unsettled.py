"""Pure: the blocks of one partition and network whose events were announced before they were final.

A subscriber has to be told when a mark moves over one of them; a mark that moves over nothing is worth no record.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

BLOCKS_MAX: Final = 4096
"""Blocks that are remembered of one partition and network, where finality does not come."""


class Marks(NamedTuple):
    """Heights up to which a network is safe and final; -1: none."""

    safe: int = -1
    finalized: int = -1

    def status(self, block_number: int) -> str:
        """pending | confirmed | finalized"""
        if block_number <= self.finalized:
            return "finalized"
        return "confirmed" if block_number <= self.safe else "pending"


class Unsettled:
    """Block numbers above the final mark that was announced last."""

    __slots__ = ("_above", "_numbers")

    def __init__(self, numbers: Iterable[int] = (), above: int = -1) -> None:
        """``above``: any block up to it may have events, too."""
        self._numbers = set(numbers)
        self._above = above

    def copy(self) -> "Unsettled":
        return Unsettled(self._numbers, self._above)

    def applied(self, number: int) -> None:
        """Events of the block are announced while it is not final."""
        self._numbers.add(number)
        if len(self._numbers) > BLOCKS_MAX:
            lowest = sorted(self._numbers)[: BLOCKS_MAX // 2]
            self._numbers.difference_update(lowest)
            self._above = max(self._above, lowest[-1])

    def reverted(self, number: int) -> None:
        self._numbers.discard(number)

    def passed(self, told: Marks, now: Marks) -> bool:
        """Whether a mark moves over one of them, from where it was ``told`` to be. One that falls may have."""
        moves = [(before, after) for before, after in zip(told, now, strict=True) if after != before]
        if any(after < before or before < self._above for before, after in moves):
            return True
        return any(before < number <= after for number in self._numbers for before, after in moves)

    def settle(self, told: Marks, now: Marks) -> None:
        """The marks of ``now`` were announced: what is final is forgotten, until a mark falls."""
        if now.safe < told.safe or now.finalized < told.finalized:
            self._above = max(self._above, *told)
        self._numbers = {number for number in self._numbers if number > now.finalized}
        if now.finalized >= self._above:
            self._above = -1

    def __contains__(self, number: int) -> bool:
        return number in self._numbers or number <= self._above

    def __len__(self) -> int:
        return len(self._numbers)
