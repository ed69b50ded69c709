"""What reads of networks find."""

from collections.abc import Mapping

from msgspec import Struct

from ft.api.http.heads import HeadRow
from ft.api.http.known_networks import NetworkRow


class Networks(Struct, frozen=True, kw_only=True):
    """``heads``: who speaks, by network (None: nothing read)."""

    rows: list[NetworkRow]
    heads: Mapping[str, HeadRow | None]
