"""Source, pure but for the clock: which blocks that are not final yet are asked for again, and when.

A block whose proof is less than its network's usual one may be proven better a little later, or by another provider; of
one whose filter holds more than its logs make, more logs may come.
"""

from collections.abc import Collection
from typing import Final

from ft.schemas.proofs import AS_GOOD_AS_ANY, PROOFS
from ft.streams.ingest.reconcile import Row
from ft.streams.sources.limits import Clock

PER_LOOK: Final = 2
"""Blocks that are asked for again at one look at the head."""
FIRST_S: Final = 2.0
"""After a block was appended; each time twice as long after that."""
LONGEST_S: Final = 120.0


class Again:
    """The blocks of one follower."""

    def __init__(self, proof: str, clock: Clock) -> None:
        """``proof``: the network's, ``receipts`` | ``logs``."""
        self._usual = PROOFS[proof]
        self._clock = clock
        self._due: dict[str, tuple[float, float]] = {}
        self._ripe_at: dict[str, float] = {}

    def due(self, rows: Collection[Row]) -> list[Row]:
        """A few of these that it is time to ask for: first those whose answer has stood, then the longest overdue."""
        now, lesser = self._clock(), {row.hash: row for row in rows if self._is_lesser(row)}
        self._due = {key: self._due.get(key, (now + FIRST_S, FIRST_S)) for key in lesser}
        self._ripe_at = {key: at for key, at in self._ripe_at.items() if key in lesser}
        ripe = [key for key, at in self._ripe_at.items() if at <= now]
        waiting = sorted((at, key) for key, (at, _) in self._due.items() if at <= now and key not in ripe)
        found = [*ripe, *(key for _, key in waiting)][:PER_LOOK]
        for key in found:
            self._ripe_at.pop(key, None)
            pause = min(2 * self._due[key][1], LONGEST_S)
            self._due[key] = (now + pause, pause)
        return [lesser[key] for key in found]

    def ripens(self, row: Row, stands_s: float) -> None:
        """What is told of this one now has to stand so long: it is asked for as soon as it may have."""
        self._ripe_at[row.hash] = self._clock() + stands_s

    def _is_lesser(self, row: Row) -> bool:
        """It is in the log, may still change, and could be better proven."""
        known = row.proof != "" and row.offset is not None and not row.final
        return known and (PROOFS.get(row.proof, 0) < self._usual or not AS_GOOD_AS_ANY.issuperset(row.reasons))
