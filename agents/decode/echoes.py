"""raw -> normalized, one movement told by two events: which of a block's events only repeat another. Pure.

Within a transaction, the n-th event of one kind and the n-th of another with the same contract, id, from, to and
quantity 1 are one movement. The higher kind counts, whatever their order in the block; the lower one is its echo:

1. ERC-404's ERC721Transfer   2. ERC-721's Transfer   3. ERC-2309's ConsecutiveTransfer   4. ERC-1155's single and batch

Contracts older than the standards, and CryptoPunks, are never paired.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ft.agents.decode import erc404, erc721, erc1155
from ft.agents.decode.events import Events
from ft.agents.decode.topics import (
    CONSECUTIVE_TRANSFER,
    ERC721_TRANSFER,
    TRANSFER,
    TRANSFER_BATCH,
    TRANSFER_SINGLE,
)

_RANKS: Final[Mapping[str, int]] = MappingProxyType(
    {
        ERC721_TRANSFER: 0,
        TRANSFER: 1,
        CONSECUTIVE_TRANSFER: 2,
        TRANSFER_SINGLE: 3,
        TRANSFER_BATCH: 3,
    }
)
"""Topic0 -> rank of the kind; the lower number counts."""
_PAIRED: Final = frozenset({erc404.STANDARD, erc721.STANDARD, erc1155.STANDARD})
_Key = tuple[str, str, str, str, str]


def echoes_of(events: Events) -> list[bool]:
    """One flag an event: whether it is an echo. Empty where none is, as in nearly every block."""
    topics = set(events.topic0)
    if len(topics) < 2:
        return []
    kinds = set(zip(events.contract, events.topic0, strict=True))
    if len(kinds) == len(set(events.contract)):
        return []  # no contract speaks in two ways
    spoken: dict[str, set[int]] = {}
    for contract, topic0 in kinds:
        if (rank := _RANKS.get(topic0)) is not None:
            spoken.setdefault(contract, set()).add(rank)
    mixed = {contract for contract, ranks in spoken.items() if len(ranks) > 1}
    return _marked(events, mixed) if mixed else []


def _marked(events: Events, mixed: set[str]) -> list[bool]:
    """Mark the echoes among the events of the contracts that speak in two ways."""
    told: dict[_Key, Counter[int]] = {}
    places: list[tuple[int, _Key, int, int]] = []
    for row, contract in enumerate(events.contract):
        if contract not in mixed or events.standard[row] not in _PAIRED or events.quantity[row] != "1":
            continue
        rank = _RANKS.get(events.topic0[row])
        if rank is None:
            continue
        token, source, target = events.token_id[row], events.from_account[row], events.to_account[row]
        key = (events.tx_hash[row], contract, token, source, target)
        counts = told.setdefault(key, Counter())
        places.append((row, key, rank, counts[rank]))
        counts[rank] += 1
    echoes = [row for row, key, rank, n in places if any(told[key][higher] > n for higher in range(rank))]
    if not echoes:
        return []
    marked = [False] * len(events)
    for row in echoes:
        marked[row] = True
    return marked
