"""What reads of collections ask the database for, on the connection and in the snapshot of the caller."""

from collections.abc import Sequence
from typing import Final

from ft.api.collections.rows import CollectionRow, DebitRow, OwnerRow
from ft.api.http.database import Connection, rows_of, value_of
from ft.api.http.head_reads import partition
from ft.api.http.heads import HeadRow
from ft.api.http.month_range import RangeNotIndexed, indexed_span
from ft.api.integrity.standing import is_level
from ft.sql.queries import load

COLLECTIONS: Final = load("api_collections")


async def collections(conn: Connection, network: str, contracts: Sequence[str], count: int) -> list[CollectionRow]:
    """A row a contract, in their order, whether anything is known of it or not."""
    if not contracts:
        return []
    parameters = {
        "networks": [network] * len(contracts),
        "contracts": list(contracts),
        "partitions": [partition(network, contract, count) for contract in contracts],
    }
    return await rows_of(conn, COLLECTIONS["collections"], CollectionRow, parameters)


async def known_collection(conn: Connection, network: str, contract: str, count: int) -> CollectionRow | None:
    """The collection, or None if no event of it is in force: by the ledger, by a level ``project``, by the journal."""
    (row,) = await collections(conn, network, [contract], count)
    if row.held or (events_of(row) > 0 and is_level(row)):
        return row
    try:
        await indexed_span(conn, network, None, None)
        known = await value_of(conn, COLLECTIONS["contract_is_live"], {"network": network, "contract": contract})
    except RangeNotIndexed:
        known = events_of(row) > 0
    return row if known else None


def events_of(row: CollectionRow) -> int:
    """Live events that ``project`` has counted."""
    return (row.transfers or 0) + (row.mints or 0) + (row.burns or 0)


async def debits(
    conn: Connection, network: str, contract: str, owners: Sequence[OwnerRow], head: HeadRow | None
) -> dict[str, int] | None:
    """The newest block above finality in which each gave any of it away; None where those months are not indexed."""
    if head is None or not owners or head.head_number <= head.finalized:
        return {}
    parameters = {
        "network": network,
        "contract": contract,
        "finalized": head.finalized,
        "accounts": [row.account for row in owners],
    }
    try:
        span = await indexed_span(conn, network, head.finalized + 1, None)
    except RangeNotIndexed:
        return None
    found = await rows_of(conn, span.of(COLLECTIONS["collection_debits"]), DebitRow, span.with_times(parameters))
    return {row.account: row.block_number for row in found}
