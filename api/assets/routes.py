"""``/api/v1/assets``: one NFT, who holds it, and all that happened to it."""

from datetime import datetime
from typing import Annotated, Final, Protocol
from uuid import UUID

from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter, QueryParameter, SkipValidation

from ft.api.assets.answers import AssetAnswer, Holder
from ft.api.assets.rows import AssetRow, Holders
from ft.api.assets.views import asset_answer, holder
from ft.api.http import cursors, parameters
from ft.api.http.freshness import as_of, as_of_block
from ft.api.http.known_networks import NetworkReads, require_named
from ft.api.http.min_block import HeadReads, await_block
from ft.api.http.pages import Page, page
from ft.api.http.parameters import AtBlock, BlockFrom, BlockTo, CursorText, Limit, MinBlockHeader, Order
from ft.api.http.problems import Problem, invalid, not_found
from ft.api.http.responses import CONDITIONAL, FINAL, PAGED, conditional, etag_of, not_modified
from ft.api.transfers.answers import Transfer
from ft.api.transfers.rows import TransferKey, Transfers, TransfersAsk
from ft.api.transfers.views import transfers_page
from ft.schemas.ids import AssetKey


class UuidReads(NetworkReads, Protocol):
    """What a uuid asks the database."""

    async def asset_by_uuid(self, uuid: UUID) -> AssetKey | None: ...


class AssetReads(HeadReads, UuidReads, Protocol):
    """What one asset asks the database."""

    async def asset(self, key: AssetKey) -> AssetRow | None: ...
    async def asset_version(self, key: AssetKey) -> str: ...


class HolderReads(AssetReads, Protocol):
    """What the holders of an asset ask the database."""

    async def asset_owners(self, key: AssetKey, after: str | None, rows: int) -> Holders | None: ...
    async def asset_owners_at(
        self, key: AssetKey, at: int | datetime, after: str | None, rows: int
    ) -> Holders | None: ...


class HistoryReads(AssetReads, Protocol):
    """What the history of an asset asks the database."""

    async def transfers(self, ask: TransfersAsk) -> Transfers: ...
    async def asset_is_known(self, key: AssetKey) -> bool: ...


AssetId = Annotated[
    str,
    PathParameter(
        description="`<network>:<contract>:<token_id>` in any spelling, `ton:<item address>`, or a uuid.",
        schema_extra=parameters.ASSET_TEXT,
    ),
]
IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match", required=False)]
_Reads = NamedDependency[SkipValidation[AssetReads]]


@get("/{asset_id:str}", operation_id="getAsset", summary="One asset", responses=CONDITIONAL)
async def asset(
    asset_id: AssetId,
    reads: _Reads,
    min_block: MinBlockHeader = None,
    if_none_match: IfNoneMatch = None,
) -> Response[AssetAnswer]:
    """Who holds an NFT, since when and how surely. 404 with `X-Data-Status: pending` if no event of it is in force."""
    key = await resolve(reads, asset_id)
    await await_block(reads, min_block, key.network, key.contract)
    if if_none_match is not None and min_block is None and not parameters.is_any(if_none_match):
        unchanged = not_modified(if_none_match, etag_of(await reads.asset_version(key), "asset", key))
        if unchanged is not None:
            return unchanged
    row = await reads.asset(key)
    if row is not None and row.counted and min_block is not None:
        await await_block(reads, min_block, key.network, key.contract, ("project",))
        row = await reads.asset(key)
    if row is None:
        raise await _unknown(reads, key)
    etag = etag_of(row.version, "asset", key)
    if if_none_match is not None and (unchanged := not_modified(if_none_match, etag)):
        return unchanged
    return conditional(asset_answer(row), etag)


