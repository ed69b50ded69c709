"""Pure: who holds a token, by its live events. The ledger applies this rule; subscribers assign what it came to.

Single holding (ERC-721 and the like): the account is ``to`` of the live event with the greatest chain position.
Multi holding (ERC-1155): each account holds the sum of what came in less what went out.
An id that events of both tell of is of a single holding as long as one live event of such a standard says so, and all
of its live events move it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ft.schemas.ids import NO_ACCOUNTS

Position: TypeAlias = tuple[int, int, int]
"""(block number, log_index, sub_index): orders the events of one network."""

NOWHERE: Final[Position] = (-1, -1, -1)
"""Before every event: where a holding stands that no live event tells of."""


class Arrival(NamedTuple):
    """A live event of a single token, as far as it says who holds it."""

    position: Position
    account: str
    """Who got the token; one of NO_ACCOUNTS: nobody has it any more."""
    time: int
    """Of the block, unix seconds."""
    single: bool = True
    """Whether its standard says that one account holds the token; False: it is of a balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Who holds a single token, and the live event that says so."""

    account: str
    position: Position
    time: int
    """Of that event's block, unix seconds; 0 of an implicit holding."""

    @property
    def implicit(self) -> bool:
        """No live event tells of it: it is what the latest retraction names. Any event overrides it."""
        return self.position == NOWHERE


class Token:
    """The live events of a token that one account may hold: all of them, or as many from the greatest down as
    retractions will reach, of all and of those of a single holding.

    ``given``: who has the token while no live event is known; None: nobody is known to.
    """

    __slots__ = ("_given", "_live", "_told")

    def __init__(self, live: Iterable[Arrival] = (), given: str | None = None) -> None:
        self._live = sorted(set(live))
        self._told = sum(arrival.single for arrival in self._live)
        self._given = given

    @property
    def holding(self) -> Holding | None:
        """Who holds it now. 1. by the greatest live event; 2. None where all of them are of balances: those count;
        3. where none is live, by the latest retraction, implicitly; None: not known."""
        return None if self.has_balances else self.latest

    @property
    def latest(self) -> Holding | None:
        """The same, also where balances count."""
        if self._live:
            position, account, time, _ = self._live[-1]
            return Holding(account=account, position=position, time=time)
        return None if self._given is None else Holding(account=self._given, position=NOWHERE, time=0)

    @property
    def has_balances(self) -> bool:
        """Whether events are live, and all of them are of balances."""
        return bool(self._live) and not self._told

    def apply(self, arrival: Arrival) -> None:
        """An event becomes live, at whatever position."""
        insort(self._live, arrival)
        self._told += arrival.single

    def retract(self, position: Position, from_account: str | None) -> None:
        """The event at ``position`` is live no more. ``from_account``: who had the token before, as it says; None:
        it is of a balance, and does not say."""
        at = bisect_left(self._live, (position,))
        if at < len(self._live) and self._live[at].position == position:
            self._told -= self._live.pop(at).single
        self._given = from_account


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
