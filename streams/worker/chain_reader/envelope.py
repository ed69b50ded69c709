"""What every record of a chain reader's topic says, whatever it carries. Pure."""

from dataclasses import dataclass

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
