"""ownership_changed -> holdings, cards, holders, stats, activity, assets: the arithmetic, without Kafka or Postgres.

Three steps, because what the third needs to know follows from the second:

1. :func:`fold` applies a batch of records, in record order, to the stored holdings of the keys they touch; each with
   the floor that :func:`with_floors` gives it.
2. :func:`net` compares the holdings before and after: what each asset and each account of a collection gained or lost.
3. :func:`changed_rows` turns that into rows, given the stored cards and the holders' new counts.

Everything is kept by difference, retractions included, and equals what a recount from the journal gives. Heights,
times and versions only rise: a retraction is a record about its asset too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

from ft.agents import ownership
from ft.agents.ownership import NO_FLOOR, NOWHERE, Position
from ft.schemas import ids
from ft.schemas.events import OwnershipChanged
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import HOLDING

Asset: TypeAlias = tuple[str, str, str]
"""network, contract, token id (decimal)"""
Slot: TypeAlias = tuple[str, str, str, str]
"""network, contract, token id, slot: '' for a single holding, the account for a multi holding"""
Account: TypeAlias = tuple[str, str, str]
"""network, contract, account"""
Collection: TypeAlias = tuple[str, str]
"""network, contract"""
Day: TypeAlias = tuple[str, str, int]
"""network, contract, days since 1970-01-01 UTC"""

Told: TypeAlias = tuple[OwnershipChanged, int]
"""A record of kind mint, transfer or burn, and the floor of its partition and network there (``ownership``)."""

FINALITY: Final = "finality"
"""Kind of the records that are no events."""
KINDS: Final = ("transfer", "mint", "burn")
SIGN: Final = {"apply": 1, "revert": -1}
_DAY_S: Final = 86_400
K = TypeVar("K", Asset, Collection)


@dataclass(frozen=True, slots=True)
class Holding:
    """A row of projection.holdings. ``returned``: given back by a retraction, just before the position it names.

    A multi holding's position is that of the greatest incoming event, live or retracted.
    """

    account: str
    quantity: int
    position: Position
    returned: bool = False

    @property
    def visible(self) -> bool:
        """Whether it counts: some quantity, and an account that can hold."""
        return self.quantity > 0 and self.account not in NO_ACCOUNTS


@dataclass(frozen=True, slots=True)
class Card:
    """A row of projection.asset_cards: ``last_time`` in unix seconds, ``version`` the seq of its last record."""

    standard: str
    supply: int
    owners: int
    transfers: int
    last_block: int
    last_time: int
    version: int


@dataclass(slots=True)
class Seen:
    """What a batch says about one asset or one collection, whoever holds it."""

    standard: str
    version: int
    first_block: int
    last_block: int
    first_time: int
    last_time: int
    counts: list[int] = field(default_factory=lambda: [0] * len(KINDS))


@dataclass(slots=True)
class Folded:
    """The batch applied: holdings that changed, and what was seen."""

    holdings: dict[Slot, Holding] = field(default_factory=dict)
    assets: dict[Asset, Seen] = field(default_factory=dict)
    collections: dict[Collection, Seen] = field(default_factory=dict)
    days: dict[Day, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Net:
    """What visible holdings gained or lost; entries that came to nothing are left out of ``accounts``."""

    supply: dict[Asset, int] = field(default_factory=dict)
    owners: dict[Asset, int] = field(default_factory=dict)
    accounts: dict[Account, int] = field(default_factory=dict)


@dataclass(slots=True)
class Stats:
    """Differences to one row of projection.collection_stats."""

    seen: Seen
    owners: int = 0
    assets: int = 0
    supply: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAsset:
    """A stub for the catalog. ``first_seen`` in unix seconds."""

    uuid: UUID
    standard: str
    first_seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The rows to write. ``stats`` and ``days`` are differences, the others whole rows."""

    holdings: dict[Slot, Holding]
    cards: dict[Asset, Card]
    stats: dict[Collection, Stats]
    days: dict[Day, list[int]]
    assets: dict[Asset, NewAsset]
    """Assets that had no card."""
    seen_earlier: dict[Asset, int]
    """Known assets met in a block older than the youngest of theirs: the catalog takes this time if it is lower."""


def slots_of(change: OwnershipChanged) -> tuple[Slot, ...]:
    """The holdings that a record may change."""
    key = (change.network, change.contract, change.token_id)
    if HOLDING[change.standard] == "single":
        return ((*key, ""),)
    return tuple((*key, account) for account in {change.from_account, change.to_account} if account not in NO_ACCOUNTS)


def touched(changes: Sequence[OwnershipChanged]) -> tuple[list[Slot], list[Asset]]:
    """The keys of the holdings and of the cards that a batch needs to see, in key order."""
    slots = {slot for change in changes for slot in slots_of(change)}
    return sorted(slots), sorted({(c.network, c.contract, c.token_id) for c in changes})


def with_floors(records: Iterable[OwnershipChanged], floors: dict[str, int]) -> list[Told]:
    """The events among the records of a partition, in order. ``floors``, by network, go on to those after the last."""
    told = []
    for record in records:
        before = floors.get(record.network, NO_FLOOR)
        floor = floors[record.network] = ownership.floor_after(before, record.op, record.block_number)
        if record.kind != FINALITY:
            told.append((record, floor))
    return told


