"""What a batch leaves in Postgres: collected while records are taken, written in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ft.sql.queries import load_of
from ft.sql.session import Connection
from ft.streams.worker.chain_reader.canonical import Block, Chain
from ft.streams.worker.chain_reader.coverage import Coverage, Stretch
from ft.streams.worker.chain_reader.reader import Reading

_COLUMNS = ("number", "hash", "parent", "time", "final", "proof", "raw_offset", "digest", "reasons")
BlockKey = tuple[int, str]


@dataclass(slots=True, kw_only=True)
class UnitOfWork:
    """Everything that one transaction of a reader writes, beside the fence."""

    network: str
    appended: list[int] = field(default_factory=list)
    """Heights of blocks that were decoded now."""
    events: int = 0
    canonical: dict[BlockKey, Block] = field(default_factory=dict)
    reverted: dict[BlockKey, Block] = field(default_factory=dict)
    ever_reverted: dict[BlockKey, int] = field(default_factory=dict)
    """With the raw offset of the last revert."""
    covered: list[tuple[int, str | None, str, int]] = field(default_factory=list)
    """(height, proof, reasons, raw offset) in the order of the log; no proof: uncovered."""
    late: dict[int, int] = field(default_factory=dict)
    """Height -> raw offset of the last record that changed it below a head, or took from it what was not known for
    good."""
    kept: dict[BlockKey, Any] = field(default_factory=dict)
    """What the consumer wants to write down of a block."""
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    reorg_depth: int = 0
    """Blocks that the reorg in progress has reverted so far."""
    reorg_depths: list[int] = field(default_factory=list)
    """Of the reorgs that ended."""

    def put(self, block: Block) -> None:
        """The row is canonical with this content."""
        key = (block.number, block.hash)
        self.canonical[key] = block
        self.reverted.pop(key, None)

    def retract(self, block: Block, raw_offset: int) -> None:
        """The row is not canonical any more; what the block left goes with it."""
        key = (block.number, block.hash)
        self.canonical.pop(key, None)
        self.reverted[key] = block
        self.ever_reverted[key] = raw_offset
        self.kept.pop(key, None)
        self.covered.append((block.number, None, "", raw_offset))
        if any((row["block_number"], row["block_hash"]) == key for row in self.quarantine):
            self.come_late(block, raw_offset)

    def cover(self, block: Block, raw_offset: int) -> None:
        """The row's height was read, as well proven as the row says."""
        self.covered.append((block.number, block.proof, block.reasons, raw_offset))

    def come_late(self, block: Block, raw_offset: int) -> None:
        """Whoever has not read as far shows something else at this height than coverage will count."""
        self.late[block.number] = raw_offset

    def end_reorg(self) -> None:
        """Something else than a revert came."""
        if self.reorg_depth:
            self.reorg_depths.append(self.reorg_depth)
            self.reorg_depth = 0


async def write(conn: Connection, reading: Reading[Any], unit: UnitOfWork, chain: Chain) -> None:
    """Write the unit and where the fold stands now, in the open transaction."""
    sql, network = load_of("chain_reader", reading.schema), {"network": unit.network}
    await reading.kept.write_first(conn, unit)
    if unit.reverted:
        await conn.execute(sql["write_reverted"], network | _columns(unit.reverted.values()))
    if unit.canonical:
        await conn.execute(sql["write_canonical"], network | _columns(unit.canonical.values()))
    if unit.ever_reverted:
        quarantined = await conn.execute(sql["revert_quarantine"], network | keys_of(unit.ever_reverted))
        # Whoever has not read the revert shows the block with its hole, which nothing else tells of any more.
        for number, block_hash in await quarantined.fetchall():
            unit.late.setdefault(number, unit.ever_reverted[number, block_hash])
    await _write_coverage(conn, sql, unit)
    await reading.kept.write_last(conn, unit)
    await _write_quarantine(conn, sql, unit)
    for row in unit.dead_letters:
        await conn.execute(sql["write_dead_letter"], row)
    await conn.execute(sql["write_head"], network | _head(chain))


def keys_of(blocks: Iterable[BlockKey]) -> dict[str, list[Any]]:
    """Numbers and hashes, as columns in one order."""
    keys = sorted(blocks)
    return {"number": [number for number, _ in keys], "hash": [block_hash for _, block_hash in keys]}


