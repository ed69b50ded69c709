"""Rows of assets and holders -> answers: pure, but for the clock in ``lag_ms``."""

from typing import Any

from ft.api.assets.answers import Asset, AssetAnswer, CollectionRef, Holder, Ownership
from ft.api.assets.rows import AssetRow, HolderRow
from ft.api.assets.sections import FIELDS
from ft.api.http.freshness import as_of, finality
from ft.api.http.heads import HeadRow
from ft.api.integrity.judging import judge
from ft.api.integrity.standing import counted_head, head_of, is_amid_block, is_level
from ft.schemas import ids


def asset(row: AssetRow, head: HeadRow | None) -> Asset:
    return Asset(**asset_fields(row), ownership=_ownership(row, head))


def asset_answer(row: AssetRow) -> AssetAnswer:
    head = head_of(row)
    return AssetAnswer(**asset_fields(row), ownership=_ownership(row, head), as_of=as_of(head, row.network))


def asset_fields(row: AssetRow) -> dict[str, Any]:
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
        **{name: row.sections.get(name) for name in FIELDS},
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


def holder(network: str, row: HolderRow, head: HeadRow | None) -> Holder:
    return Holder(
        owner=row.account,
        account=f"{network}:{row.account}",
        quantity=row.quantity,
        acquired_at=row.since,
        block_number=row.block_number if row.block_number >= 0 else None,
        finality_status=finality(row.block_number, head),
    )
