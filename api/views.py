"""Rows -> answers: pure, but for the clock in ``lag_ms``."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ft.api import answers, cursors
from ft.api.answers import (
    Asset,
    AssetAnswer,
    Collection,
    CollectionAnswer,
    CollectionOwner,
    CollectionRef,
    CollectionStats,
    Holder,
    NetworkAnswer,
    Ownership,
    Page,
    PageInfo,
    Transfer,
    Unwhole,
)
from ft.api.found import CollectionOwners, TransferKey, Transfers
from ft.api.freshness import AsOf, as_of, finality
from ft.api.integrity import judge
from ft.api.rows import (
    AssetRow,
    CollectionRow,
    HeadRow,
    HeldCountersRow,
    HolderRow,
    HoldingRow,
    NetworkRow,
    OwnerRow,
    TransferRow,
)
from ft.api.standing import counted_head, head_of, is_amid_block, is_level
from ft.schemas import ids

R = TypeVar("R")
A = TypeVar("A")


def page(
    rows: Sequence[R], limit: int, filters: str, key: Callable[[R], tuple[Any, ...]], show: Callable[[R], A], at: AsOf
) -> Page[A]:
    """A page of ``limit`` entries out of one row more, if there is one."""
    more = len(rows) > limit
    shown = rows[:limit]
    return listed([show(row) for row in shown], limit, cursors.encode(filters, key(shown[-1])) if more else None, at)


def listed(data: list[A], limit: int, next_cursor: str | None, at: AsOf) -> Page[A]:
    """A page whose rows are cut already."""
    info = PageInfo(next_cursor=next_cursor, has_more=next_cursor is not None, limit=limit)
    return Page(data=data, page=info, as_of=at)


def transfers_page(found: Transfers, limit: int, filters: str, network: str) -> Page[Transfer]:
    """A page of transfers; one head speaks for all of it."""
    return page(
        found.rows,
        limit,
        filters,
        lambda row: TransferKey(row.block_number, row.log_index, row.sub_index, row.partition, row.seq),
        lambda row: transfer(row, found.head),
        as_of(found.head, network),
    )


def asset(row: AssetRow, head: HeadRow | None) -> Asset:
    return Asset(**_asset_fields(row), ownership=_ownership(row, head))


def asset_answer(row: AssetRow) -> AssetAnswer:
    head = head_of(row)
    return AssetAnswer(**_asset_fields(row), ownership=_ownership(row, head), as_of=as_of(head, row.network))


def _asset_fields(row: AssetRow) -> dict[str, Any]:
    natural = ids.asset_id(row.network, row.contract, row.token_id)
    integrity, reasons = judge(row)
    by_card = row.counted or row.card_time is not None
    unwhole = row.counted and is_amid_block(row, row.card_block)
    return {
        "asset_id": natural,
        "id": row.uuid or ids.asset_uuid(natural),
        "network": row.network,
        "contract": row.contract,
        "token_id": row.token_id,
        "standard": row.standard,
        "collection": CollectionRef(id=f"{row.network}:{row.contract}"),
        "name": None,
        "image": None,
        "is_stub": row.is_stub,
        "supply": None if unwhole else row.supply,
        "owners": None if unwhole else row.owners,
        "counted_as_of": as_of(counted_head(row), row.network) if by_card and not is_level(row) else None,
        "market": None,
        "rarity": None,
        "spam": None,
        "trust": None,
        "metadata": None,
        "integrity": integrity,
        "integrity_reasons": reasons,
        "updated_at": max((time for time in (row.held_time, row.card_time) if time is not None), default=None),
    }


def _ownership(row: AssetRow, head: HeadRow | None) -> Ownership | None:
    if row.owners != 1 or row.account is None or row.quantity is None:
        return None
    return Ownership(
        holder=row.account,
        beneficial_owner=row.account,
        quantity=row.quantity,
        custody=None,
        acquired_at=row.since,
        finality_status=finality(row.block_number, head),
    )


def held_asset(account: str, row: AssetRow, holding: HoldingRow, head: HeadRow | None) -> Asset:
    """An asset among those of ``account``: its ownership is that account's part."""
    ownership = Ownership(
        holder=account,
        beneficial_owner=account,
        quantity=holding.quantity,
        custody=None,
        acquired_at=holding.since,
        finality_status=finality(holding.block_number, head),
    )
    return Asset(**_asset_fields(row), ownership=ownership)


def collection_answer(row: CollectionRow, held: HeldCountersRow | None) -> CollectionAnswer:
    """A collection by ``project``'s counters, or by the ledger's holdings where those are missing."""
    return CollectionAnswer(**_collection_fields(row, held), as_of=as_of(head_of(row), row.network))


