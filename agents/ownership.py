"""Pure: who holds a token after an event, and after its retraction. The ledger and every subscriber apply this rule.

Single holding (ERC-721 and the like): the account is ``to`` of the live event with the greatest chain position.
Multi holding (ERC-1155): each account holds the sum of what came in less what went out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from ft.schemas.ids import NO_ACCOUNTS

Position: TypeAlias = tuple[int, int, int]
"""(block number, log_index, sub_index): orders the events of one network."""

NOWHERE: Position = (-1, -1, -1)
"""Before every event: of a balance without a known incoming event."""

NO_FLOOR: Final = -1
"""The floor of a partition and network before anything was retracted there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One token, or some of it, leaves one account for another."""

    from_account: str
    to_account: str
    position: Position
    time: int | None = None
    """Of the block, unix seconds; None for a reader that keeps no ``since``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Who holds a single token, and the event that says so."""

    account: str
    position: Position
    since: int | None
    """Unix seconds; None: only the journal can tell, or this reader keeps none."""
    returned: bool = False
    """Given back by a retraction; stands just before the position of what was retracted."""


def floor_after(floor: int, op: str, block_number: int) -> int:
    """The highest block that the last reorg left standing, as far as the records of a partition and network tell.

    ``op`` and ``block_number`` are those of the record, in the order of ``seq``; before the first it is NO_FLOOR.

    1. revert: the block below the one that it retracts from
    2. finality: its head, if that is lower, because the lowest blocks that fell may have had no events here
    3. any other: as before
    """
    if op == "revert":
        return block_number - 1
    return min(floor, block_number) if op == "finality" else floor


def apply(held: Holding | None, move: Move, floor: int) -> Holding:
    """The holding after ``move``; ``held`` itself where nothing changes.

    1. nothing is known of the token: it is with ``to``
    2. the move is later than what the row stands on: the same
    3. the row was given back and the move takes it on from there, above the floor (it was included again, lower than
       before): the same. What is at or below the floor was there all the time, and is only read late.
    4. the row was given back and the move is how the account came to have the token: since then
    5. any other older move: nothing
    """
    if held is None or move.position > held.position or _continues(held, move, floor):
        return Holding(account=move.to_account, position=move.position, since=move.time)
    if held.returned and move.to_account == held.account and (move.time or 0) > (held.since or 0):
        return replace(held, since=move.time)
    return held


def _continues(held: Holding, move: Move, floor: int) -> bool:
    return held.returned and move.from_account == held.account and move.position[0] > floor


def retract(held: Holding | None, move: Move) -> Holding | None:
    """The holding after ``move`` is undone; ``held`` itself where nothing changes.

    1. the row stands on the move: the token is back with ``from``, by the chain's own word
    2. the row was given back to the account that this older move had given it to: further back
    3. any other move: nothing
    """
    if held is None:
        return None
    stands_on = not held.returned and move.position == held.position
    further_back = held.returned and move.position <= held.position and move.to_account == held.account
    if not stands_on and not further_back:
        return held
    block_number, log_index, sub_index = move.position
    before = (block_number, log_index, sub_index - 1)
    return Holding(account=move.from_account, position=before, since=None, returned=True)


def movements(from_account: str, to_account: str, quantity: int, op: str) -> Sequence[tuple[str, int]]:
    """(account, change) of one ERC-1155 event; reversed for op revert. A transfer to oneself has none."""
    if from_account == to_account:
        return ()
    signed = -quantity if op == "revert" else quantity
    if from_account in NO_ACCOUNTS:
        return () if to_account in NO_ACCOUNTS else ((to_account, signed),)
    if to_account in NO_ACCOUNTS:
        return ((from_account, -signed),)
    return (from_account, -signed), (to_account, signed)
