"""What every record of a chain reader's topic says, whatever it carries. Pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ft.streams.worker.chain_reader.canonical import Block, Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A record without what it carries. ``block`` is None of a watermark."""

    network: str
    op: str
    """append | revert | watermark"""
    position: int
    """Offset of the raw record that it follows from."""
    partition: int
    marks: Marks
    block: Block | None = None
    reason: str = ""
    """Of a revert: reorg | replace."""

    def fields(self) -> dict[str, Any]:
        """The record's, by name; of a watermark without those of a block."""
        marks, block = self.marks, self.block
        found: dict[str, Any] = {
            "network": self.network, "op": self.op, "position": self.position, "partition": self.partition,
            "reason": self.reason, "head_number": marks.head_number, "head_hash": marks.head_hash,
            "head_time": marks.head_time, "safe": marks.safe, "finalized": marks.finalized,
        }  # fmt: skip
        if block is not None:
            found |= {"block_number": block.number, "block_hash": block.hash, "block_time": block.time}
            found["proof"] = block.proof
        return found


def largest(sizes: Counter[str], bytes_max: int) -> dict[str, int]:
    """Those that have to go, largest first, so that the others are ``bytes_max`` at most together; and their sizes."""
    gone: dict[str, int] = {}
    left = sizes.total()
    for key, size in sizes.most_common():
        if left <= bytes_max:
            break
        gone[key] = size
        left -= size
    return gone
