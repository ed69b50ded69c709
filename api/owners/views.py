"""Holdings of an account -> answers."""

from ft.api.assets.answers import Asset, Ownership
from ft.api.assets.rows import AssetRow
from ft.api.assets.views import asset_fields
from ft.api.http.freshness import finality
from ft.api.http.heads import HeadRow
from ft.api.owners.rows import HoldingRow


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
    return Asset(**asset_fields(row), ownership=ownership)
