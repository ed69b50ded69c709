"""Source, EVM, pure: which blocks were asked for ahead, behind one whose answer has to stand (standing.py).

Each is asked for once, so that its answer begins to stand, and again when it may be believed: on a chain where every
answer has to stand, blocks come as fast as the chain makes them, that much behind its head.
"""

from typing import Final

from ft.streams.sources.evm.standing import Standing

AHEAD_BLOCKS: Final = 256
"""Blocks behind the one that waits, at most; of so many, `Standing` forgets none."""


class Ahead:
    """The blocks that were asked for, by height, as they were then."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._hashes: dict[int, str] = {}

    def heard(self, height: int, block_hash: str) -> None:
        """A node was asked for this block. Where it was another one before, all above it may be others too."""
        if self._hashes.get(height, block_hash) != block_hash:
            self._hashes = {at: known for at, known in self._hashes.items() if at < height}
        self._hashes[height] = block_hash
        if len(self._hashes) > 2 * AHEAD_BLOCKS:
            del self._hashes[next(iter(self._hashes))]

    def up_to(self, first: int, last: int) -> int:
        """Up to where to ask together: ``first`` alone if its answer has to stand yet, else what lies before the next
        such one, at most ``last``."""
        for height in range(first, min(last, first + AHEAD_BLOCKS) + 1):
            if self._standing.waits(self._hashes.get(height, "")):
                return max(first, height - 1)
        return last

    def unheard(self, waits: int, last: int) -> list[int]:
        """The heights behind the one that waits which nobody was asked for, ascending; those below are forgotten."""
        self._hashes = {height: known for height, known in self._hashes.items() if height >= waits}
        behind = range(waits + 1, min(last, waits + AHEAD_BLOCKS) + 1)
        return [height for height in behind if height not in self._hashes]
