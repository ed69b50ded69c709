"""``/api/v1/owners``: what an account holds."""

from collections.abc import Sequence
from typing import Annotated, Final, Protocol

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter, SkipValidation

from ft.api.assets.answers import Asset
from ft.api.http import cursors, parameters
from ft.api.http.freshness import as_of, oldest
from ft.api.http.known_networks import NetworkRow, require_known, require_named
from ft.api.http.min_block import HeadReads, await_block
from ft.api.http.pages import Page, listed
from ft.api.http.parameters import CursorText, Limit, MinBlockHeader
from ft.api.http.responses import PAGED
from ft.api.owners.rows import HoldingKey, OwnerAssets
from ft.api.owners.views import held_asset
from ft.schemas.families import family_of_account


class OwnerReads(HeadReads, Protocol):
    """What an account asks the database."""

    async def networks(self) -> list[NetworkRow]: ...
    async def owner_assets(
        self, account: str, networks: Sequence[str], contract: str | None, after: HoldingKey | None, rows: int
    ) -> OwnerAssets: ...


@get("/{account:str}/assets", operation_id="listAccountAssets", summary="Assets of an account", responses=PAGED)
async def assets(
    account: Annotated[
        str,
        PathParameter(
            description="`<network>:<address>`, or an address: then on every network.",
            schema_extra=parameters.ADDRESS_TEXT,
        ),
    ],
    reads: NamedDependency[SkipValidation[OwnerReads]],
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    network: Annotated[
        str | None,
        QueryParameter(required=False, description="Only this network.", schema_extra=parameters.NETWORK_TEXT),
    ] = None,
    contract: Annotated[
        str | None,
        QueryParameter(
            required=False,
            description="Only of this collection: an address, then on every network that the account is asked "
            "on, or `<network>:<contract>`.",
            schema_extra=parameters.ADDRESS_TEXT,
        ),
    ] = None,
    min_block: MinBlockHeader = None,
) -> Page[Asset]:
    """Everything an account holds, by network, contract and token id; `ownership` is the account's own part.

    `as_of` of an answer about several networks is the one whose head is oldest.
    """
    wanted = parameters.network_slug(network) if network is not None else None
    await require_named(reads, account=account, contract=contract)
    on, address = parameters.account_on(account, wanted)
    of = None
    if contract is not None:
        on, of = parameters.account_on(contract, on, "contract")
    if on is not None:
        await require_known(reads, on, _naming(network, account))
    await await_block(reads, min_block, on)
    filters = cursors.digest("owner_assets", on, address, *([of] if of is not None else []))
    after = cursors.decode(cursor, filters, HoldingKey) if cursor is not None else None
    networks = [on] if on is not None else await _networks(reads, address)
    found = await reads.owner_assets(address, networks, of, after, limit + 1)
    pairs = zip(found.assets, found.holdings, strict=True)
    last = found.holdings[-1] if found.more else None
    heads = [head for head in found.heads.values() if head is not None]
    return listed(
        [held_asset(address, row, holding, found.heads.get(row.network)) for row, holding in pairs],
        limit,
        cursors.encode(filters, HoldingKey(last.network, last.contract, last.token_id)) if last else None,
        as_of(oldest(heads), on),
    )


router: Final = Router("/api/v1/owners", route_handlers=[assets], tags=["owners"])


def _naming(network: str | None, account: str) -> str:
    """The parameter that names the network."""
    if network is not None:
        return "network"
    return "account" if account[:1].isalpha() else "contract"


async def _networks(reads: OwnerReads, address: str) -> list[str]:
    family = family_of_account(address)
    return sorted(row.network for row in await reads.networks() if family and row.family == family.name)
