"""What reads of one asset ask for and find."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct, field

from ft.api.http.heads import BlockRow, HeadRow
from ft.api.integrity.rows import StandingRow


class AssetRow(StandingRow, frozen=True, kw_only=True):
    """An asset. ``counted``: owners and supply are those of the card, which is of ``project``'s head."""

    contract: str
    token_id: str
    uuid: UUID | None
    is_stub: bool
    standard: str | None
    owners: int
    supply: str
    account: str | None
    quantity: str | None
    since: datetime | None
    block_number: int | None
    held_time: datetime | None
    card_time: datetime | None
    card_block: int | None
    counted: bool
    transfers: int
    sections: Mapping[str, object] = field(default_factory=dict)
    """What domains know of it, by field."""


class HolderRow(Struct, frozen=True, kw_only=True):
    """One holder of one asset; ``slot`` orders the holders."""

    account: str
    quantity: str
    since: datetime | None
    block_number: int
    slot: str


class Holders(Struct, frozen=True, kw_only=True):
    """Holders of an asset: now (``at`` None) or once block ``at`` was applied (-1: before any block that was read).

    ``reached``: whether that block is applied. ``complete``: whether no block since the contract's creation is missing.
    """

    rows: list[HolderRow]
    head: HeadRow | None
    at: int | None = None
    block: BlockRow | None = None
    reached: bool = True
    complete: bool = False


class Assets(Struct, frozen=True, kw_only=True):
    rows: list[AssetRow]
    head: HeadRow | None
    more: bool
