"""Contracts older than the token standards: configuration that says how each lays out what it logs.

By its topics alone such a log is an ERC-20 transfer, or nothing that a decoder knows: only contracts that a network's
configuration names are read this way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ft.errors import ConfigError

LAYOUTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "all_in_data": "Transfer(from, to, id), nothing indexed: 1 topic, three words of data",
        "id_in_data": "Transfer(from, to, id), from and to indexed: 3 topics, one word of data",
        "id_in_topic": "Transfer(from, to, id), id indexed: 2 topics, two words of data",
        "erc821": "Transfer(from, to, id, operator, userData[, operatorData]), the first three indexed; ERC-721's too",
        "cryptopunks": "Assign, PunkTransfer, PunkBought",
        "cryptopunks_v1": "the same, but PunkBought names the buyer twice: the seller is in the Transfer before it",
        "none": "takes a contract off the shipped list",
    }
)
"""Layout -> what the contract logs."""
NONE: Final = "none"
_KEYS: Final = frozenset({"layout", "name", "source"})
_ADDRESS: Final = re.compile(r"0[xX][0-9a-fA-F]{40}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One listed contract."""

    layout: str
    """A key of :data:`LAYOUTS`."""
    name: str = ""
    """For people; empty: not told."""
    source: str = ""
    """Where its layout is known from; empty: not told."""


def read_contracts(table: object, where: str) -> dict[str, Contract]:
    """A network's ``contracts`` table by lower-case address. Raises ConfigError with what was expected.

    An entry is ``"0x..." = { layout = "id_in_data", name = "...", source = "..." }``, or the layout alone.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: contracts: expected a table of addresses, got {table!r}")
    found: dict[str, Contract] = {}
    for address, value in table.items():
        if not _ADDRESS.match(str(address)):
            raise ConfigError(f"{where}: contracts: expected an address of 0x and 40 hex digits, got {address!r}")
        if str(address).lower() in found:
            raise ConfigError(f"{where}: contracts: expected each address once, got {address!r} in two spellings")
        found[str(address).lower()] = _contract(value, f"{where}: contracts: {address}")
    return found


def _contract(value: object, where: str) -> Contract:
    if isinstance(value, str):
        value = {"layout": value}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a layout, or a table with one, got {value!r}")
    if unknown := set(value) - _KEYS:
        expected, got = ", ".join(sorted(_KEYS)), ", ".join(sorted(unknown))
        raise ConfigError(f"{where}: expected the keys {expected}, got {got}")
    layout = value.get("layout")
    if layout not in LAYOUTS:
        raise ConfigError(f"{where}: layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    for key in ("name", "source"):
        if not isinstance(value.get(key, ""), str):
            raise ConfigError(f"{where}: {key}: expected text, got {value[key]!r}")
    return Contract(layout=str(layout), name=value.get("name", ""), source=value.get("source", ""))
