"""ownership_changed -> holdings, cards, holders, stats, activity, assets: the arithmetic, without Kafka or Postgres.

Three steps, because what the third needs to know follows from the second:

1. :func:`fold` applies a batch of records, in record order, to the stored holdings of the keys they touch: a record
   that names the token's holder is taken at its word, one of a balance moves balances.
2. :func:`net` compares the holdings before and after: what each asset and each account of a collection gained or lost.
3. :func:`changed_rows` turns that into the rows of collections and catalog, given what the cards were before these
   differences and how many holdings each holder has after them.

Everything is kept by difference, retractions included, and equals what a recount from the journal gives. Heights,
times and versions only rise: a retraction is a record about its asset too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias, TypeVar

from ft.agents import ownership
from ft.agents.columns import in_order
from ft.schemas import ids
from ft.schemas.changes import FINALITY, KINDS, NONE, SIGN, AnyChange
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE

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

NO_BALANCES: Final[Mapping[Asset, Sequence[Slot]]] = MappingProxyType({})
_DAY_S: Final = 86_400
_NEVER: Final = 2**62
"""A height or a time above every one that is taken."""
_WHICH: Final = {kind: which for which, kind in enumerate(KINDS)}
K = TypeVar("K", Asset, Collection)
C = TypeVar("C", bound=AnyChange)


class Holding(NamedTuple):
    """A row of projection.holdings."""

    account: str
    quantity: int
    block_number: int
    """Single: of the event that the holding stands on, -1: none. Multi: of the newest record about the balance."""
    covered: bool = False
    """A balance of an asset that one account holds: it counts again once nobody holds it alone."""

    @property
    def visible(self) -> bool:
        """Whether it counts: some quantity, an account that can hold, and nobody who holds the asset alone."""
        return self.quantity > 0 and not self.covered and self.account not in NO_ACCOUNTS


NOT_ALONE: Final = Holding("", 0, -1)
"""In the slot of one holder: nobody holds the asset alone any more."""


class Before(NamedTuple):
    """What is asked of a card as it was: ``last_time`` in unix seconds; None of a card that is new."""

    owners: int | None
    last_time: int | None


@dataclass(slots=True)
class Seen:
    """What a batch says about one asset or one collection, whoever holds it. ``counts``: by kind, as KINDS has them;
    ``met_as``: the standard of its first record."""

    standard: str
    version: int
    first_block: int
    last_block: int
    first_time: int
    last_time: int
    counts: list[int]
    met_as: str


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

    uuid: str
    standard: str
    first_seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Rows to write, once cards and holders are. ``stats`` are differences."""

    stats: dict[Collection, Stats]
    assets: dict[Asset, NewAsset]
    """Assets that had no card."""
    seen_earlier: dict[Asset, int]
    """Known assets met in a block older than the youngest of theirs: the catalog takes this time if it is lower."""


def events_of(records: Iterable[C]) -> list[C]:
    """The records that are events, in order."""
    return [record for record in records if record.kind != FINALITY]


def slots_of(change: AnyChange) -> tuple[Slot, ...]:
    """The holdings that a record may change."""
    key = (change.network, change.contract, change.token_id)
    one = ((*key, ""),) if change.holder is not None or change.holder_before is not None else ()
    if change.kind == NONE or change.standard in SINGLE:
        return one
    accounts = {change.from_account, change.to_account} - NO_ACCOUNTS
    return (*one, *((*key, account) for account in accounts))


def touched(changes: Sequence[AnyChange]) -> list[Slot]:
    """The keys of the holdings that a batch needs to see, in key order."""
    return in_order({slot for change in changes for slot in slots_of(change)})


def turning(changes: Iterable[AnyChange], slots: Iterable[Slot], stored: Mapping[Slot, Holding]) -> list[Asset]:
    """The assets that somebody holds alone from this batch on, or whose balances count from now on."""
    found = {s[:3] for s in slots if not s[3] and ((held := stored.get(s)) is None or held.account in NO_ACCOUNTS)}
    found |= {(c.network, c.contract, c.token_id) for c in changes if c.holder is None and c.holder_before is not None}
    return in_order(found)


def fold(
    changes: Sequence[AnyChange], stored: Mapping[Slot, Holding], balances: Mapping[Asset, Sequence[Slot]] = NO_BALANCES
) -> Folded:
    """Apply a batch in record order to the ``stored`` holdings of the slots it touches.

    ``balances``: the stored slots of assets that have one holder from this batch on, or had one. A record of a balance
    moves it always; whether it counts, the record says: it is covered while one account holds the asset.
    """
    folded, shown, uncounted = Folded(), set(balances), dict[Asset, str]()
    for change in changes:
        asset = (change.network, change.contract, change.token_id)
        if change.holder is not None:
            if shown and asset in shown:
                shown.remove(asset)
                _cover(asset, balances.get(asset, ()), stored, folded.holdings, covered=True)
            if change.kind == NONE:
                uncounted[asset] = change.standard
            folded.holdings[*asset, ""] = Holding(change.holder, 1, change.holder_block or 0)
        elif change.holder_before is not None:
            shown.add(asset)
            _cover(asset, balances.get(asset, ()), stored, folded.holdings, covered=False)
            folded.holdings[*asset, ""] = NOT_ALONE
            uncounted[asset] = change.standard
        if change.kind != NONE:
            if change.standard not in SINGLE:
                if change.holder is None:
                    shown.add(asset)
                _move_multi(asset, change, stored, folded.holdings)
            _count(asset, change, folded)
    if uncounted:
        for asset in in_order({slot[:3] for slot in _shifted(folded.holdings, stored)} & uncounted.keys()):
            folded.assets.setdefault(asset, _unseen(uncounted[asset]))
            folded.collections.setdefault(asset[:2], _unseen(uncounted[asset]))
    return folded


