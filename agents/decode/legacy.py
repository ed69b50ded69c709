"""raw -> normalized, tokens older than ERC-721's final text: they emit Transfer with other arguments indexed, or more.

By its topics alone such a log is an ERC-20 transfer, or nothing known, so only contracts that the network's
configuration lists are read this way (ft/contracts.py says which layouts there are).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ft.agents.decode import cryptopunks, erc721
from ft.agents.decode.model import Log
from ft.agents.decode.topics import ERC821_TRANSFER_5, ERC821_TRANSFER_6, TRANSFER
from ft.agents.decode.words import (
    IGNORED,
    LayoutError,
    Mismatch,
    Outcome,
    account,
    data_words,
    indexed_words,
    number,
)
from ft.contracts import NONE

STANDARD = "legacy721"
ERC821: Final = "erc821"
_INDEXED: Final[Mapping[str, tuple[bool, bool, bool]]] = MappingProxyType(
    {
        "all_in_data": (False, False, False),
        "id_in_data": (True, True, False),
        "id_in_topic": (False, False, True),
    }
)
"""Layout -> which of Transfer's from, to and id stand in topics; the others stand in the data, in their order."""
LAYOUTS: Final = frozenset(_INDEXED) | {ERC821} | cryptopunks.LAYOUTS
"""Every layout that a decoder reads."""
_ERC821_TOPICS: Final = frozenset({ERC821_TRANSFER_5, ERC821_TRANSFER_6})
TOPICS: Final = _ERC821_TOPICS | {TRANSFER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The listed contracts of one network. Make it with :func:`listed`, once."""

    layouts: Mapping[str, str] = field(default_factory=dict)
    """Address (lower case) -> layout."""
    topics: frozenset[str] = frozenset()
    """What is looked at because of them."""


NOTHING_LISTED: Final = Listed()


def listed(layouts: Mapping[str, str]) -> Listed:
    """What the decoder must know of ``layouts`` (address -> layout); ``none`` and layouts unknown here are left out."""
    known = {contract.lower(): layout for contract, layout in layouts.items() if layout in LAYOUTS and layout != NONE}
    topics: frozenset[str] = frozenset()
    if ERC821 in known.values():
        topics |= _ERC821_TOPICS
    if not cryptopunks.LAYOUTS.isdisjoint(known.values()):
        topics |= cryptopunks.TOPICS
    return Listed(layouts=MappingProxyType(known), topics=topics)


def decode(log: Log, layout: str, *, topic0: str) -> tuple[Outcome, str]:
    """One token of a listed contract moves; quantity 1. With its standard: ERC-821 became ERC-721, so that is one."""
    if layout == ERC821:
        return _erc821(log, topic0), erc721.STANDARD
    if topic0 != TRANSFER:
        return IGNORED, STANDARD
    try:
        return (_transfer(log, _INDEXED[layout]),), STANDARD
    except LayoutError as exc:
        return Mismatch(f"Transfer of a listed contract ({layout}): {exc}"), STANDARD


def _transfer(log: Log, indexed: tuple[bool, bool, bool]) -> tuple[str, str, str, None, str]:
    topics, data = indexed_words(log, sum(indexed)), data_words(log, 3 - sum(indexed))
    words, at = b"", [0, 0]
    for in_topic in indexed:
        source, place = (topics, at[0]) if in_topic else (data, at[1])
        words += source[32 * place : 32 * place + 32]
        at[0 if in_topic else 1] += 1
    return str(number(words, 2)), account(words, 0), account(words, 1), None, "1"


def _erc821(log: Log, topic0: str) -> Outcome:
    """With the operator and what was sent along in the data, of which nothing is needed; or plain ERC-721."""
    if topic0 == TRANSFER:
        return IGNORED if len(log.topics) != 4 else erc721.decode(log)
    try:
        words = indexed_words(log, 3)
        return ((str(number(words, 2)), account(words, 0), account(words, 1), None, "1"),)
    except LayoutError as exc:
        return Mismatch(f"Transfer of a listed contract ({ERC821}): {exc}")
