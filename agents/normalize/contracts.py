"""raw -> normalized, the contracts older than the standards, by where in the raw log each came on the list. Pure.

A contract that is listed later is read from there on: whoever reads the log again comes to the same events. What was
covered before is noted, for ``ft replace``.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ft.agents.decode.legacy import NOTHING_LISTED, Listed, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Which contracts are listed at each raw offset. Make it with :func:`contracts_of`."""

    fresh: tuple[str, ...] = ()
    """Those that nobody has read yet: in force from the offset at which they were read first."""
    starts: Sequence[int] = ()
    """Offsets at which the list changes, ascending."""
    lists: Sequence[Listed] = ()
    """The list from each of them on."""

    def at(self, offset: int) -> Listed:
        """What is listed for the record at a raw offset."""
        found = bisect_right(self.starts, offset)
        return self.lists[found - 1] if found else NOTHING_LISTED

    def in_force(self) -> "Contracts":
        """The same, now that those nobody had read are written down as in force."""
        return replace(self, fresh=())


NO_CONTRACTS = Contracts()


def contracts_of(rows: Iterable[tuple[str, str, int | None]], next_offset: int) -> Contracts:
    """From (contract, layout, offset from which it is in force or None); ``next_offset``: the next to be read."""
    known = [
        (contract, layout, next_offset if start is None else start, start is None) for contract, layout, start in rows
    ]
    starts = sorted({start for _, _, start, _ in known})
    return Contracts(
        fresh=tuple(contract for contract, _, _, is_fresh in known if is_fresh),
        starts=starts,
        lists=[listed({c: layout for c, layout, start, _ in known if start <= since}) for since in starts],
    )
