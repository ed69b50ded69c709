"""What several reads of the API ask the database for, on the connection and in the snapshot of the caller."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from ft.api.database import Connection, row_of, rows_of, value_of
from ft.api.found import RangeNotIndexed, TransfersAsk
from ft.api.freshness import speaking
from ft.api.indexed import Span, indexed_span
from ft.api.rows import AssetRow, BlockRow, CollectionRow, DebitRow, HeadRow, HolderRow, OwnerRow
from ft.api.standing import is_level
from ft.schemas import ids
from ft.schemas.ids import AssetKey
from ft.schemas.standards import SINGLE
from ft.sql.queries import load

FACTS: Final = load("api_facts")
LISTS: Final = load("api_lists")
_INSTANT: Final = timedelta(microseconds=1)
"""The least that two times differ by."""
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


def key_of(key: AssetKey) -> dict[str, Any]:
    """As the queries name it."""
    return {"network": key.network, "contract": key.contract, "token_id": key.token_id}


def partition(network: str, contract: str, count: int) -> int:
    return ids.partition_of(f"{network}:{contract}", count)


async def assets(conn: Connection, keys: Sequence[AssetKey], count: int) -> list[AssetRow]:
    """A row a key, in the order of the keys, whether anything is known of it or not."""
    if not keys:
        return []
    parameters = {
        "networks": [key.network for key in keys],
        "contracts": [key.contract for key in keys],
        "token_ids": [key.token_id for key in keys],
        "partitions": [partition(key.network, key.contract, count) for key in keys],
    }
    return await rows_of(conn, FACTS["assets"], AssetRow, parameters)


async def head(conn: Connection, network: str, contract: str | None, consumer: str, count: int) -> HeadRow | None:
    """Of the partition that holds ``contract``; without one, of the partition furthest behind."""
    if contract is None:
        return speaking((await heads(conn, [network], consumer))[network], count)
    parameters = {"consumer": consumer, "network": network, "partition": partition(network, contract, count)}
    return await row_of(conn, FACTS["head"], HeadRow, parameters)


async def heads(conn: Connection, networks: Sequence[str], consumer: str) -> dict[str, list[HeadRow]]:
    """Of every partition, by network."""
    found = await rows_of(conn, FACTS["heads"], HeadRow, {"consumer": consumer, "networks": list(networks)})
    return {name: [row for row in found if row.network == name] for name in networks}


async def is_known(conn: Connection, key: AssetKey, count: int) -> bool:
    """Whether anybody holds it, or an event of it is in force."""
    row = (await assets(conn, [key], count))[0]
    return bool(row.owners) or await is_live(conn, key, row)


async def is_live(conn: Connection, key: AssetKey, row: AssetRow) -> bool:
    """Whether an event of it is in force: by the card where ``project`` is level, else by the journal."""
    if row.transfers > 0 and is_level(row):
        return True
    try:
        await indexed_span(conn, key.network, None, None)
    except RangeNotIndexed:
        return row.transfers > 0  # the journal cannot be asked now; what project knew last has to do
    return bool(await value_of(conn, FACTS["asset_is_live"], key_of(key)))


async def collections(conn: Connection, network: str, contracts: Sequence[str], count: int) -> list[CollectionRow]:
    """A row a contract, in their order, whether anything is known of it or not."""
    if not contracts:
        return []
    parameters = {
        "networks": [network] * len(contracts),
        "contracts": list(contracts),
        "partitions": [partition(network, contract, count) for contract in contracts],
    }
    return await rows_of(conn, FACTS["collections"], CollectionRow, parameters)


async def known_collection(conn: Connection, network: str, contract: str, count: int) -> CollectionRow | None:
    """The collection, or None if no event of it is in force: by the ledger, by a level ``project``, by the journal."""
    (row,) = await collections(conn, network, [contract], count)
    if row.held or (events_of(row) > 0 and is_level(row)):
        return row
    try:
        await indexed_span(conn, network, None, None)
        known = await value_of(conn, FACTS["contract_is_live"], {"network": network, "contract": contract})
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
    found = await rows_of(conn, span.of(LISTS["collection_debits"]), DebitRow, span.with_times(parameters))
    return {row.account: row.block_number for row in found}


async def in_blocks(conn: Connection, ask: TransfersAsk) -> TransfersAsk | None:
    """The same with bounds in blocks where times were named; None: no block is within them."""
    low, high = ask.block_from, ask.block_to
    if ask.time_to is not None:
        last = await row_of(conn, LISTS["block_at_time"], BlockRow, {"network": ask.network, "at": ask.time_to})
        if last is None:
            return None
        high = last.number if high is None else min(high, last.number)
    if ask.time_from is not None and ask.time_from > _FIRST:  # before the first moment there is nothing to leave out
        before = ask.time_from - _INSTANT
        last = await row_of(conn, LISTS["block_at_time"], BlockRow, {"network": ask.network, "at": before})
        if last is not None:
            low = max(low or 0, last.number + 1)
    return replace(ask, block_from=low, block_to=high)


async def resolve_moment(
    conn: Connection, network: str, at: int | datetime, head: HeadRow | None
) -> tuple[int, BlockRow | None, bool]:
    """The block that ``at`` means: its number, the block if it was read, and whether the partition is there."""
    if isinstance(at, int):
        block = await row_of(conn, LISTS["block_at"], BlockRow, {"network": network, "number": at})
        return at, block, head is not None and at <= head.head_number
    block = await row_of(conn, LISTS["block_at_time"], BlockRow, {"network": network, "at": at})
    reached = head is not None and head.head_time is not None and at <= head.head_time
    return (block.number if block else -1), block, reached


async def holders_at(
    conn: Connection, span: Span, key: AssetKey, number: int, after: str | None, rows: int
) -> list[HolderRow]:
    """Who held it once block ``number`` was applied: one account, or those behind ``after``, at most ``rows``."""
    asked = {**key_of(key), "number": number, "after": after, "rows": rows, "nobody": list(ids.NO_ACCOUNTS)}
    parameters = span.with_times(asked)
    one = await value_of(conn, span.of(LISTS["has_one_holder"]), {**parameters, "single": sorted(SINGLE)})
    if not one:
        return await rows_of(conn, span.of(LISTS["holders_at"]), HolderRow, parameters)
    found = await rows_of(conn, span.of(LISTS["holder_at"]), HolderRow, parameters)
    return [row for row in found if after is None and row.account not in ids.NO_ACCOUNTS]


async def column(conn: Connection, query: str, parameters: Mapping[str, Any]) -> list[Any]:
    """The first column of all rows."""
    async with conn.cursor() as cursor:
        await cursor.execute(query.encode(), parameters)
        return [row[0] for row in await cursor.fetchall()]
