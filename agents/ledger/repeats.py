"""Pure: what the transactions of a batch are called where a transaction's hash comes in two live blocks.

The journal calls a transaction by its hash, and one that is already live under another block by its hash with a number
behind it: ``0x…~2``. What is made of the hash (event ids, revisions, retractions) then is unique by itself.
1. nothing of the hash is live: it is taken as it is
2. it is live: the lowest number from 2 on that is not
3. a retraction repeats the journal's rows, number included, and so makes the number free
A transaction is looked at in its partition, where all events of a contract are: what others hold changes no name.
"""

from bisect import insort
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final, TypeAlias

from ft.agents.ledger.validated_input import Append, Columns
from ft.schemas.ids import REPEATED

PartitionOf: TypeAlias = tuple[int, str]
"""partition, network"""
HashKey: TypeAlias = tuple[int, str, str]
"""partition, network, transaction hash"""
CopyKey: TypeAlias = tuple[int, str, str, int]
"""partition, network, transaction hash, number of the copy: 1 for the hash as it is"""
_FIRST: Final = 1


@dataclass(slots=True)
class Copies:
    """A transaction that has been live twice."""

    plain: bool
    """Whether the hash is live as it is."""
    free: list[int]
    """Numbers that are not live any more, from the lowest up; as many as the batch may take."""
    top: int
    """The highest number that was ever given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashes:
    """What the ledger knows of the transactions that a batch names."""

    repeat: Collection[str] = frozenset()
    """Networks whose hashes may come twice: asked for in the journal."""
    plain: Mapping[PartitionOf, Set[str]] = field(default_factory=dict)
    """Of these networks: hashes that are live as they are."""
    copies: Mapping[HashKey, Copies] = field(default_factory=dict)
    """Those that have been live twice."""


class Repeats:
    """Names the transactions of a batch, slice by slice.

    ``unfinal``: of networks that are not asked for: digest of a hash -> the unfinal block under which it is live.
    ``changed``: takes the copies that became live (True) or free (False).
    """

    def __init__(
        self, hashes: Hashes, unfinal: Mapping[PartitionOf, Mapping[bytes, str]], changed: dict[CopyKey, bool]
    ) -> None:
        self._hashes = hashes
        self._unfinal = unfinal
        self._changed = changed
        self._copies: dict[HashKey, Copies] = {}
        self._mine: dict[PartitionOf, dict[str, str]] = {}
        """Hash -> the block under which it became live as it is; '' if it was retracted."""

    def named(self, step: Append) -> tuple[Columns, list[bytes]]:
        """The slice's events with their transactions' names, and the digests to remember of it: of a network whose
        hashes do not repeat, as long as the block is not final."""
        key, repeat = (step.partition, step.network), step.network in self._hashes.repeat
        unfinal = not repeat and step.block.number > step.head.finalized
        if not (repeat or unfinal or self._hashes.copies):
            return step.columns, []
        txs = list(dict.fromkeys(step.columns.tx_hash))
        digests = [hash_digest(tx_hash) for tx_hash in txs] if unfinal else []
        if self._is_nothing_live(key, txs, digests):
            self._mine.setdefault(key, {}).update(dict.fromkeys(txs, step.block.hash))
            return step.columns, digests
        names = dict[str, str]()
        for tx_hash, digest in zip(txs, digests or [b""] * len(txs), strict=True):
            copy = self._take((*key, tx_hash), step.block.hash, digest)
            if copy > _FIRST:
                names[tx_hash] = f"{tx_hash}{REPEATED}{copy}"
        columns = replace(step.columns, tx_hash=[names.get(tx, tx) for tx in step.columns.tx_hash])
        return columns, [digest for tx, digest in zip(txs, digests, strict=False) if tx not in names]

    def retract(self, key: PartitionOf, names: Collection[str]) -> None:
        """The transactions of a slice that is reverted, as the journal names them."""
        for name in dict.fromkeys(names):
            tx_hash, copy = parted(name)
            found = self._found((*key, tx_hash))
            if copy == _FIRST:
                self._mine.setdefault(key, {})[tx_hash] = ""
                if found is None:
                    continue
                found.plain = False
            else:
                if found is None:
                    found = self._copies[*key, tx_hash] = Copies(plain=True, free=[], top=copy)
                insort(found.free, copy)
            self._changed[*key, tx_hash, copy] = False

    def _is_nothing_live(self, key: PartitionOf, txs: Sequence[str], digests: Sequence[bytes]) -> bool:
        """Whether a look at all of a slice's transactions together shows nothing: as good as always."""
        return (
            not self._hashes.copies
            and not self._copies
            and all(
                found.isdisjoint(asked)
                for found, asked in (
                    (self._mine.get(key, {}).keys(), txs),
                    (self._unfinal.get(key, {}).keys(), digests),
                    (self._hashes.plain.get(key, frozenset()), txs),
                )
            )
        )

    def _take(self, key: HashKey, block_hash: str, digest: bytes) -> int:
        """The number of the copy that the transaction is in this block."""
        found = self._found(key)
        if found is None and not self._is_live(key, block_hash, digest):
            self._mine.setdefault(key[:2], {})[key[2]] = block_hash
            return _FIRST
        if found is None:
            found = self._copies[key] = Copies(plain=True, free=[], top=_FIRST)
            self._changed[*key, _FIRST] = True
        if not found.plain:
            found.plain, copy = True, _FIRST
        elif found.free:
            copy = found.free.pop(0)
        else:
            copy = found.top = found.top + 1
        self._changed[*key, copy] = True
        return copy

    def _is_live(self, key: HashKey, block_hash: str, digest: bytes) -> bool:
        where, tx_hash = key[:2], key[2]
        mine = self._mine.get(where, {}).get(tx_hash)
        if mine is not None:
            return mine not in ("", block_hash)
        if not digest:
            return tx_hash in self._hashes.plain.get(where, ())
        return self._unfinal.get(where, {}).get(digest, block_hash) != block_hash

    def _found(self, key: HashKey) -> Copies | None:
        found = self._copies.get(key)
        if found is None and (known := self._hashes.copies.get(key)) is not None:
            found = self._copies[key] = replace(known, free=list(known.free))
        return found


def parted(name: str) -> tuple[str, int]:
    """The hash of a transaction, and which copy of it the journal's name means."""
    tx_hash, _, copy = name.partition(REPEATED)
    return tx_hash, int(copy or _FIRST)


def hash_digest(tx_hash: str) -> bytes:
    """A transaction's hash in 16 bytes."""
    return blake2b(tx_hash.encode(), digest_size=16).digest()


def plain_digests(names: Sequence[str]) -> list[bytes]:
    """The digests of a slice's transactions, of those that go by their hash as it is."""
    return [hash_digest(name) for name in dict.fromkeys(names) if REPEATED not in name]