@get("/{asset_id:str}/owners", operation_id="listAssetOwners", summary="Holders of an asset", responses=PAGED)
async def owners(
    asset_id: AssetId,
    reads: NamedDependency[SkipValidation[HolderReads]],
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    at_block: AtBlock = None,
    at_time: Annotated[
        str | None,
        QueryParameter(
            required=False,
            description="RFC 3339; the last block not later than this. Not beside `at_block`.",
            schema_extra=parameters.TIME_TEXT,
        ),
    ] = None,
    min_block: MinBlockHeader = None,
) -> Response[Page[Holder]]:
    """Who holds an NFT now, or once a past block was applied (`at_block` or `at_time`), by account.

    The past comes out of the journal of live events. A block that is not applied yet: 409. Months without
    indexes: 503 `range_not_indexed`.
    """
    at = _moment(at_block, at_time)
    key = await resolve(reads, asset_id)
    await await_block(reads, min_block, key.network, key.contract)
    filters = cursors.digest("asset_owners", key, at)
    after = cursors.decode(cursor, filters, cursors.AccountKey).account if cursor is not None else None
    if at is None:
        found = await reads.asset_owners(key, after, limit + 1)
    else:
        found = await reads.asset_owners_at(key, at, after, limit + 1)
    if found is None:
        raise await _unknown(reads, key)
    return _holders(key, found, limit, filters)


@get("/{asset_id:str}/history", operation_id="listAssetHistory", summary="History of an asset", responses=PAGED)
async def history(
    asset_id: AssetId,
    reads: NamedDependency[SkipValidation[HistoryReads]],
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    order: Order = "desc",
    block_from: BlockFrom = None,
    block_to: BlockTo = None,
    min_block: MinBlockHeader = None,
) -> Page[Transfer]:
    """What happened to one NFT and is in force, by chain position, newest first; echoes are marked.

    A range that ends before it begins: 422.
    """
    parameters.require_order(block_from, block_to)
    key = await resolve(reads, asset_id)
    await await_block(reads, min_block, key.network, key.contract)
    filters = cursors.digest("asset_history", key, order, block_from, block_to)
    after = cursors.decode(cursor, filters, TransferKey) if cursor is not None else None
    found = await reads.transfers(
        TransfersAsk(
            network=key.network,
            contract=key.contract,
            token_id=key.token_id,
            block_from=block_from,
            block_to=block_to,
            newest_first=order == "desc",
            after=after,
            rows=limit + 1,
        )
    )
    if not found.rows and not await reads.asset_is_known(key):
        raise await _unknown(reads, key)
    return transfers_page(found, limit, filters, key.network)


router: Final = Router("/api/v1/assets", route_handlers=[asset, owners, history], tags=["assets"])


async def resolve(reads: UuidReads, text: str, field: str = "asset_id") -> AssetKey:
    """The asset that a natural key or a uuid means. Raises Problem 422, or 404 for a uuid or a network not known."""
    await require_named(reads, **{field: text})
    named = parameters.asset_key(text, field)
    if isinstance(named, AssetKey):
        return named
    key = await reads.asset_by_uuid(named)
    if key is None:
        raise not_found("asset_not_found", f"no asset with uuid {named} has been seen", as_of(None, None))
    return key


def _moment(at_block: int | None, at_time: str | None) -> int | datetime | None:
    if at_block is not None and at_time is not None:
        raise invalid("at_time", "contradiction", "expected at_block or at_time, got both")
    return parameters.instant(at_time, "at_time") if at_time is not None else at_block


async def _unknown(reads: HeadReads, key: AssetKey) -> Problem:
    at = as_of(await reads.head(key.network, key.contract, "ledger"), key.network)
    return not_found("asset_not_found", f"no event of {key} is in force", at)


def _holders(key: AssetKey, found: Holders, limit: int, filters: str) -> Response[Page[Holder]]:
    head = found.head
    if not found.reached:
        detail = "the ledger has not reached that block or time"
        raise Problem(409, "block_not_reached", detail, headers={"Retry-After": "1"}, as_of=as_of(head, key.network))
    headers: dict[str, str] = {}
    at = as_of(head, key.network)
    if found.at is not None and head is not None:
        at = as_of_block(head, found.at, found.block)
        # A hole in the blocks that were read may still be filled, and change the past.
        headers = FINAL if found.complete and at.finality_status == "finalized" else {}
    shown = page(found.rows, limit, filters, lambda row: (row.slot,), lambda row: holder(key.network, row, head), at)
    return Response(shown, headers=headers)
