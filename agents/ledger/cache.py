"""What the ledger remembers between two transactions of a claim: where it stands, and the unfinal blocks' transactions.

Transactions are in memory and in RocksDB (the table ``applied``), as far as their networks say that a hash never comes
twice; of the others the journal is asked. Standings are in memory only. Everything here can be read again from
Postgres; losing it slows a worker and changes no outcome.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol, TypeAlias

from ft.agents.ledger import reads as ledger_reads
from ft.agents.ledger.hashes import Asked
from ft.agents.ledger.kinds import NOTHING_MET, Contract
from ft.agents.ledger.posting import NetworkKey, PartitionHead, Posting, Slice
from ft.agents.ledger.repeats import plain_digests
from ft.agents.ledger.unsettled import BLOCKS_MAX, Marks, Unsettled
from ft.agents.ledger.validated_input import Block, Head
from ft.sql.queries import load
from ft.sql.session import Connection
from ft.streams.worker.fence import Claim

_INDEX: Final = b"\x02index"
"""The list of blocks. ``\x01index`` was that of another version, which kept event ids: it is not read."""
_DIGEST_BYTES: Final = 16
_CONTRACTS_MAX: Final = 20_000
"""Of a partition, about 5 MB; the others are asked for again."""
BlockKey: TypeAlias = tuple[str, str]
"""network, block hash"""


class AppliedTable(Protocol):
    """One claim's RocksDB folder: :class:`ft.streams.worker.tables.Table`."""

    def fits(self, claim: Claim) -> bool: ...

    def get(self, keys: Collection[bytes]) -> dict[bytes, bytes]: ...

    def write(self, changes: Mapping[bytes, bytes | None], claim: Claim) -> None: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


OpenTable: TypeAlias = Callable[[Claim], AppliedTable]


@dataclass(slots=True)
class _Partition:
    epoch: int
    partition_heads: dict[str, PartitionHead] = field(default_factory=dict)
    live: dict[str, dict[bytes, str]] = field(default_factory=dict)
    """Network -> digest of a transaction's hash -> hash of its block."""
    blocks: dict[BlockKey, tuple[int, list[bytes]]] = field(default_factory=dict)
    """Height and digests of each unfinal block."""
    changed: set[BlockKey] = field(default_factory=set)
    """Blocks that the table does not have as they are here."""
    kinds: dict[Contract, int] = field(default_factory=dict)
    """Which holdings contracts tell of, as far as they were met."""
    copied: set[str] = field(default_factory=set)
    """Networks of which transactions have been live twice here."""

    def put(self, key: BlockKey, number: int, digests: list[bytes]) -> None:
        self.blocks[key] = (number, digests)
        self.live.setdefault(key[0], {}).update(dict.fromkeys(digests, key[1]))
        self.changed.add(key)

    def drop(self, key: BlockKey) -> None:
        if key not in self.blocks:
            return
        _, digests = self.blocks.pop(key)
        live = self.live[key[0]]
        for digest in digests:
            if live.get(digest) == key[1]:
                del live[digest]
        self.changed.add(key)

    def meet(self, kinds: Mapping[Contract, int]) -> None:
        if len(self.kinds) + len(kinds) > _CONTRACTS_MAX:
            self.kinds.clear()
        self.kinds.update(kinds)

    def prune(self, network: str) -> None:
        """Forget the blocks that are final by now."""
        unfinal_from = self.partition_heads[network].unfinal_from()
        for key in [key for key, (number, _) in self.blocks.items() if key[0] == network and number < unfinal_from]:
            self.drop(key)


