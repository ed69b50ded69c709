"""``/api/v1/transfers``: what moved on a network."""

from typing import Annotated, Final, Protocol

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation
from msgspec import Struct

from ft.api.assets.routes import UuidReads, resolve
from ft.api.http import cursors, parameters
from ft.api.http.known_networks import require_known, require_named
from ft.api.http.min_block import HeadReads, await_block
from ft.api.http.pages import Page
from ft.api.http.parameters import BlockFrom, BlockTime, BlockTo, CursorText, Limit, MinBlockHeader, Order
from ft.api.http.problems import invalid
from ft.api.http.responses import PAGED
from ft.api.transfers.answers import Transfer
from ft.api.transfers.rows import Kind, TransferKey, Transfers, TransfersAsk
from ft.api.transfers.views import transfers_page
from ft.schemas.ids import AssetKey


class TransferReads(HeadReads, UuidReads, Protocol):
    """What a page of transfers asks the database."""

    async def transfers(self, ask: TransfersAsk) -> Transfers: ...


class Where(Struct, frozen=True, kw_only=True):
    """What the filters come to: one network, and what narrows it."""

    network: str
    contract: str | None = None
    token_id: str | None = None
    account: str | None = None
    sender: str | None = None
    receiver: str | None = None


@get("/", operation_id="listTransfers", summary="Transfers of a network", responses=PAGED)
async def transfers(
    reads: NamedDependency[SkipValidation[TransferReads]],
    network: Annotated[
        str | None,
        QueryParameter(
            required=False, description="Needed unless another filter names it.", schema_extra=parameters.NETWORK_TEXT
        ),
    ] = None,
    contract: Annotated[
        str | None,
        QueryParameter(
            required=False, description="An address, or `<network>:<contract>`.", schema_extra=parameters.ADDRESS_TEXT
        ),
    ] = None,
    asset: Annotated[
        str | None,
        QueryParameter(required=False, description="Its natural key or uuid.", schema_extra=parameters.ASSET_TEXT),
    ] = None,
    account: Annotated[
        str | None,
        QueryParameter(
            required=False,
            description="Sender or receiver: an address, or `<network>:<address>`.",
            schema_extra=parameters.ADDRESS_TEXT,
        ),
    ] = None,
    sender: Annotated[
        str | None,
        QueryParameter(required=False, description="Who gave, as `account`.", schema_extra=parameters.ADDRESS_TEXT),
    ] = None,
    receiver: Annotated[
        str | None,
        QueryParameter(required=False, description="Who received, as `account`.", schema_extra=parameters.ADDRESS_TEXT),
    ] = None,
    tx_hash: Annotated[
        str | None,
        QueryParameter(required=False, description="Of one transaction.", schema_extra=parameters.HASH_TEXT),
    ] = None,
    kind: Annotated[Kind | None, QueryParameter(required=False, description="Only what is of this kind.")] = None,
    block_from: BlockFrom = None,
    block_to: BlockTo = None,
    time_from: BlockTime = None,
    time_to: BlockTime = None,
    order: Order = "desc",
    limit: Limit = parameters.LIMIT_DEFAULT,
    cursor: CursorText = None,
    min_block: MinBlockHeader = None,
) -> Page[Transfer]:
    """What moved and is in force, by chain position, newest first; echoes are marked, bounds are inclusive.

    A range that ends before it begins: 422. One with months that are not indexed yet: 503 `range_not_indexed`.
    """
    parameters.require_order(block_from, block_to)
    since, until = parameters.instants(time_from, time_to)
    await require_named(reads, contract=contract, account=account, sender=sender, receiver=receiver)
    key = await resolve(reads, asset, "asset") if asset is not None else None
    where = narrow(network, contract, key, account, sender, receiver)
    named = {
        "network": network, "asset": asset, "contract": contract, "account": account, "sender": sender,
        "receiver": receiver,
    }  # fmt: skip
    await require_known(reads, where.network, next(name for name, text in named.items() if text is not None))
    await await_block(reads, min_block, where.network, where.contract)
    tx = parameters.transaction(where.network, tx_hash) if tx_hash is not None else None
    filters = cursors.digest(
        "transfers", where.network, where.contract, where.token_id, where.account, block_from, block_to, order,
        *_digested(sender=where.sender, receiver=where.receiver, tx=tx, kind=kind, since=since, until=until),
    )  # fmt: skip
    found = await reads.transfers(
        TransfersAsk(
            network=where.network,
            contract=where.contract,
            token_id=where.token_id,
            account=where.account,
            sender=where.sender,
            receiver=where.receiver,
            tx_hash=tx,
            kind=kind,
            block_from=block_from,
            block_to=block_to,
            time_from=since,
            time_to=until,
            newest_first=order == "desc",
            after=cursors.decode(cursor, filters, TransferKey) if cursor is not None else None,
            rows=limit + 1,
        )
    )
    return transfers_page(found, limit, filters, where.network)


router: Final = Router("/api/v1/transfers", route_handlers=[transfers], tags=["transfers"])


def narrow(
    network: str | None,
    contract: str | None,
    asset: AssetKey | None,
    account: str | None,
    sender: str | None = None,
    receiver: str | None = None,
) -> Where:
    """Canonical filters. Raises Problem 422 where they name no network, or two."""
    on = parameters.network_slug(network) if network is not None else None
    of = token = None
    if asset is not None:
        on, of, token = _same(on, asset.network, "asset"), asset.contract, asset.token_id
    if contract is not None:
        on, named = parameters.contract_on(contract, on)
        if of is not None and of != named:
            raise invalid("contract", "contradiction", f"the asset is of {of}, the contract is {named}")
        of = named
    accounts: dict[str, str] = {}
    for field, text in (("account", account), ("sender", sender), ("receiver", receiver)):
        if text is not None:
            on, accounts[field] = parameters.account_on(text, on, field)
    if on is None:
        raise invalid(
            "network", "missing",
            "expected a network, as network= or in contract=, asset=, account=, sender= or receiver=",
        )  # fmt: skip
    return Where(network=on, contract=of, token_id=token, **accounts)


def _digested(**filters: object) -> list[str]:
    """Those that are set, by name: cursors of before a filter existed go on being those of pages without it."""
    return [f"{name}={value}" for name, value in filters.items() if value is not None]


def _same(network: str | None, named: str, field: str) -> str:
    if network is not None and network != named:
        raise invalid(field, "contradiction", f"it is on {named}, the query asks for {network}")
    return named