def collection(row: CollectionRow) -> Collection:
    """A collection among others, by ``project``'s counters."""
    return Collection(**_collection_fields(row, None))


def _collection_fields(row: CollectionRow, held: HeldCountersRow | None) -> dict[str, Any]:
    integrity, reasons = judge(row)
    return {
        "id": f"{row.network}:{row.contract}",
        "network": row.network,
        "contract": row.contract,
        "standard": held.standard if held else row.standard,
        "name": None,
        "slug": None,
        "image": None,
        "is_stub": True,
        "stats": _held_stats(held, row) if held else _stats(row),
        "market": None,
        "integrity": integrity,
        "integrity_reasons": reasons,
    }


def network(row: NetworkRow, head: HeadRow | None) -> NetworkAnswer:
    return NetworkAnswer(
        network=row.network,
        family=row.family,
        chain_id=row.chain_id,
        start_block=row.start_block,
        confirmed=row.confirmed,
        finalized=row.finalized,
        as_of=as_of(head, row.network),
    )


def _stats(row: CollectionRow) -> CollectionStats:
    """``project``'s counters, as final as its own marks say; none amid a block, whose part is in them."""
    head = counted_head(row)
    whole = not is_amid_block(row, row.last_block)
    return CollectionStats(
        owners=row.owners if whole else None,
        assets=row.assets if whole else None,
        supply=row.supply if whole else None,
        transfers=row.transfers if whole else None,
        mints=row.mints if whole else None,
        burns=row.burns if whole else None,
        first_block=row.first_block if whole else None,
        last_block=row.last_block if whole else None,
        finality_status=finality(row.last_block if whole else None, head),
        as_of=None if is_level(row) else as_of(head, row.network),
        reason=None if whole else "block_incomplete",
    )


def _held_stats(held: HeldCountersRow, row: CollectionRow) -> CollectionStats:
    """The ledger's. What `project` alone counts is null before it does; where it is level and nobody holds any, 0."""
    moved_nothing = is_level(row) and not row.held
    events = 0 if moved_nothing else None
    first, last = (row.first_block, row.last_block) if moved_nothing else (held.first_block, held.last_block)
    reason: Unwhole = "not_counted"
    if moved_nothing:
        reason = "nothing_moved" if first is None else None
    return CollectionStats(
        owners=held.owners,
        assets=held.assets,
        supply=held.supply or "0",
        transfers=events,
        mints=events,
        burns=events,
        first_block=first,
        last_block=last,
        finality_status=finality(last, head_of(row)),
        as_of=None,
        reason=reason,
    )


def holder(network: str, row: HolderRow, head: HeadRow | None) -> Holder:
    return Holder(
        owner=row.account,
        account=f"{network}:{row.account}",
        quantity=row.quantity,
        acquired_at=row.since,
        block_number=row.block_number if row.block_number >= 0 else None,
        finality_status=finality(row.block_number, head),
    )


def collection_owner(network: str, row: OwnerRow, found: CollectionOwners) -> CollectionOwner:
    """Rests on what the account still holds, and on what it gave away; where that cannot be told, or no event says so,
    it is pending."""
    untold = found.debits is None or row.block_number < 0
    newest = None if untold else max(row.block_number, (found.debits or {}).get(row.account, row.block_number))
    return CollectionOwner(
        owner=row.account,
        account=f"{network}:{row.account}",
        quantity=row.quantity,
        assets=row.assets,
        finality_status=finality(newest, found.head),
    )


def transfer(row: TransferRow, head: HeadRow | None) -> Transfer:
    return Transfer(
        transfer_id=ids.event_id(row.network, row.tx_hash, row.contract, row.topic0, row.n, row.sub_index),
        revision=row.revision,
        asset_id=ids.asset_id(row.network, row.contract, row.token_id),
        network=row.network,
        contract=row.contract,
        token_id=row.token_id,
        standard=row.standard,
        kind=kind_of(row.from_, row.to, row.quantity),
        from_=row.from_,
        to=row.to,
        quantity=row.quantity,
        echo=row.echo,
        operator=row.operator,
        tx_hash=ids.transaction_hash(row.tx_hash),
        log_n=row.n,
        sub_index=row.sub_index,
        log_index=row.log_index,
        block_number=row.block_number,
        block_hash=row.block_hash,
        block_time=row.block_time,
        finality_status=finality(row.block_number, head),
        status="live",
    )


def kind_of(from_account: str, to_account: str, quantity: str) -> answers.Kind:
    """Nothing moves, or from nobody to nobody: none. From nobody: mint. To nobody: burn. Else: transfer."""
    minted, burned = from_account in ids.NO_ACCOUNTS, to_account in ids.NO_ACCOUNTS
    if quantity == "0" or (minted and burned):
        return "none"
    if minted:
        return "mint"
    return "burn" if burned else "transfer"
