"""The token standards, and how many may hold one token id of each."""

from typing import Final, Literal

Holding = Literal["single", "multi"]

HOLDING: Final[dict[str, Holding]] = {
    "erc721": "single",
    "erc404": "single",
    "cryptopunks": "single",
    "legacy721": "single",
    "erc1155": "multi",
    "tep62": "single",
}
"""``single``: one account holds a token. ``multi``: each account holds a quantity of it."""

SINGLE: Final = frozenset(standard for standard, holding in HOLDING.items() if holding == "single")
"""Standards of which one account holds a token."""

TITLES: Final[dict[str, str]] = {
    "erc721": "ERC-721",
    "erc404": "ERC-404 hybrid",
    "cryptopunks": "CryptoPunks",
    "legacy721": "before ERC-721",
    "erc1155": "ERC-1155",
    "tep62": "TEP-62",
}
"""Names for people."""

FAMILY: Final[dict[str, str]] = {standard: "ton" if standard == "tep62" else "evm" for standard in HOLDING}
