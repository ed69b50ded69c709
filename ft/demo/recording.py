"""A recorded chain: what a follower of one node saw, step by step, and every block it saw, byte for byte.

``chain.json.gz`` beside this file is the one that ``ft demo`` ingests.
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ft.errors import FtError

SHIPPED: Final = Path(__file__).with_name("chain.json.gz")


class RecordingError(FtError):
    """A recording cannot be read, or does not hold together; the message says which file or step."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the node found new. ``chain`` holds only the heights whose block changed."""

    head: int
    safe: int
    finalized: int
    chain: dict[int, str]


class RecordedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The node's answers about one block, as JSON text: with full transactions, and all its receipts."""

    block: msgspec.Raw
    receipts: msgspec.Raw


class RecordedContract(msgspec.Struct, frozen=True, kw_only=True):
    """``standard``: erc721, erc1155, erc20 or seaport. Addresses are lower-case."""

    address: str
    standard: str


class RecordedReorg(msgspec.Struct, frozen=True, kw_only=True, rename={"from_block": "from", "to_block": "to"}):
    """Blocks ``from_block`` down to ``to_block`` were undone, above the block at ``ancestor``."""

    from_block: int
    to_block: int
    depth: int
    ancestor: int
    ancestor_hash: str


class RecordedSale(msgspec.Struct, frozen=True, kw_only=True):
    """One sale that stands at the end. ``price_wei`` is what the buyer paid, fee included."""

    tx_hash: str
    collection: str
    token_id: str
    seller: str
    buyer: str
    price_wei: str
    fee_wei: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the contracts say at the end, by collection name. Numbers that may be large are decimal strings."""

    owners: dict[str, dict[str, str]] = {}
    """ERC-721: every live token and its owner."""
    balances: dict[str, dict[str, dict[str, str]]] = {}
    """ERC-1155: token, account, balance above zero."""
    supply: dict[str, str] = {}
    """Tokens that exist (ERC-721), units that exist (ERC-1155)."""
    reorgs: list[RecordedReorg] = []
    sales: list[RecordedSale] = []
    gone: list[str] = []
    """Hashes of transactions that a reorg undid and that never came back."""
    returned: list[str] = []
    """Hashes of transactions that a reorg undid and that stand in another block now."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded chain. Make one with :func:`load_recording` or :meth:`from_blocks`."""

    note: str
    chain_id: int
    contracts: dict[str, RecordedContract] = {}
    steps: list[Step]
    blocks: dict[str, RecordedBlock]
    """By block hash; blocks that a reorg undid are here too."""
    expected: Expected = Expected()

    @classmethod
    def from_blocks(
        cls, chain_id: int, blocks: Iterable[tuple[bytes, bytes]], *, step_per_block: bool = False
    ) -> "Recording":
        """A chain of given blocks: pairs of the JSON of eth_getBlockByNumber (full) and eth_getBlockReceipts.

        All is known, and final, at once; with ``step_per_block`` a block at a time, in the given order, and final
        as soon as it is known. The heights need not be consecutive. Raises RecordingError for JSON that is no block.
        """
        known: dict[str, RecordedBlock] = {}
        places: list[tuple[int, str]] = []
        for block, receipts in blocks:
            place = place_of(block)
            known[place.hash] = RecordedBlock(block=msgspec.Raw(block), receipts=msgspec.Raw(receipts))
            places.append((place.height, place.hash))
        groups = [[place] for place in places] if step_per_block else [places]
        heads = [max(height for height, _ in group) for group in groups if group]
        steps = [
            Step(head=head, safe=head, finalized=head, chain=dict(group))
            for head, group in zip(heads, groups, strict=True)
        ]
        return cls(note="given blocks", chain_id=chain_id, steps=steps, blocks=known)

    def write(self, path: Path) -> None:
        """Write it; the same recording gives the same bytes."""
        path.write_bytes(gzip.compress(msgspec.json.encode(self), compresslevel=9, mtime=0))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block says it belongs."""

    height: int
    hash: str
    parent: str


class _Header(msgspec.Struct):
    number: str
    hash: str
    parentHash: str  # noqa: N815 (the node's word)


def place_of(block: bytes | msgspec.Raw) -> Place:
    """Height, hash and parent hash in a block's JSON. Raises RecordingError if it is none."""
    try:
        header = msgspec.json.decode(block, type=_Header)
        return Place(int(header.number, 16), header.hash, header.parentHash)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise RecordingError(f"expected the JSON of a block, got {bytes(block)[:80]!r}: {exc}") from exc


def load_recording(path: Path = SHIPPED) -> Recording:
    """Read a recording; by default the demo chain that ft ships. Raises RecordingError if it cannot be read."""
    try:
        return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=Recording)
    except (OSError, EOFError, msgspec.MsgspecError) as exc:
        remedy = "Record it again: python -m tests.devnet.record <path>"
        raise RecordingError(f"{path}: expected a recorded chain, got {exc}. {remedy}") from exc
