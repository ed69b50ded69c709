"""raw -> normalized, the RocksDB table of a network: height -> its canonical block, as Postgres has it."""

from collections.abc import Iterable, Sequence

import msgspec

from ft.agents.normalize.canonical import Block
from ft.agents.normalize.harvest import Harvest
from ft.config import Config
from ft.streams.checkpoint import Claim
from ft.streams.tables import Table

REFILL_MAX = 10_000
"""Newest canonical rows that a table is filled with again; older ones are asked from Postgres."""
_Row = tuple[int, str, str, int, bool, str, int, str]
_DECODER = msgspec.msgpack.Decoder(_Row)


class Dedup:
    """Opened under a claim. A height that is not here may still be in Postgres."""

    def __init__(self, config: Config, claim: Claim) -> None:
        self._table = Table(config, claim)
        self.fits = self._table.fits(claim)
        """False: it must be filled again (:meth:`refill`)."""
        if not self.fits:
            self._table.reset()

    def refill(self, blocks: Iterable[Block], claim: Claim) -> None:
        """Fill an empty table from what Postgres has."""
        self._table.write({_key(block.number): _value(block) for block in blocks}, claim)
        self.fits = True

    def rows(self, heights: Sequence[int]) -> list[Block]:
        """The canonical blocks at those of the heights that are here."""
        return [_block(value) for value in self._table.get(map(_key, heights)).values()]

    def take(self, harvest: Harvest, claim: Claim) -> None:
        """Follow what was just committed; the claim has moved already."""
        changes: dict[bytes, bytes | None] = {_key(block.number): None for block in harvest.reverted.values()}
        changes |= {_key(block.number): _value(block) for block in harvest.canonical.values()}
        self._table.write(changes, claim)

    def close(self) -> None:
        self._table.close()


def _key(height: int) -> bytes:
    return b"b" + height.to_bytes(8, "big")


def _value(block: Block) -> bytes:
    row = (block.number, block.hash, block.parent, block.time, block.final, block.proof, block.raw_offset, block.digest)
    return msgspec.msgpack.encode(row)


def _block(value: bytes) -> Block:
    number, block_hash, parent, time, final, proof, raw_offset, digest = _DECODER.decode(value)
    return Block(
        number=number,
        hash=block_hash,
        parent=parent,
        time=time,
        final=final,
        proof=proof,
        raw_offset=raw_offset,
        digest=digest,
    )