def fold(told: Sequence[Told], stored: Mapping[Slot, Holding]) -> Folded:
    """Apply a batch in record order to the ``stored`` holdings of the slots it touches."""
    folded = Folded()
    for change, floor in told:
        _move(change, floor, stored, folded.holdings)
        _count(change, folded)
    return folded


def _move(change: OwnershipChanged, floor: int, stored: Mapping[Slot, Holding], after: dict[Slot, Holding]) -> None:
    key = (change.network, change.contract, change.token_id)
    position = (change.block_number, change.log_index, change.sub_index)
    if HOLDING[change.standard] == "single":
        slot = (*key, "")
        before = after.get(slot) or stored.get(slot)
        row = _single(before, change, position, floor)
        if row is not None and row is not before:
            after[slot] = row
        return
    for account, difference in ownership.movements(
        change.from_account, change.to_account, int(change.quantity), change.op
    ):
        slot = (*key, account)
        before = after.get(slot) or stored.get(slot) or Holding(account, 0, NOWHERE)
        came_in = change.op == "apply" and account == change.to_account
        stands_on = max(before.position, position) if came_in else before.position
        after[slot] = Holding(account, before.quantity + difference, stands_on)


def _single(before: Holding | None, change: OwnershipChanged, position: Position, floor: int) -> Holding | None:
    move = ownership.Move(from_account=change.from_account, to_account=change.to_account, position=position)
    held = (
        None
        if before is None
        else ownership.Holding(account=before.account, position=before.position, since=None, returned=before.returned)
    )
    now = ownership.apply(held, move, floor) if change.op == "apply" else ownership.retract(held, move)
    if now is None or now is held:
        return before
    return Holding(now.account, 1, now.position, now.returned)


def _count(change: OwnershipChanged, folded: Folded) -> None:
    sign, which = SIGN[change.op], KINDS.index(change.kind)
    _see(folded.assets, (change.network, change.contract, change.token_id), change)[which] += sign
    _see(folded.collections, (change.network, change.contract), change)[which] += sign
    day = (change.network, change.contract, change.block_time // _DAY_S)
    folded.days.setdefault(day, [0] * len(KINDS))[which] += sign


def _see(into: dict[K, Seen], key: K, change: OwnershipChanged) -> list[int]:
    number, time = change.block_number, change.block_time
    seen = into.get(key)
    if seen is None:
        seen = into[key] = Seen(change.standard, change.seq, number, number, time, time)
        return seen.counts
    seen.standard, seen.version = change.standard, change.seq
    seen.first_block, seen.last_block = min(seen.first_block, number), max(seen.last_block, number)
    seen.first_time, seen.last_time = min(seen.first_time, time), max(seen.last_time, time)
    return seen.counts


def net(after: Mapping[Slot, Holding], stored: Mapping[Slot, Holding]) -> Net:
    """What visible holdings gained or lost between ``stored`` and ``after``."""
    result = Net()
    for slot, row in after.items():
        before = stored.get(slot)
        if before is not None and before.visible:
            _add(result, slot, before, -1)
        if row.visible:
            _add(result, slot, row, 1)
    result.accounts = {account: difference for account, difference in result.accounts.items() if difference}
    return result


def _add(result: Net, slot: Slot, row: Holding, sign: int) -> None:
    asset, account = slot[:3], (slot[0], slot[1], row.account)
    result.supply[asset] = result.supply.get(asset, 0) + sign * row.quantity
    result.owners[asset] = result.owners.get(asset, 0) + sign
    result.accounts[account] = result.accounts.get(account, 0) + sign


def changed_rows(folded: Folded, gained: Net, cards: Mapping[Asset, Card], holders: Mapping[Account, int]) -> Changed:
    """The rows of a batch. ``cards`` are the stored ones of its assets; ``holders``: how many visible holdings each of
    ``gained.accounts`` has now."""
    stats = {collection: Stats(seen) for collection, seen in folded.collections.items()}
    changed = Changed(holdings=folded.holdings, cards={}, stats=stats, days=folded.days, assets={}, seen_earlier={})
    for asset, seen in folded.assets.items():
        before = cards.get(asset)
        card = changed.cards[asset] = _card(before, seen, gained.supply.get(asset, 0), gained.owners.get(asset, 0))
        row = stats[asset[:2]]
        row.supply += gained.supply.get(asset, 0)
        row.assets += (card.owners > 0) - (before is not None and before.owners > 0)
        if before is None:
            changed.assets[asset] = _stub(asset, seen)
        elif seen.first_time < before.last_time:
            changed.seen_earlier[asset] = seen.first_time
    for account, difference in gained.accounts.items():
        has = holders[account]
        stats[account[:2]].owners += (has > 0) - (has - difference > 0)
    return changed


def _card(before: Card | None, seen: Seen, supply: int, owners: int) -> Card:
    return Card(
        standard=seen.standard,
        supply=supply + (before.supply if before else 0),
        owners=owners + (before.owners if before else 0),
        transfers=sum(seen.counts) + (before.transfers if before else 0),
        last_block=max(seen.last_block, before.last_block if before else -1),
        last_time=max(seen.last_time, before.last_time if before else 0),
        version=seen.version,
    )


def _stub(asset: Asset, seen: Seen) -> NewAsset:
    uuid = ids.asset_uuid(ids.asset_id(*asset))
    return NewAsset(uuid=uuid, standard=seen.standard, first_seen=seen.first_time)