def _columns(blocks: Iterable[Block]) -> dict[str, list[Any]]:
    rows = sorted(blocks, key=lambda block: (block.number, block.hash))
    return {name: [getattr(block, name) for block in rows] for name in _COLUMNS}


def _head(chain: Chain) -> dict[str, Any]:
    marks = chain.marks()
    return {
        "claim_offset": chain.claim_offset,
        "broken": chain.broken,
        "head_number": marks.head_number,
        "head_hash": marks.head_hash,
        "head_time": marks.head_time,
        "safe": chain.safe,
        "finalized": marks.finalized,
        "position": chain.position,
        "late_position": chain.late_position,
        "unfinal_from": chain.lowest_unfinal,
    }


async def _write_coverage(conn: Connection, sql: Mapping[str, str], unit: UnitOfWork) -> None:
    if not unit.covered:
        return
    network = {"network": unit.network}
    heights = [height for height, *_ in unit.covered]
    cursor = await conn.execute(sql["coverage_around"], network | {"low": min(heights), "high": max(heights)})
    coverage = Coverage(
        Stretch(low=row[0], high=row[1], proof=row[2], raw_offset=row[3], reasons=row[4])
        for row in await cursor.fetchall()
    )
    for height, proof, reasons, raw_offset in unit.covered:
        if proof is None:
            coverage.cut(height, raw_offset)
        else:
            coverage.add(height, proof, raw_offset, reasons)
    gone, written = coverage.changes()
    if gone:
        await conn.execute(sql["drop_coverage"], network | {"lows": gone})
    if written:
        names = ("low", "high", "proof", "raw_offset", "reasons")
        rows = {name: [getattr(stretch, name) for stretch in written] for name in names}
        await conn.execute(sql["write_coverage"], network | rows)


async def _write_quarantine(conn: Connection, sql: Mapping[str, str], unit: UnitOfWork) -> None:
    """One block may leave tens of thousands."""
    if not unit.quarantine:
        return
    states = [
        "reverted" if (row["block_number"], row["block_hash"]) in unit.reverted else "open" for row in unit.quarantine
    ]
    rows = [row | {"state": state} for row, state in zip(unit.quarantine, states, strict=True)]
    async with conn.cursor() as cursor:
        await cursor.executemany(sql["write_quarantine"], rows)


async def load_chain(conn: Connection, reading: Reading[Any]) -> Chain:
    """The chain as the last committed batch left it."""
    sql, key = load_of("chain_reader", reading.schema), {"network": reading.network}
    row = await (await conn.execute(sql["head"], key)).fetchone()
    if row is None:
        return Chain()
    chain = Chain(claim_offset=row[0], broken=row[1], safe=row[2], position=row[3], late_position=row[4])
    chain.load(_blocks(await (await conn.execute(sql["standing_rows"], key)).fetchall()))
    return chain


async def newest_rows(conn: Connection, reading: Reading[Any], rows: int) -> list[Block]:
    """The highest canonical rows."""
    query = load_of("chain_reader", reading.schema)["newest_rows"]
    cursor = await conn.execute(query, {"network": reading.network, "rows": rows})
    return _blocks(await cursor.fetchall())


async def load_rows(
    conn: Connection, reading: Reading[Any], heights: Sequence[int], reverted: Sequence[int]
) -> list[Block]:
    """Canonical rows at ``heights``, and those that may become the head once the rows at ``reverted`` are gone."""
    sql, network, found = load_of("chain_reader", reading.schema), reading.network, []
    if heights:
        cursor = await conn.execute(sql["rows_at"], {"network": network, "heights": list(heights)})
        found += _blocks(await cursor.fetchall())
    if reverted:
        cursor = await conn.execute(sql["rows_below"], {"network": network, "heights": list(reverted)})
        found += _blocks(await cursor.fetchall())
    return found


def _blocks(rows: Iterable[Sequence[Any]]) -> list[Block]:
    return [
        Block(
            number=row[0],
            hash=row[1],
            parent=row[2],
            time=row[3],
            final=row[4],
            proof=row[5],
            raw_offset=row[6],
            digest=row[7],
            reasons=row[8],
        )
        for row in rows
    ]
