"""What reads of an account ask for and find."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from msgspec import Struct

from ft.api.assets.rows import AssetRow
from ft.api.http.cursors import PlainText, TokenText
from ft.api.http.heads import HeadRow


class HoldingRow(Struct, frozen=True, kw_only=True):
    """One asset of an account."""

    network: str
    contract: str
    token_id: str
    quantity: str
    since: datetime | None
    block_number: int


class HoldingKey(NamedTuple):
    """Where an asset stands among those of an account."""

    network: PlainText
    contract: PlainText
    token_id: TokenText


NOTHING: Final = HoldingKey("", "", "-1")


class OwnerAssets(Struct, frozen=True, kw_only=True):
    """Holdings with their assets, in one order; ``heads``: who speaks, by network (None: nothing read)."""

    holdings: list[HoldingRow]
    assets: list[AssetRow]
    heads: Mapping[str, HeadRow | None]
    more: bool
