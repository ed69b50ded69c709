"""What one transaction of the ledger reads: the fence, and what is held of the slices that a batch names.

Look-ups by many keys are planned each time (``prepare=False``): a plan that is kept from when a table was small reads
all of it for as long as the connection lasts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ft.agents.columns import columns as arrays
from ft.agents.ledger.hashes import Asked, hashes, numbered
from ft.agents.ledger.posting import EventKey, Known, NetworkKey, PartitionHead, Slice, SliceKey
from ft.agents.ledger.validated_input import AnyInput, Append, Block, Columns, Revert
from ft.sql.queries import load
from ft.sql.session import Connection
from ft.streams.worker.fence import Claim


async def claims_fit(conn: Connection, topic: str, claims: Mapping[int, Claim]) -> bool:
    """Lock the fences. False: one is not where this process left it, and moving it will be refused."""
    values = {"topic": topic, "partitions": sorted(claims)}
    cursor = await conn.execute(load("ledger")["lock_claims"], values, prepare=True)
    found = {row[0]: tuple(row[1:]) for row in await cursor.fetchall()}
    return all(
        found.get(partition) == (claim.epoch, claim.next_offset, claim.next_seq) for partition, claim in claims.items()
    )


async def known(
    conn: Connection,
    steps: Sequence[AnyInput],
    claims: Mapping[int, Claim],
    *,
    partition_heads: Mapping[NetworkKey, PartitionHead],
    live: Mapping[NetworkKey, Mapping[bytes, str]],
    asked: Asked,
) -> Known:
    """Everything that posting the steps needs to know; ``standings``, ``live``, ``asked`` are the cache's."""
    slices = await _slices(conn, steps)
    rows = {
        key: await slice_rows(conn, key[0], found)
        for key in _reverted_keys(steps)
        if (found := slices.get(key)) is not None and found.applied
    }
    told = await hashes(conn, asked, _appended(steps, slices), rows)
    once_reverted = {key for key, partition_head in partition_heads.items() if partition_head.reverted_max >= 0}
    returning = [s for s in steps if isinstance(s, Append) and (s.partition, s.network) in once_reverted]
    return Known(
        partition_heads=partition_heads,
        slices=slices,
        rows=rows,
        retracted=await _retracted(conn, returning, numbered(told, rows)),
        live=live,
        hashes=told,
        next_seq={partition: claim.next_seq for partition, claim in claims.items()},
        claimed={partition: (claim.epoch, claim.times) for partition, claim in claims.items()},
    )


async def slice_rows(conn: Connection, partition: int, found: Slice) -> tuple[Columns, Sequence[int]]:
    """The events of an applied slice, and their revisions."""
    values = {"partition": partition, "seq_from": found.seq_from, "seq_to": found.seq_to, "time": found.block.time}
    cursor = await conn.execute(load("ledger")["slice_rows"], values, prepare=True)
    fields: list[Sequence[Any]] = list(zip(*await cursor.fetchall(), strict=True)) or [()] * 15
    return columns_of(fields[:14]), fields[14]


def columns_of(fields: Sequence[Sequence[Any]]) -> Columns:
    """Fourteen columns in the order of :class:`Columns`."""
    *others, echo = fields
    values = dict(zip(Columns.__slots__[:-1], others, strict=True))
    return Columns(**values, echo=echo if any(echo) else ())


def _reverted_keys(steps: Iterable[AnyInput]) -> set[SliceKey]:
    return {(step.partition, step.network, step.block.hash) for step in steps if isinstance(step, Revert)}


def _appended(steps: Sequence[AnyInput], slices: Mapping[SliceKey, Slice]) -> list[Append]:
    """The slices that are not applied, or not any more once they come."""
    applied = {key for key, found in slices.items() if found.applied} - _reverted_keys(steps)
    return [
        step
        for step in steps
        if isinstance(step, Append) and (step.partition, step.network, step.block.hash) not in applied
    ]


async def _slices(conn: Connection, steps: Iterable[AnyInput]) -> dict[SliceKey, Slice]:
    keys = {(s.partition, s.network, s.block.hash) for s in steps if isinstance(s, Append | Revert)}
    if not keys:
        return {}
    values = arrays(("partition", "network", "block_hash"), sorted(keys))
    cursor = await conn.execute(load("ledger")["slices"], values, prepare=False)
    return {
        (row[0], row[1], row[2]): Slice(
            applied=row[3],
            block=Block(row[4], row[2], row[5]),
            digest=row[6],
            proof=row[7],
            seq_from=row[8],
            seq_to=row[9],
        )
        for row in await cursor.fetchall()
    }


async def _retracted(
    conn: Connection, appends: Sequence[Append], numbered: set[tuple[str, str]]
) -> dict[EventKey, int]:
    keys = sorted({(step.network, tx_hash) for step in appends for tx_hash in step.columns.tx_hash} | numbered)
    if not keys:
        return {}
    values = arrays(("network", "tx_hash"), keys)
    cursor = await conn.execute(load("ledger")["retracted"], values, prepare=False)
    return {(row[0], row[1], row[2], row[3], row[4], row[5]): row[6] for row in await cursor.fetchall()}
