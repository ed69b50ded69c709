"""raw -> normalized: what the ledger's reading of a network makes of its blocks, and what it keeps beside the chain.

The chain itself (which blocks count, positions, watermarks, coverage, quarantine) is read by
``ft.streams.worker.chain_reader``, for the ledger as for every other consumer of a raw log.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ft.agents.decode.events import CreatedContract, Events
from ft.agents.decode.families import decode
from ft.agents.normalize import slices
from ft.agents.normalize.contracts import NO_CONTRACTS, Contracts, contracts_of
from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock, to_record
from ft.schemas.unbroken import stretches
from ft.sql.queries import load
from ft.sql.session import Connection
from ft.streams.kafka.topics import Topics
from ft.streams.worker.chain_reader.envelope import Envelope
from ft.streams.worker.chain_reader.reader import Decoded, Reading
from ft.streams.worker.chain_reader.unit_of_work import BlockKey, UnitOfWork, keys_of

CONSUMER: Final = "normalize"


def reading_of(topics: Topics, slug: str, family: str, codec: Codec) -> Reading[Events]:
    """The ledger's of one network. ``codec``: of ledger.normalized."""
    kept = LedgerKept(slug)
    return Reading(
        consumer=CONSUMER, network=slug, raw_topic=topics.raw(slug), topic=topics.normalized,
        events=LedgerEvents(family, kept, codec), kept=kept, counts_reorgs=True,
    )  # fmt: skip


class LedgerEvents:
    """NFT events, a slice for the partition of each contract."""

    def __init__(self, family: str, kept: "LedgerKept", codec: Codec) -> None:
        self._family = family
        self._kept = kept
        self._codec = codec

    def decode(self, record: RawBlock, offset: int, partitions: int) -> Decoded[Events]:
        """Raises MalformedRecord."""
        decoded = decode(record, self._family, self._kept.contracts.at(offset))
        return Decoded(
            slices=slices.split(record.network, decoded.events, partitions),
            quarantined=decoded.quarantined,
            kept=decoded.created,
        )

    def digest(self, part: Events) -> str:
        return slices.digest(part)

    def fitting(self, part: Events, bytes_max: int) -> tuple[Events, Mapping[str, int]]:
        return slices.fitting(part, bytes_max)

    def encode(self, envelope: Envelope, part: Events | None, digest: str) -> bytes:
        return self._codec.encode(to_record(slices.record(envelope, part, digest)))


class LedgerKept:
    """``ingest.created``, which contracts were read from where on, and what was read late."""

    def __init__(self, network: str) -> None:
        self.contracts: Contracts = NO_CONTRACTS
        """Those that are older than the token standards."""
        self._network = {"network": network}
        self._position = 0
        self._undecoded = False
        """Whether some blocks were read before a contract was listed."""

    async def load(self, conn: Connection, next_offset: int) -> None:
        """Which contracts are listed, by where in the log each came."""
        sql = load("normalize")
        rows = await (await conn.execute(sql["contracts"], self._network)).fetchall()
        self.contracts = contracts_of([(row[0], row[1], row[2]) for row in rows], next_offset)
        self._position = next_offset
        row = await (await conn.execute(sql["any_undecoded"], self._network)).fetchone()
        self._undecoded = bool(row and row[0])

    async def write_first(self, conn: Connection, unit: UnitOfWork) -> None:
        """Before the coverage grows by what was read with contracts that are new."""
        sql, fresh = load("normalize"), self.contracts.fresh
        if fresh:
            values = self._network | {"contracts": list(fresh), "position": self._position}
            await conn.execute(sql["note_undecoded"], values)
            await conn.execute(sql["put_in_force"], values)
        if (self._undecoded or fresh) and unit.appended:
            await conn.execute(sql["decoded_again"], self._network | {"heights": unit.appended})
            await conn.execute(sql["drop_decoded"], self._network)
        if unit.ever_reverted:
            await conn.execute(sql["forget_created"], self._network | keys_of(unit.ever_reverted))

    async def write_last(self, conn: Connection, unit: UnitOfWork) -> None:
        """What came late, and the contracts that blocks created."""
        if unit.late:
            await self._write_late(conn, unit.late)
        if rows := list(_created(unit.kept)):
            names = ("contract", "number", "hash", "tx_hash", "reasons")
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            await conn.execute(load("normalize")["write_created"], self._network | columns)

    def committed(self) -> None:
        """The contracts that were new are in force."""
        self._undecoded = self._undecoded or bool(self.contracts.fresh)
        self.contracts = self.contracts.in_force()

    async def _write_late(self, conn: Connection, late: Mapping[int, int]) -> None:
        """What no partition can be behind any more is forgotten with that."""
        sql = load("normalize")
        await conn.execute(sql["forget_late"], self._network)
        runs = [
            (low, high, max(late[height] for height in range(low, high + 1))) for low, high in stretches(sorted(late))
        ]
        rows = dict(zip(("low", "high", "raw_offset"), map(list, zip(*runs, strict=True)), strict=True))
        await conn.execute(sql["write_late"], self._network | rows)


def _created(kept: Mapping[BlockKey, Any]) -> Iterable[tuple[str, int, str, str, str]]:
    contracts: Iterable[CreatedContract]
    for (number, block_hash), contracts in kept.items():
        for each in contracts:
            yield each.contract, number, block_hash, each.tx_hash, ",".join(each.reasons)
