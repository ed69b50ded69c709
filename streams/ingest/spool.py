"""Source: blocks that were fetched and proven, kept aside until all of them are there. In memory, and then on disk."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Final, Self

import msgspec

from ft.streams.ingest.reconcile import Row
from ft.streams.sources import Block

MEMORY_BYTES: Final = 64 << 20
"""From here on blocks go to a file without a name, which vanishes with the process."""
_DECODER: Final = msgspec.msgpack.Decoder(Block)


class Spool:
    """Give blocks in; iterate over them as often as needed, in the same order. Use as a context manager."""

    def __init__(self, folder: Path, memory_bytes: int = MEMORY_BYTES) -> None:
        """``folder``: where the file is made, if one is needed."""
        folder.mkdir(parents=True, exist_ok=True)
        self.rows: list[tuple[Row, str, int]] = []
        """Of each block: its place in the chain and the reasons that lower its proof, its proof, its number of logs."""
        self._sizes: list[int] = []
        self._file = SpooledTemporaryFile(max_size=memory_bytes, dir=str(folder))  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, block: Block) -> None:
        """Keep one more. Raises OSError where the disk is full."""
        value = msgspec.msgpack.encode(block)
        self._file.write(value)
        self._sizes.append(len(value))
        row = Row(height=block.height, hash=block.hash, parent=block.parent_hash, reasons=block.reasons)
        self.rows.append((row, block.proof, block.logs))

    def __iter__(self) -> Iterator[Block]:
        self._file.seek(0)
        for size in self._sizes:
            yield _DECODER.decode(self._file.read(size))