def _shifted(after: Mapping[Slot, Holding], stored: Mapping[Slot, Holding]) -> list[Slot]:
    """The slots in which somebody has something now and had not, or the other way round, or has another number."""
    return [slot for slot, row in after.items() if _counts(row) != _counts(stored.get(slot))]


def _counts(row: Holding | None) -> tuple[str, int] | None:
    return (row.account, row.quantity) if row is not None and row.visible else None


def _unseen(standard: str) -> Seen:
    """Of what is known already: no count, and heights and times that widen nothing."""
    return Seen(standard, 0, _NEVER, -1, _NEVER, 0, [0, 0, 0], standard)


def _cover(
    asset: Asset, known: Sequence[Slot], stored: Mapping[Slot, Holding], after: dict[Slot, Holding], *, covered: bool
) -> None:
    """What accounts have of the asset, in the tables or by this batch, counts no more, or again."""
    moved = [slot for slot in after if slot[3] and slot[:3] == asset]
    after |= {slot: (after.get(slot) or stored[slot])._replace(covered=covered) for slot in {*known, *moved}}


def _move_multi(asset: Asset, change: AnyChange, stored: Mapping[Slot, Holding], after: dict[Slot, Holding]) -> None:
    covered = change.holder is not None
    for account, difference in ownership.movements(
        change.from_account, change.to_account, int(change.quantity), change.op
    ):
        slot = (*asset, account)
        before = after.get(slot) or stored.get(slot) or Holding(account, 0, -1)
        block_number = max(before.block_number, change.block_number)
        after[slot] = Holding(account, before.quantity + difference, block_number, covered)


def _count(asset: Asset, change: AnyChange, folded: Folded) -> None:
    sign, which = SIGN[change.op], _WHICH[change.kind]
    collection = asset[:2]
    _see(folded.assets, asset, change)[which] += sign
    _see(folded.collections, collection, change)[which] += sign
    day = (*collection, change.block_time // _DAY_S)
    counts = folded.days.get(day)
    if counts is None:
        counts = folded.days[day] = [0, 0, 0]
    counts[which] += sign


def _see(into: dict[K, Seen], key: K, change: AnyChange) -> list[int]:
    number, time = change.block_number, change.block_time
    seen = into.get(key)
    if seen is None:
        standard = change.standard
        seen = into[key] = Seen(standard, change.seq, number, number, time, time, [0, 0, 0], standard)
        return seen.counts
    seen.standard, seen.version = change.standard, change.seq
    if number > seen.last_block:
        seen.last_block = number
    elif number < seen.first_block:
        seen.first_block = number
    if time > seen.last_time:
        seen.last_time = time
    elif time < seen.first_time:
        seen.first_time = time
    return seen.counts


def net(after: Mapping[Slot, Holding], stored: Mapping[Slot, Holding]) -> Net:
    """What visible holdings gained or lost between ``stored`` and ``after``."""
    result = Net()
    accounts = result.accounts
    for slot, row in after.items():
        before = stored.get(slot)
        was, shows = before is not None and before.visible, row.visible
        lost = before.quantity if before is not None and was else 0
        gained = row.quantity if shows else 0
        if gained != lost:
            asset = slot[:3]
            result.supply[asset] = result.supply.get(asset, 0) + gained - lost
        if shows is not was:
            asset = slot[:3]
            result.owners[asset] = result.owners.get(asset, 0) + shows - was
        if before is not None and was:
            account = (slot[0], slot[1], before.account)
            accounts[account] = accounts.get(account, 0) - 1
        if shows:
            account = (slot[0], slot[1], row.account)
            accounts[account] = accounts.get(account, 0) + 1
    result.accounts = {account: difference for account, difference in accounts.items() if difference}
    return result


def changed_rows(folded: Folded, gained: Net, cards: Mapping[Asset, Before], holders: Mapping[Account, int]) -> Changed:
    """What follows for collections and catalog. ``cards``: as they were, of the assets in ``folded``; ``holders``: how
    many visible holdings each of ``gained.accounts`` has now."""
    stats = {collection: Stats(seen) for collection, seen in folded.collections.items()}
    changed = Changed(stats=stats, assets={}, seen_earlier={})
    for asset, seen in folded.assets.items():
        before = cards[asset]
        had, difference = before.owners or 0, gained.owners.get(asset, 0)
        row = stats[asset[:2]]
        row.supply += gained.supply.get(asset, 0)
        row.assets += (had + difference > 0) - (had > 0)
        if before.owners is None:
            changed.assets[asset] = _stub(asset, seen)
        elif before.last_time is None or seen.first_time < before.last_time:
            changed.seen_earlier[asset] = seen.first_time
    for account, difference in gained.accounts.items():
        has = holders[account]
        stats[account[:2]].owners += (has > 0) - (has - difference > 0)
    return changed


def _stub(asset: Asset, seen: Seen) -> NewAsset:
    uuid = ids.asset_uuid_text(ids.asset_id(*asset))
    return NewAsset(uuid=uuid, standard=seen.met_as, first_seen=seen.first_time)
