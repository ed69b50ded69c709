"""The RocksDB table of a network: height -> its canonical block, as Postgres has it."""

from collections.abc import Iterable, Sequence

import msgspec

from ft.config import Config
from ft.streams.worker.chain_reader.canonical import Block
from ft.streams.worker.chain_reader.unit_of_work import UnitOfWork
from ft.streams.worker.fence import Claim
from ft.streams.worker.tables import Table

REFILL_MAX = 10_000
"""Newest canonical rows that a table is filled with again; older ones are asked from Postgres."""


class _Row(msgspec.Struct, array_like=True, gc=False):
    """A row as its value holds it; one of an older version has no reasons."""

    number: int
    hash: str
    parent: str
    time: int
    final: bool
    proof: str
    raw_offset: int
    digest: str
    reasons: str = ""


_DECODER = msgspec.msgpack.Decoder(_Row)
_NAMES = _Row.__struct_fields__


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

    def take(self, unit: UnitOfWork, claim: Claim) -> None:
        """Follow what was just committed; the claim has moved already."""
        changes: dict[bytes, bytes | None] = {_key(block.number): None for block in unit.reverted.values()}
        changes |= {_key(block.number): _value(block) for block in unit.canonical.values()}
        self._table.write(changes, claim)

    def close(self) -> None:
        self._table.close()


def _key(height: int) -> bytes:
    return b"b" + height.to_bytes(8, "big")


def _value(block: Block) -> bytes:
    return msgspec.msgpack.encode(tuple(getattr(block, name) for name in _NAMES))


def _block(value: bytes) -> Block:
    row = _DECODER.decode(value)
    return Block(**{name: getattr(row, name) for name in _NAMES})
