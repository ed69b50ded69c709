"""ownership_changed -> holdings, cards, holders, stats, activity, assets: the arithmetic, without Kafka or Postgres.

Three steps, because what the third needs to know follows from the second:

1. :func:`fold` applies a batch of records, in record order, to the stored holdings of the keys they touch; each with
   the floor that :func:`with_floors` gives it.
2. :func:`net` compares the holdings before and after: what each asset and each account of a collection gained or lost.
3. :func:`changed_rows` turns that into the rows of collections and catalog, given what the cards were before these
   differences and how many holdings each holder has after them.

Everything is kept by difference, retractions included, and equals what a recount from the journal gives. Heights,
times and versions only rise: a retraction is a record about its asset too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, TypeVar

from ft.agents import ownership
from ft.agents.ownership import NO_FLOOR, NOWHERE, Position
from ft.agents.project.said import FINALITY, KINDS, SIGN, AnyChange
from ft.schemas import ids
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

Told: TypeAlias = tuple[AnyChange, int]
"""A record of kind mint, transfer or burn, and the floor of its partition and network there (``ownership``)."""

_DAY_S: Final = 86_400
_WHICH: Final = {kind: which for which, kind in enumerate(KINDS)}
K = TypeVar("K", Asset, Collection)


class Holding(NamedTuple):
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


class Before(NamedTuple):
    """What is asked of a card as it was: ``last_time`` in unix seconds; None of a card that is new."""

    owners: int | None
    last_time: int | None


@dataclass(slots=True)
class Seen:
    """What a batch says about one asset or one collection, whoever holds it. ``counts``: by kind, as KINDS has them."""

    standard: str
    version: int
    first_block: int
    last_block: int
    first_time: int
    last_time: int
    counts: list[int]


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


def slots_of(change: AnyChange) -> tuple[Slot, ...]:
    """The holdings that a record may change."""
    key = (change.network, change.contract, change.token_id)
    if HOLDING[change.standard] == "single":
        return ((*key, ""),)
    return tuple((*key, account) for account in {change.from_account, change.to_account} if account not in NO_ACCOUNTS)


def touched(changes: Sequence[AnyChange]) -> tuple[list[Slot], list[Asset]]:
    """The keys of the holdings and of the cards that a batch needs to see, in key order."""
    slots = {slot for change in changes for slot in slots_of(change)}
    return sorted(slots), sorted({(c.network, c.contract, c.token_id) for c in changes})


def with_floors(records: Iterable[AnyChange], floors: dict[str, int]) -> list[Told]:
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
        asset = (change.network, change.contract, change.token_id)
        if HOLDING[change.standard] == "single":
            _move_single(asset, change, floor, stored, folded.holdings)
        else:
            _move_multi(asset, change, stored, folded.holdings)
        _count(asset, change, folded)
    return folded


def _move_single(
    asset: Asset, change: AnyChange, floor: int, stored: Mapping[Slot, Holding], after: dict[Slot, Holding]
) -> None:
    slot = (*asset, "")
    position = (change.block_number, change.log_index, change.sub_index)
    before = after.get(slot) or stored.get(slot)
    if change.op == "apply" and (before is None or position > before.position):  # ownership.apply, mostly
        after[slot] = Holding(change.to_account, 1, position)
        return
    move = ownership.Move(from_account=change.from_account, to_account=change.to_account, position=position)
    held = (
        None
        if before is None
        else ownership.Holding(account=before.account, position=before.position, since=None, returned=before.returned)
    )
    now = ownership.apply(held, move, floor) if change.op == "apply" else ownership.retract(held, move)
    if now is not None and now is not held:
        after[slot] = Holding(now.account, 1, now.position, now.returned)


def _move_multi(asset: Asset, change: AnyChange, stored: Mapping[Slot, Holding], after: dict[Slot, Holding]) -> None:
    position = (change.block_number, change.log_index, change.sub_index)
    for account, difference in ownership.movements(
        change.from_account, change.to_account, int(change.quantity), change.op
    ):
        slot = (*asset, account)
        before = after.get(slot) or stored.get(slot) or Holding(account, 0, NOWHERE)
        came_in = change.op == "apply" and account == change.to_account
        stands_on = max(before.position, position) if came_in else before.position
        after[slot] = Holding(account, before.quantity + difference, stands_on)


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
        seen = into[key] = Seen(change.standard, change.seq, number, number, time, time, [0, 0, 0])
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
    return NewAsset(uuid=uuid, standard=seen.standard, first_seen=seen.first_time)
