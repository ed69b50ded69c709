"""``/api/v1/networks``: which networks are configured, and how far each is read."""

from typing import Final, Protocol

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ft.api.http import cursors, parameters
from ft.api.http.freshness import as_of, oldest
from ft.api.http.min_block import HeadReads, await_block
from ft.api.http.pages import Page, page
from ft.api.http.parameters import CursorText, Limit, MinBlockHeader
from ft.api.http.responses import PAGED_OF_ALL
from ft.api.networks import views
from ft.api.networks.answers import NetworkAnswer
from ft.api.networks.rows import Networks


class NetworksReads(HeadReads, Protocol):
    """What the list of networks asks the database."""

    async def networks_page(self, after: str, rows: int) -> Networks: ...


@get("/", operation_id="listNetworks", summary="Networks", responses=PAGED_OF_ALL)
async def networks(
    reads: NamedDependency[SkipValidation[NetworksReads]],
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    min_block: MinBlockHeader = None,
) -> Page[NetworkAnswer]:
    """Every configured network by name; one that nobody reads yet has an `as_of` of nulls.

    `as_of` of the page is the one whose head is oldest.
    """
    await await_block(reads, min_block, None)
    filters = cursors.digest("networks")
    after = cursors.decode(cursor, filters, cursors.NetworkKey).network if cursor is not None else ""
    found = await reads.networks_page(after, limit + 1)
    heads = [head for row in found.rows[:limit] if (head := found.heads.get(row.network)) is not None]
    return page(
        found.rows,
        limit,
        filters,
        lambda row: (row.network,),
        lambda row: views.network(row, found.heads.get(row.network)),
        as_of(oldest(heads), None),
    )


router: Final = Router("/api/v1/networks", route_handlers=[networks], tags=["networks"])
