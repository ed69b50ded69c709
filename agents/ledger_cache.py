"""What the ledger remembers between two transactions of a claim: where it stands, and the unfinal blocks' event ids.

Everything here can be read again from Postgres; losing it slows a worker and changes no outcome.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ft.agents import ledger_reads
from ft.agents.posting import NetworkKey, Posting, Slice, SliceKey, Standing, event_digests
from ft.agents.steps import Block, Head
from ft.sql.queries import load
from ft.streams.checkpoint import Claim, Connection


@dataclass(slots=True)
class _Partition:
    epoch: int
    standings: dict[str, Standing] = field(default_factory=dict)
    live: dict[str, dict[bytes, str]] = field(default_factory=dict)
    blocks: dict[tuple[str, str], tuple[int, list[bytes]]] = field(default_factory=dict)
    """(network, block hash) -> number, digests of the event ids"""


class Cache:
    """By partition; filled within the first transaction of a claim."""

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}

    def holds(self, claim: Claim) -> bool:
        """Whether what is remembered of the partition belongs to this claim."""
        found = self._partitions.get(claim.partition)
        return found is not None and found.epoch == claim.epoch

    def forget(self) -> None:
        """Remember nothing."""
        self._partitions.clear()

    def close(self) -> None:
        self.forget()

    def standings(self, partitions: Mapping[int, Claim]) -> dict[NetworkKey, Standing]:
        """Where these partitions stand in each network."""
        return {
            (partition, network): standing
            for partition in partitions
            if partition in self._partitions
            for network, standing in self._partitions[partition].standings.items()
        }

    def live(self, partitions: Mapping[int, Claim]) -> dict[NetworkKey, Mapping[bytes, str]]:
        """Digest of an event id -> hash of the unfinal block under which it is live."""
        return {
            (partition, network): live
            for partition in partitions
            for network, live in self._partitions[partition].live.items()
        }

    async def fill(self, conn: Connection, claims: Mapping[int, Claim]) -> None:
        """Read what is not remembered of these claims, inside their transaction."""
        missing = {partition: claim for partition, claim in claims.items() if not self.holds(claim)}
        if not missing:
            return
        fresh = {partition: _Partition(epoch=claim.epoch) for partition, claim in missing.items()}
        cursor = await conn.execute(load("ledger")["standings"], {"partitions": sorted(missing)})
        for row in await cursor.fetchall():
            fresh[row[0]].standings[row[1]] = Standing(
                position=row[2], head=Head(row[3], row[4], row[5], row[6], row[7]), head_time=row[5],
                announced_position=row[8], reorg_from=row[9], reorg_to=row[10], reverted_max=row[11],
            )  # fmt: skip
        for partition, found in fresh.items():
            for network, standing in found.standings.items():
                await _refill(conn, partition, network, standing, found)
        self._partitions.update(fresh)

    def learn(self, posting: Posting, claims: Mapping[int, Claim]) -> None:
        """Take over what was committed."""
        for (partition, network), standing in posting.standings.items():
            self._partitions[partition].standings[network] = standing
        for key, found in posting.slices.items():
            self._put(key, found, posting.unfinal.get(key))
        for partition, network in posting.standings:
            self._prune(self._partitions[partition], network)

    def _put(self, key: SliceKey, found: Slice, digests: list[bytes] | None) -> None:
        partition, network, block_hash = key
        state = self._partitions[partition]
        live = state.live.setdefault(network, {})
        _, old = state.blocks.pop((network, block_hash), (0, []))
        for digest in old:
            if live.get(digest) == block_hash:
                del live[digest]
        if found.applied and digests:
            state.blocks[network, block_hash] = (found.block.number, digests)
            live.update(dict.fromkeys(digests, block_hash))

    def _prune(self, state: _Partition, network: str) -> None:
        unfinal_from = state.standings[network].unfinal_from()
        live = state.live.get(network, {})
        for key, (number, digests) in list(state.blocks.items()):
            if key[0] == network and number < unfinal_from:
                del state.blocks[key]
                for digest in digests:
                    if live.get(digest) == key[1]:
                        del live[digest]


async def _refill(conn: Connection, partition: int, network: str, standing: Standing, found: _Partition) -> None:
    values = {"network": network, "partition": partition, "unfinal_from": standing.unfinal_from()}
    rows = await (await conn.execute(load("ledger")["unfinal"], values)).fetchall()
    for number, block_hash, seq_from, seq_to, time in rows:
        slice_ = Slice(
            applied=True, block=Block(number, block_hash, time), digest="", proof="", seq_from=seq_from, seq_to=seq_to
        )
        columns, _ = await ledger_reads.slice_rows(conn, partition, slice_)
        digests = event_digests(columns)
        found.blocks[network, block_hash] = (number, digests)
        found.live.setdefault(network, {}).update(dict.fromkeys(digests, block_hash))