class Cache:
    """By partition; filled within the first transaction of a claim."""

    def __init__(self, open_table: OpenTable | None = None) -> None:
        self._open = open_table
        self._partitions: dict[int, _Partition] = {}
        self._tables: dict[int, tuple[int, AppliedTable]] = {}
        self._repeating: dict[str, bool] = {}
        self.hash_months: dict[str, set[date]] = {}
        """Network -> months in which its transactions are looked for by their hash."""
        self.outdated = False
        """Whether months are kept of networks whose hashes do not come twice: they are to be forgotten."""

    def holds(self, claim: Claim) -> bool:
        """Whether what is remembered of the partition belongs to this claim."""
        found = self._partitions.get(claim.partition)
        return found is not None and found.epoch == claim.epoch

    def forget(self) -> None:
        """Remember nothing; the tables stay, and are believed if they fit."""
        self._partitions.clear()

    def keep(self, partitions: Collection[int]) -> None:
        """Let go of the partitions that are no longer held."""
        for partition in [p for p in self._tables if p not in partitions]:
            self._tables.pop(partition)[1].close()
        for partition in [p for p in self._partitions if p not in partitions]:
            del self._partitions[partition]

    def close(self) -> None:
        """Remember nothing and let go of the tables."""
        self.keep(())

    def partition_heads(self, partitions: Collection[int]) -> dict[NetworkKey, PartitionHead]:
        """Where these partitions stand in each network."""
        return {
            (partition, network): partition_head
            for partition in partitions
            if partition in self._partitions
            for network, partition_head in self._partitions[partition].partition_heads.items()
        }

    def live(self, partitions: Collection[int]) -> dict[NetworkKey, Mapping[bytes, str]]:
        """Digest of a transaction's hash -> hash of the unfinal block under which it is live."""
        return {
            (partition, network): live
            for partition in partitions
            for network, live in self._partitions[partition].live.items()
        }

    def kinds(self, partitions: Collection[int]) -> dict[int, Mapping[Contract, int]]:
        """Which holdings contracts of these partitions tell of, as far as they were met."""
        return {partition: self._partitions[partition].kinds for partition in partitions}

    def repeats(self, network: str) -> bool:
        """Whether the network's transaction hashes may come twice."""
        return self._repeating.get(network, True)

    def asked(self, partitions: Collection[int], networks: Collection[str]) -> Asked:
        """What has to be asked of the hashes of these networks in these partitions."""
        return Asked(
            repeat=frozenset(filter(self.repeats, networks)),
            months=self.hash_months,
            copied={(p, network) for p in partitions for network in self._partitions[p].copied if network in networks},
        )

    async def fill(self, conn: Connection, claims: Mapping[int, Claim]) -> None:
        """Read what is not remembered of these claims, inside their transaction."""
        missing = {partition: claim for partition, claim in claims.items() if not self.holds(claim)}
        if not missing:
            return
        fresh = {partition: _Partition(epoch=claim.epoch) for partition, claim in missing.items()}
        cursor = await conn.execute(load("ledger")["standings"], {"partitions": sorted(missing)})
        for row in await cursor.fetchall():
            fresh[row[0]].partition_heads[row[1]] = PartitionHead(
                position=row[2],
                head=Head(row[3], row[4], row[5], row[6], row[7]),
                head_time=row[5],
                reorg_from=row[8],
                reorg_to=row[9],
                reverted_max=row[10],
                told=Marks(row[11], row[12]),
            )
        await _fill_unsettled(conn, fresh)
        cursor = await conn.execute(load("ledger")["copied"], {"partitions": sorted(missing)})
        for partition, network in await cursor.fetchall():
            fresh[partition].copied.add(network)
        await self._fill_hashes(conn)
        for partition, found in fresh.items():
            table = self._table(missing[partition])
            if table is not None and table.fits(missing[partition]) and _read_table(table, found):
                continue
            if table is not None:
                table.reset()
            for network, partition_head in found.partition_heads.items():
                if self.repeats(network):
                    continue
                await _refill(conn, partition, network, partition_head, found)
        self._partitions.update(fresh)

    async def _fill_hashes(self, conn: Connection) -> None:
        queries = load("ledger")
        self._repeating = dict(await (await conn.execute(queries["repeating"])).fetchall())
        self.hash_months = {}
        for network, month in await (await conn.execute(queries["hash_months"])).fetchall():
            self.hash_months.setdefault(network, set()).add(month)
        self.outdated = not all(map(self.repeats, self.hash_months))

    def learn(
        self, posting: Posting, claims: Mapping[int, Claim], kinds: Mapping[int, Mapping[Contract, int]] = NOTHING_MET
    ) -> None:
        """Take over what was committed; the claims have moved already. ``kinds``: by partition, of contracts that were
        met now."""
        for partition, met in kinds.items():
            self._partitions[partition].meet(met)
        for (partition, network), partition_head in posting.partition_heads.items():
            self._partitions[partition].partition_heads[network] = partition_head
        for (partition, network, block_hash), slice_ in posting.slices.items():
            state, key = self._partitions[partition], (network, block_hash)
            state.drop(key)
            digests = posting.unfinal.get((partition, network, block_hash))
            if slice_.applied and digests:
                state.put(key, slice_.block.number, digests)
        for partition, network in posting.partition_heads:
            self._partitions[partition].prune(network)
        for partition, network, _, _ in posting.copies:
            self._partitions[partition].copied.add(network)
        for partition, claim in claims.items():
            table = self._table(claim)
            if table is not None:
                table.write(_changes(self._partitions[partition]), claim)

    def _table(self, claim: Claim) -> AppliedTable | None:
        """The claim's table, opened once a claim."""
        if self._open is None:
            return None
        epoch, table = self._tables.get(claim.partition, (None, None))
        if epoch == claim.epoch:
            return table
        if table is not None:
            table.close()
        self._tables[claim.partition] = (claim.epoch, self._open(claim))
        return self._tables[claim.partition][1]


