"""Source, EVM, pure: which blocks each provider was asked for ahead, behind one whose answer has to stand.

Each is asked for once, of every provider, so that its answers begin to stand, and again when one may be believed: on a
chain where every answer has to stand, blocks come as fast as the chain makes them, that much behind its head, whoever
of the providers gives fewer logs.
"""

from typing import Final

from ft.streams.sources.evm.standing import Standing

AHEAD_BLOCKS: Final = 256
"""Blocks behind the one that waits, at most; of so many, `Standing` forgets none."""


class Ahead:
    """The blocks that were asked for, by provider and height, as they were then."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._told: dict[str, dict[int, str]] = {}

    def heard(self, provider: str, height: int, block_hash: str) -> None:
        """A provider has told this block. Where it was another one before, all above it may be others too."""
        told = self._told.setdefault(provider, {})
        if told.get(height, block_hash) != block_hash:
            self._told[provider] = told = {at: known for at, known in told.items() if at < height}
        told[height] = block_hash
        if len(told) > 2 * AHEAD_BLOCKS:
            del told[next(iter(told))]

    def up_to(self, first: int, last: int) -> int:
        """Up to where to ask together: ``first`` alone if its answer has to stand yet, else what lies before the next
        such one, at most ``last``."""
        for height in range(first, min(last, first + AHEAD_BLOCKS) + 1):
            if self.waits(height):
                return max(first, height - 1)
        return last

    def waits(self, height: int) -> bool:
        """Whether answers about the block there are known, and none of them would be believed now."""
        hashes = {told[height] for told in self._told.values() if height in told}
        return bool(hashes) and all(self._standing.waits(known) for known in hashes)

    def standing(self, first: int, last: int) -> set[int]:
        """The heights from ``first`` to ``last`` that were told, and do not wait."""
        known = {height for told in self._told.values() for height in told if first <= height <= last}
        return {height for height in known if not self.waits(height)}

    def unheard(self, provider: str, waits: int, last: int) -> list[int]:
        """The heights behind the one that waits which the provider was not asked for, ascending; those below are
        forgotten."""
        told = self._told.get(provider, {})
        self._told[provider] = told = {height: known for height, known in told.items() if height >= waits}
        behind = range(waits + 1, min(last, waits + AHEAD_BLOCKS) + 1)
        return [height for height in behind if height not in told]

    def astray(self, height: int) -> None:
        """A provider says more of this block than it said: what was heard of those behind is to be asked for again."""
        for name, told in self._told.items():
            self._told[name] = {at: known for at, known in told.items() if at <= height}
