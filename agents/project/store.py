"""The projections' rows in Postgres: read those of the keys touched, write back what the pure rule made of them."""

from collections.abc import Iterator, Mapping, Sequence

from ft.agents.columns import columns
from ft.agents.project.projection import (
    Account,
    Asset,
    Card,
    Changed,
    Collection,
    Holding,
    Slot,
    Stats,
    Told,
    changed_rows,
    fold,
    net,
    touched,
)
from ft.sql.queries import load
from ft.streams.checkpoint import Connection

_COLLECTION = ("network", "contract")
_ASSET = (*_COLLECTION, "token_id")
_ACCOUNT = (*_COLLECTION, "account")
_SLOT = (*_ASSET, "slot")
_COUNTS = ("transfers", "mints", "burns")


async def store(conn: Connection, told: Sequence[Told]) -> None:
    """Fold records, in order, into the projections, in the open transaction."""
    if not told:
        return
    await conn.execute(load("project")["plan"])
    slots, assets = touched([change for change, _ in told])
    stored, cards = await _read_stored(conn, slots, assets)
    folded = fold(told, stored)
    gained = net(folded.holdings, stored)
    holders = await _move_holders(conn, gained.accounts)
    await _write(conn, changed_rows(folded, gained, cards, holders))


async def _read_stored(
    conn: Connection, slots: Sequence[Slot], assets: Sequence[Asset]
) -> tuple[dict[Slot, Holding], dict[Asset, Card]]:
    sql = load("project")
    async with conn.pipeline():
        of_slots = await conn.execute(sql["read_holdings"], columns(_SLOT, slots), prepare=True)
        of_assets = await conn.execute(sql["read_cards"], columns(_ASSET, assets), prepare=True)
        rows = await of_slots.fetchall()
        holdings = {tuple(r[:4]): Holding(r[4], int(r[5]), (r[6], r[7], r[8]), r[9]) for r in rows}
        rows = await of_assets.fetchall()
        cards = {tuple(r[:3]): Card(r[3], int(r[4]), *r[5:]) for r in rows}
    return holdings, cards


async def _move_holders(conn: Connection, differences: Mapping[Account, int]) -> dict[Account, int]:
    """How many visible holdings each of the accounts has afterwards."""
    if not differences:
        return {}
    values = columns((*_ACCOUNT, "difference"), [(*k, differences[k]) for k in sorted(differences)])
    cursor = await conn.execute(load("project")["move_holders"], values, prepare=True)
    return {(network, contract, account): holdings for network, contract, account, holdings in await cursor.fetchall()}


async def _write(conn: Connection, changed: Changed) -> None:
    sql = load("project")
    async with conn.pipeline():
        for name, values in _statements(changed):
            if values:
                await conn.execute(sql[name], values, prepare=True)


def _statements(changed: Changed) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Query and its columns, each table's rows in key order: two writers can never wait for each other in a circle."""
    holdings, cards, stats, assets = changed.holdings, changed.cards, changed.stats, changed.assets
    yield (
        "write_holdings",
        columns(
            (*_SLOT, "account", "quantity", "block_number", "log_index", "sub_index", "returned"),
            [(*k, (h := holdings[k]).account, h.quantity, *h.position, h.returned) for k in sorted(holdings)],
        ),
    )
    yield (
        "write_cards",
        columns(
            (*_ASSET, "standard", "supply", "owners", "transfers", "last_block", "last_time", "version"),
            [
                (*k, (c := cards[k]).standard, c.supply, c.owners, c.transfers, c.last_block, c.last_time, c.version)
                for k in sorted(cards)
            ],
        ),
    )
    yield (
        "write_stats",
        columns(
            (*_COLLECTION, "owners", "assets", "supply", *_COUNTS, "standard", "first_block", "last_block", "version"),
            [_stats_row(k, stats[k]) for k in sorted(stats)],
        ),
    )
    yield (
        "write_activity",
        columns((*_COLLECTION, "day", *_COUNTS), [(*k, *changed.days[k]) for k in sorted(changed.days)]),
    )
    yield (
        "add_assets",
        columns(
            (*_ASSET, "uuid", "standard", "first_seen"),
            [(*k, (a := assets[k]).uuid, a.standard, a.first_seen) for k in sorted(assets)],
        ),
    )
    yield "seen_earlier", columns((*_ASSET, "first_seen"), [(*k, t) for k, t in sorted(changed.seen_earlier.items())])


def _stats_row(key: Collection, row: Stats) -> tuple[object, ...]:
    seen = row.seen
    counted = (row.owners, row.assets, row.supply, *seen.counts)
    return (*key, *counted, seen.standard, seen.first_block, seen.last_block, seen.version)