def _changes(state: _Partition) -> dict[bytes, bytes | None]:
    """What to write: the changed blocks, and the list of all; nothing but the stamp where none changed."""
    if not state.changed:
        return {}
    changes: dict[bytes, bytes | None] = {_INDEX: json.dumps(list(state.blocks)).encode()}
    for key in state.changed:
        number, digests = state.blocks.get(key, (0, None))
        changes[_block_key(key)] = None if digests is None else number.to_bytes(8, "big") + b"".join(digests)
    state.changed.clear()
    return changes


def _read_table(table: AppliedTable, found: _Partition) -> bool:
    """False: it has no list of blocks, or broke while it was read; nothing was taken from it."""
    index = table.get([_INDEX]).get(_INDEX)
    if index is None:
        return False
    keys = [(network, block_hash) for network, block_hash in json.loads(index)]
    packed = table.get([_block_key(key) for key in keys])
    if len(packed) != len(keys):
        return False
    for key in keys:
        value = packed[_block_key(key)]
        digests = [value[at : at + _DIGEST_BYTES] for at in range(8, len(value), _DIGEST_BYTES)]
        found.put(key, int.from_bytes(value[:8], "big"), digests)
    found.changed.clear()
    return True


def _block_key(key: BlockKey) -> bytes:
    return f"{key[0]} {key[1]}".encode()


async def _fill_unsettled(conn: Connection, fresh: Mapping[int, _Partition]) -> None:
    """Which announced blocks the marks have yet to move over. Where that cannot be read, any may be one."""
    by_network: dict[str, dict[int, PartitionHead]] = {}
    for partition, found in fresh.items():
        for network, partition_head in found.partition_heads.items():
            by_network.setdefault(network, {})[partition] = partition_head
    (bare,) = await (await conn.execute(load("ledger")["has_bare_months"])).fetchone() or (True,)
    for network, partition_heads in by_network.items():
        above = {p: max(s.told.finalized, s.head.number - BLOCKS_MAX) for p, s in partition_heads.items()}
        values = {"network": network, "above": min(above.values()), "partitions": sorted(partition_heads)}
        rows = await (await conn.execute(load("ledger")["unsettled"], values)).fetchall()
        for partition, partition_head in partition_heads.items():
            unread = partition_head.head.number if bare else above[partition]
            partition_head.unsettled = Unsettled(
                (number for p, number in rows if p == partition and number > above[partition]),
                above=unread if unread > partition_head.told.finalized else -1,
            )


async def _refill(
    conn: Connection, partition: int, network: str, partition_head: PartitionHead, found: _Partition
) -> None:
    values = {"network": network, "partition": partition, "unfinal_from": partition_head.unfinal_from()}
    rows = await (await conn.execute(load("ledger")["unfinal"], values)).fetchall()
    for number, block_hash, seq_from, seq_to, time in rows:
        slice_ = Slice(
            applied=True, block=Block(number, block_hash, time), digest="", proof="", seq_from=seq_from, seq_to=seq_to
        )
        columns, _ = await ledger_reads.slice_rows(conn, partition, slice_)
        found.put((network, block_hash), number, plain_digests(columns.tx_hash))
