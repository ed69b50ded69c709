"""What reads of assets ask the database for, on the connection and in the snapshot of the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from ft.api.assets.rows import AssetRow, HolderRow
from ft.api.assets.sections import Section, with_sections
from ft.api.http.database import Connection, row_of, rows_of, value_of
from ft.api.http.head_reads import HEADS, partition
from ft.api.http.heads import BlockRow, HeadRow
from ft.api.http.month_range import RangeNotIndexed, Span, indexed_span
from ft.api.integrity.standing import is_level
from ft.schemas import ids
from ft.schemas.ids import AssetKey
from ft.schemas.standards import SINGLE
from ft.sql.queries import load

ASSETS: Final = load("api_assets")


def key_of(key: AssetKey) -> dict[str, Any]:
    """As the queries name it."""
    return {"network": key.network, "contract": key.contract, "token_id": key.token_id}


async def assets(
    conn: Connection, keys: Sequence[AssetKey], count: int, sections: Sequence[Section[Any]] = ()
) -> list[AssetRow]:
    """A row a key, in the order of the keys, whether anything is known of it or not."""
    if not keys:
        return []
    parameters = {
        "networks": [key.network for key in keys],
        "contracts": [key.contract for key in keys],
        "token_ids": [key.token_id for key in keys],
        "partitions": [partition(key.network, key.contract, count) for key in keys],
    }
    return await with_sections(conn, await rows_of(conn, ASSETS["assets"], AssetRow, parameters), sections)


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
    return bool(await value_of(conn, ASSETS["asset_is_live"], key_of(key)))


async def resolve_moment(
    conn: Connection, network: str, at: int | datetime, head: HeadRow | None
) -> tuple[int, BlockRow | None, bool]:
    """The block that ``at`` means: its number, the block if it was read, and whether the partition is there."""
    if isinstance(at, int):
        block = await row_of(conn, HEADS["block_at"], BlockRow, {"network": network, "number": at})
        return at, block, head is not None and at <= head.head_number
    block = await row_of(conn, HEADS["block_at_time"], BlockRow, {"network": network, "at": at})
    reached = head is not None and head.head_time is not None and at <= head.head_time
    return (block.number if block else -1), block, reached


async def holders_at(
    conn: Connection, span: Span, key: AssetKey, number: int, after: str | None, rows: int
) -> list[HolderRow]:
    """Who held it once block ``number`` was applied: one account, or those behind ``after``, at most ``rows``."""
    asked = {**key_of(key), "number": number, "after": after, "rows": rows, "nobody": list(ids.NO_ACCOUNTS)}
    parameters = span.with_times(asked)
    one = await value_of(conn, span.of(ASSETS["has_one_holder"]), {**parameters, "single": sorted(SINGLE)})
    if not one:
        return await rows_of(conn, span.of(ASSETS["holders_at"]), HolderRow, parameters)
    found = await rows_of(conn, span.of(ASSETS["holder_at"]), HolderRow, parameters)
    return [row for row in found if after is None and row.account not in ids.NO_ACCOUNTS]
