"""What was read: unbroken stretches of heights, each of one proof and its reasons. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Heights ``low`` to ``high``, both read, under one proof and the same reasons."""

    low: int
    high: int
    proof: str
    raw_offset: int
    """Of the record that last changed the stretch."""
    reasons: str = ""
    """Why it is no more than what providers said; see docs/networks.md."""

    def proves(self, proof: str, reasons: str) -> bool:
        """Whether a height proven so belongs to it."""
        return (self.proof, self.reasons) == (proof, reasons)


class Coverage:
    """Stretches that do not overlap; adjacent ones of the same proof and reasons are one."""

    def __init__(self, stretches: Iterable[Stretch] = ()) -> None:
        self._known = {stretch.low: stretch for stretch in stretches}
        self._now = sorted(self._known.values(), key=lambda s: s.low)

    def __iter__(self) -> Iterator[Stretch]:
        return iter(self._now)

    def add(self, height: int, proof: str, raw_offset: int, reasons: str = "") -> None:
        """Cover one height. What covered it before gives way."""
        at = self._index(height)
        if at is not None and self._now[at].proves(proof, reasons):
            return
        self.cut(height, raw_offset)
        at = bisect_right(self._now, height, key=lambda s: s.low)
        low = high = height
        left = self._now[at - 1] if at else None
        right = self._now[at] if at < len(self._now) else None
        first, last = at, at
        if left is not None and left.high == height - 1 and left.proves(proof, reasons):
            low, first = left.low, at - 1
        if right is not None and right.low == height + 1 and right.proves(proof, reasons):
            high, last = right.high, at + 1
        made = Stretch(low=low, high=high, proof=proof, raw_offset=raw_offset, reasons=reasons)
        self._now[first:last] = [made]

    def cut(self, height: int, raw_offset: int) -> None:
        """Uncover one height."""
        at = self._index(height)
        if at is None:
            return
        found = self._now[at]
        parts = (
            replace(found, high=height - 1, raw_offset=raw_offset),
            replace(found, low=height + 1, raw_offset=raw_offset),
        )
        self._now[at : at + 1] = [part for part in parts if part.low <= part.high]

    def changes(self) -> tuple[list[int], list[Stretch]]:
        """What to delete (by ``low``) and what to write, against the stretches that this began with."""
        now = {stretch.low: stretch for stretch in self._now}
        gone = [low for low in self._known if low not in now]
        return gone, [stretch for low, stretch in now.items() if self._known.get(low) != stretch]

    def _index(self, height: int) -> int | None:
        at = bisect_right(self._now, height, key=lambda s: s.low) - 1
        return at if at >= 0 and self._now[at].high >= height else None
