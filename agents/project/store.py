"""The projections' rows in Postgres: read those of the keys touched, write back what the pure rule made of them."""

from collections.abc import Iterator, Mapping, Sequence

from ft.agents.columns import columns, in_order
from ft.agents.project.projection import (
    Account,
    Asset,
    Before,
    Changed,
    Collection,
    Folded,
    Holding,
    Net,
    Slot,
    Stats,
    changed_rows,
    fold,
    net,
    touched,
    turning,
)
from ft.schemas.changes import AnyChange
from ft.sql.queries import load
from ft.sql.session import Connection

_COLLECTION = ("network", "contract")
_ASSET = (*_COLLECTION, "token_id")
_ACCOUNT = (*_COLLECTION, "account")
_SLOT = (*_ASSET, "slot")
_COUNTS = ("transfers", "mints", "burns")


async def store(conn: Connection, changes: Sequence[AnyChange]) -> None:
    """Fold events, in order, into the projections, in the open transaction.

    1. read the holdings that the records touch, and apply the records to them
    2. write holdings and activity; move cards and holders, and learn what they were
    3. write what follows for collections and catalog
    Each table's rows are written in key order: two writers can never wait for each other in a circle.
    """
    if not changes:
        return
    slots = touched(changes)
    stored = await _read_stored(conn, slots)
    balances = await _read_balances(conn, turning(changes, slots, stored), stored)
    folded = fold(changes, stored, balances)
    gained = net(folded.holdings, stored)
    cards, holders = await _move(conn, in_order(folded.assets), folded, gained)
    await _follow(conn, changed_rows(folded, gained, cards, holders))


async def _read_stored(conn: Connection, slots: Sequence[Slot]) -> dict[Slot, Holding]:
    sql = load("project")
    if not slots:
        return {}
    async with conn.pipeline():
        await conn.execute(sql["plan"], prepare=True)
        cursor = await conn.execute(sql["read_holdings"], columns(_SLOT, slots), prepare=True)
        rows = await cursor.fetchall()
    return {slots[n - 1]: Holding(account, int(quantity), *rest) for n, account, quantity, *rest in rows}


async def _read_balances(
    conn: Connection, assets: Sequence[Asset], stored: dict[Slot, Holding]
) -> dict[Asset, list[Slot]]:
    """The balances of assets that have one holder from now on, or had one; they join the ``stored``. Mostly there are
    none."""
    found: dict[Asset, list[Slot]] = {}
    if assets:
        cursor = await conn.execute(load("project")["read_balances"], columns(_ASSET, assets), prepare=True)
        for n, account, quantity, *rest in await cursor.fetchall():
            slot = (*assets[n - 1], account)
            stored[slot] = Holding(account, int(quantity), *rest)
            found.setdefault(assets[n - 1], []).append(slot)
    return found


async def _move(
    conn: Connection, assets: Sequence[Asset], folded: Folded, gained: Net
) -> tuple[dict[Asset, Before], dict[Account, int]]:
    """The cards as they were, and how many visible holdings each account has afterwards: rows return as they went."""
    sql, accounts = load("project"), in_order(gained.accounts)
    async with conn.pipeline():
        for name, values in _moved(folded):
            if values:
                await conn.execute(sql[name], values, prepare=True)
        cards_values = _cards(assets, folded, gained)
        of_cards = await conn.execute(sql["move_cards"], cards_values, prepare=True) if assets else None
        values = columns((*_ACCOUNT, "difference"), [(*key, gained.accounts[key]) for key in accounts])
        of_holders = await conn.execute(sql["move_holders"], values, prepare=True) if accounts else None
        cards = dict(zip(assets, map(Before._make, await of_cards.fetchall()), strict=True)) if of_cards else {}
        holders = [row[0] for row in await of_holders.fetchall()] if of_holders is not None else []
    return cards, dict(zip(accounts, holders, strict=True))


def _moved(folded: Folded) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Query and its columns."""
    holdings, days = folded.holdings, folded.days
    slots = in_order(holdings)
    yield (
        "write_holdings",
        columns((*_SLOT, *Holding._fields), [(*slot, *holdings[slot]) for slot in slots]),
    )
    yield "write_activity", columns((*_COLLECTION, "day", *_COUNTS), [(*key, *days[key]) for key in sorted(days)])


def _cards(assets: Sequence[Asset], folded: Folded, gained: Net) -> Mapping[str, str]:
    seen, supply, owners = folded.assets, gained.supply, gained.owners
    return columns(
        (*_ASSET, "standard", "supply", "owners", "transfers", "last_block", "last_time", "version"),
        [
            (*key, (s := seen[key]).standard, supply.get(key, 0), owners.get(key, 0), sum(s.counts), s.last_block,
             s.last_time, s.version)
            for key in assets
        ],
    )  # fmt: skip


async def _follow(conn: Connection, changed: Changed) -> None:
    sql = load("project")
    async with conn.pipeline():
        for name, values in _following(changed):
            if values:
                await conn.execute(sql[name], values, prepare=True)


def _following(changed: Changed) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Query and its columns."""
    stats, assets = changed.stats, changed.assets
    yield (
        "write_stats",
        columns(
            (*_COLLECTION, "owners", "assets", "supply", *_COUNTS, "standard", "first_block", "last_block", "version"),
            [_stats_row(key, stats[key]) for key in sorted(stats)],
        ),
    )
    yield (
        "add_assets",
        columns(
            (*_ASSET, "uuid", "standard", "first_seen"),
            [(*key, (a := assets[key]).uuid, a.standard, a.first_seen) for key in in_order(assets)],
        ),
    )
    yield "seen_earlier", columns((*_ASSET, "first_seen"), [(*k, t) for k, t in sorted(changed.seen_earlier.items())])


def _stats_row(key: Collection, row: Stats) -> tuple[object, ...]:
    seen = row.seen
    counted = (row.owners, row.assets, row.supply, *seen.counts)
    return (*key, *counted, seen.standard, seen.first_block, seen.last_block, seen.version)
