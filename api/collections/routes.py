"""``/api/v1/collections``: a contract, its assets, its owners."""

from typing import Annotated, Final, Literal, Protocol

from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter, SkipValidation

from ft.api.assets import views as asset_views
from ft.api.assets.answers import Asset
from ft.api.assets.routes import IfNoneMatch
from ft.api.assets.rows import Assets
from ft.api.collections import views
from ft.api.collections.answers import Collection as CollectionEntry
from ft.api.collections.answers import CollectionAnswer, CollectionOwner
from ft.api.collections.rows import Collection, CollectionKey, CollectionOwners, Collections
from ft.api.http import cursors, parameters
from ft.api.http.freshness import as_of
from ft.api.http.known_networks import NetworkReads, require_known, require_named
from ft.api.http.min_block import HeadReads, await_block
from ft.api.http.pages import Page, listed, page
from ft.api.http.parameters import CursorText, Limit, MinBlockHeader
from ft.api.http.problems import Problem, not_found
from ft.api.http.responses import CONDITIONAL, PAGED, conditional, etag_of, not_modified


class CollectionReads(HeadReads, Protocol):
    """What a collection asks the database."""

    async def collection(self, network: str, contract: str) -> Collection | None: ...
    async def collections(self, network: str, sort: str, after: CollectionKey | None, rows: int) -> Collections: ...
    async def collection_assets(self, network: str, contract: str, after: str, rows: int) -> Assets | None: ...
    async def collection_owners(
        self, network: str, contract: str, after: str, rows: int
    ) -> CollectionOwners | None: ...


CollectionId = Annotated[
    str,
    PathParameter(description="`<network>:<contract>` in any usual spelling.", schema_extra=parameters.COLLECTION_TEXT),
]
_Reads = NamedDependency[SkipValidation[CollectionReads]]


@get("/", operation_id="listCollections", summary="Collections of a network", responses=PAGED)
async def collections(
    reads: _Reads,
    network: Annotated[str, QueryParameter(description="Whose.", schema_extra=parameters.NETWORK_TEXT)],
    sort: Annotated[
        Literal["contract", "newest", "owners", "transfers"],
        QueryParameter(
            required=False,
            description="`contract`: by address. `newest`: those first whose first event is in the highest block. "
            "`owners`, `transfers`: those first that have most. Counters move while pages are read: an entry may then "
            "come twice or not at all.",
        ),
    ] = "contract",
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    min_block: MinBlockHeader = None,
) -> Page[CollectionEntry]:
    """Contracts of which an event is in force, as far as counters have come."""
    on = parameters.network_slug(network)
    await require_known(reads, on, "network")
    await await_block(reads, min_block, on, None, ("ledger", "project"))
    filters = cursors.digest("collections", on, sort)
    after = cursors.decode(cursor, filters, CollectionKey) if cursor is not None else None
    found = await reads.collections(on, sort, after, limit + 1)
    return listed(
        [views.collection(row) for row in found.rows],
        limit,
        cursors.encode(filters, found.last) if found.more and found.last else None,
        as_of(found.head, on),
    )


@get("/{collection_id:str}", operation_id="getCollection", summary="One collection", responses=CONDITIONAL)
async def collection(
    collection_id: CollectionId, reads: _Reads, min_block: MinBlockHeader = None, if_none_match: IfNoneMatch = None
) -> Response[CollectionAnswer]:
    """A contract's counters; `stats.as_of` where they are not of the answer's block.

    404 with `X-Data-Status: pending` if no event of it is in force.
    """
    network, contract = await _resolve(reads, collection_id)
    await await_block(reads, min_block, network, contract, ("ledger", "project"))
    found = await reads.collection(network, contract)
    if found is None:
        raise await _unknown(reads, network, contract)
    etag = etag_of(found.row.version, "collection", network, contract)
    if if_none_match is not None and (unchanged := not_modified(if_none_match, etag)):
        return unchanged
    return conditional(views.collection_answer(found.row, found.held), etag)


@get(
    "/{collection_id:str}/assets",
    operation_id="listCollectionAssets",
    summary="Assets of a collection",
    responses=PAGED,
)
async def assets(
    collection_id: CollectionId,
    reads: _Reads,
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    min_block: MinBlockHeader = None,
) -> Page[Asset]:
    """Assets that somebody holds, by token id."""
    network, contract = await _resolve(reads, collection_id)
    await await_block(reads, min_block, network, contract)
    filters = cursors.digest("collection_assets", network, contract)
    after = cursors.decode(cursor, filters, cursors.TokenKey).token_id if cursor is not None else "-1"
    found = await reads.collection_assets(network, contract, after, limit + 1)
    if found is None:
        raise await _unknown(reads, network, contract)
    return listed(
        [asset_views.asset(row, found.head) for row in found.rows],
        limit,
        cursors.encode(filters, (found.rows[-1].token_id,)) if found.more else None,
        as_of(found.head, network),
    )


@get(
    "/{collection_id:str}/owners",
    operation_id="listCollectionOwners",
    summary="Owners of a collection",
    responses=PAGED,
)
async def owners(
    collection_id: CollectionId,
    reads: _Reads,
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    min_block: MinBlockHeader = None,
) -> Page[CollectionOwner]:
    """One entry an account, with the quantity it holds of the whole collection, by account."""
    network, contract = await _resolve(reads, collection_id)
    await await_block(reads, min_block, network, contract)
    filters = cursors.digest("collection_owners", network, contract)
    after = cursors.decode(cursor, filters, cursors.AccountKey).account if cursor is not None else ""
    found = await reads.collection_owners(network, contract, after, limit + 1)
    if found is None:
        raise await _unknown(reads, network, contract)
    return page(
        found.rows,
        limit,
        filters,
        lambda row: (row.account,),
        lambda row: views.collection_owner(network, row, found),
        as_of(found.head, network),
    )


router: Final = Router(
    "/api/v1/collections", route_handlers=[collections, collection, assets, owners], tags=["collections"]
)


async def _resolve(reads: NetworkReads, text: str) -> tuple[str, str]:
    await require_named(reads, collection_id=text)
    return parameters.collection_key(text)


async def _unknown(reads: HeadReads, network: str, contract: str) -> Problem:
    at = as_of(await reads.head(network, contract, "ledger"), network)
    return not_found("collection_not_found", f"no event of {network}:{contract} is in force", at)
