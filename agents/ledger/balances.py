"""Balances of which an event was taken back, or came back into sight -> the events that are left for them to stand on.

The journal is asked: for the newest of each account's events first, and where the balance's own are not surely among
them, for all events of the token, once for all of its balances. An account with many events is mostly found by the
first, an id with many is not asked by the second for each balance anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ft.agents.columns import columns as arrays
from ft.agents.ledger.kinds import Contract
from ft.agents.ledger.multis import Account
from ft.sql.queries import load
from ft.sql.session import Connection

NEAR: Final = 500
"""Events of an account that are looked at on each side, before the token's are."""
_ACCOUNT: Final = ("network", "contract", "token_id", "account")
_NOTHING: Final = (-1, -1, -1)


class Side(NamedTuple):
    """The newest events that came in to an account, or went out: what the query ``multi_near`` says of a balance."""

    found: Sequence[int] | None
    """Place of its newest among them."""
    whole: bool
    """Whether the account has no others."""
    lowest: int | None
    """Block of the oldest of them."""

    def is_below(self, block: int) -> bool:
        """Whether all that was not looked at lies below a block."""
        return self.whole or (self.lowest is not None and self.lowest < block)


class Stands(NamedTuple):
    """What a balance stands on; -1: on nothing, since nobody knows when."""

    since: int
    block_number: int
    log_index: int
    sub_index: int


def near(came: Side, since: int | None, went: Side) -> Stands | None:
    """By the newest events of the account; None: older ones may say otherwise. ``since``: of ``came.found``."""
    came_for_sure = came.whole or (came.found is not None and came.is_below(came.found[0]))
    place = max((side.found for side in (came, went) if side.found is not None), default=_NOTHING, key=tuple)
    if not (came_for_sure and came.is_below(place[0]) and went.is_below(place[0])):
        return None
    return Stands(-1 if since is None else since, place[0], place[1], place[2])


async def stand(conn: Connection, accounts: Sequence[Account]) -> set[Contract]:
    """Write what these balances stand on, in the open transaction.

    Returns the contracts of those that may stand on an event of a month that is not indexed.
    """
    found = await _near(conn, accounts)
    if far := [account for account in accounts if account not in found]:
        found |= await _far(conn, far)
    rows = [(*account, *found[account]) for account in accounts]
    undated = await _run(conn, "multi_stand", arrays((*_ACCOUNT, *Stands._fields), rows))
    return {(network, contract) for network, contract in undated}


async def _near(conn: Connection, accounts: Sequence[Account]) -> dict[Account, Stands]:
    found = {}
    for n, came, since, came_whole, came_lowest, *went in await _run(
        conn, "multi_near", {**arrays(_ACCOUNT, accounts), "most": NEAR}
    ):
        if (stands := near(Side(came, came_whole, came_lowest), since, Side(*went))) is not None:
            found[accounts[n - 1]] = stands
    return found


async def _far(conn: Connection, accounts: Sequence[Account]) -> dict[Account, Stands]:
    rows = await _run(conn, "multi_far", arrays(_ACCOUNT, accounts))
    return {accounts[n - 1]: Stands(since, *place) for n, since, place in rows}


async def _run(conn: Connection, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Planned anew each time: a plan must know how large the tables are by now."""
    return await (await conn.execute(load("ledger")[query], values, prepare=False)).fetchall()
