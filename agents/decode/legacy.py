"""raw -> normalized, tokens older than ERC-721's final text: they emit Transfer with other arguments indexed.

By its topics alone such a log is an ERC-20 transfer, so only contracts listed here are read this way.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from ft.agents.decode.model import Log
from ft.agents.decode.words import LayoutError, Mismatch, Outcome, account, data_words, indexed_words, number

STANDARD = "legacy721"


class Layout(Enum):
    """How a contract lays out Transfer(from, to, tokenId); the value is its number of topics."""

    ALL_IN_DATA = 1
    ID_IN_DATA = 3


LEGACY_CONTRACTS: Mapping[tuple[str, str], Layout] = MappingProxyType(
    {
        ("ethereum", "0x06012c8cf97bead5deae237070f9587f8e7a266d"): Layout.ALL_IN_DATA,  # CryptoKitties
        ("ethereum", "0x79986af15539de2db9a5086382daeda917a9cf0c"): Layout.ID_IN_DATA,  # Cryptovoxels parcels
        ("ethereum", "0x23cd7da31501aa54f61384a3756fb4a1329dbb2c"): Layout.ID_IN_DATA,  # Beeple
        ("ethereum", "0xbace7e22f06554339911a03b8e0ae28203da9598"): Layout.ID_IN_DATA,  # CryptoArte
    }
)
"""(network, contract) -> layout. A row more is all that another such contract needs."""


def layouts_of(network: str) -> Mapping[str, Layout]:
    """The listed contracts of one network."""
    return {contract: layout for (known, contract), layout in LEGACY_CONTRACTS.items() if known == network}


def decode(log: Log, *, layout: Layout) -> Outcome:
    """One token of a listed contract moves; quantity 1."""
    try:
        words = indexed_words(log, layout.value - 1)
        words += data_words(log, 4 - layout.value)
        return ((str(number(words, 2)), account(words, 0), account(words, 1), None, "1"),)
    except LayoutError as exc:
        return Mismatch(f"Transfer of a listed contract ({layout.name.lower()}): {exc}")
