"""Pure: stretches of the journal -> the ERC-1155 balances that they change, netted and in key order.

A balance is a sum, whatever the order of its events. It stands on the newest of them, in or out, and its account has
had it since the newest one that came in.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ft.agents.columns import array
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.singles import moving_rows, nullable, position_arrays, token_arrays
from ft.agents.ownership import NOWHERE, Position, movements
from ft.schemas.standards import SINGLE

Account: TypeAlias = tuple[str, str, str, str]
"""network, contract, token id, account"""


@dataclass(slots=True)
class Net:
    """What a transaction changes in one account's balance of a token."""

    standard: str
    quantity: int = 0
    lowest: int = 0
    """The least that the quantity was on its way, by an event that is applied."""
    position: Position = NOWHERE
    """Of the newest event that is applied, in or out."""
    since: int | None = None
    """Time of the newest that came in."""
    undone: set[Position] = field(default_factory=set)
    """Positions of the events that were retracted: a row that stands on one asks the journal."""
    undone_times: set[int] = field(default_factory=set)
    """Times of those that had come in."""
    late: Position | None = None
    """The lowest of the events that came, or went, at or below the head: the row may stand above it."""
    below: bool = False
    """Whether one of those is below another event of the transaction."""

    def apply(self, change: int, position: Position, time: int, standard: str) -> None:
        """An event of the balance is applied."""
        self.quantity += change
        if self.quantity < self.lowest:
            self.lowest = self.quantity
        if position >= self.position:
            self.position, self.standard = position, standard
        if change > 0:
            self.since = time if self.since is None else max(self.since, time)

    def retract(self, change: int, position: Position, time: int) -> None:
        """An event is retracted; ``change`` is what the retraction changes."""
        self.quantity += change
        self.undone.add(position)
        if change < 0:
            self.undone_times.add(time)

    def is_late(self, position: Position) -> None:
        """The event that follows is of a block at or below the head that the partition had."""
        self.below = self.below or position < self.position
        self.late = position if self.late is None else min(self.late, position)

    def is_below(self, stood: Sequence[Any]) -> bool:
        """Whether an event came, or went, below another one of the balance. ``stood``: the position that the row had
        before; Nones: there was none."""
        return self.below or (self.late is not None and stood[0] is not None and self.late < tuple(stood))

    def dips(self, before: str | None) -> bool:
        """Whether a balance falls below zero on its way and comes back. ``before``: what it was; None: nothing."""
        return self.lowest < min(self.quantity, 0) and int(before or 0) + self.lowest < 0

    def stands_on_undone(self, position: Position, since: int | None) -> bool:
        """Whether a row with these values says what a retracted event had said."""
        return position in self.undone or since in self.undone_times


def multis(stretches: Sequence[Stretch], late: Collection[int] = ()) -> dict[Account, Net]:
    """The change of each multi balance, in key order. ``late``: as :attr:`Posting.late`."""
    nets: dict[Account, Net] = {}
    for at, stretch in enumerate(stretches):
        if stretch.control is None and not SINGLE.issuperset(stretch.columns.standard):
            _fold(stretch, nets, late=at in late)
    return dict(sorted(nets.items()))


def multi_rows(nets: Mapping[Account, Net]) -> dict[str, Any]:
    """Parameters of the query ``multi_net``, one array a column."""
    found = list(nets.values())
    return {
        **token_arrays([key[:3] for key in nets]),
        "account": array([key[3] for key in nets]),
        "quantity": nullable([net.quantity for net in found]),
        "since": nullable([net.since for net in found]),
        **position_arrays([net.position for net in found]),
        "standard": array([net.standard for net in found]),
    }


def _fold(stretch: Stretch, nets: dict[Account, Net], *, late: bool) -> None:
    c, network, op = stretch.columns, stretch.network, stretch.op
    number, _, time = stretch.block
    for row in moving_rows(stretch):
        standard, contract, token_id = c.standard[row], c.contract[row], c.token_id[row]
        if standard in SINGLE:
            continue
        position = (number, c.log_index[row], c.sub_index[row])
        for account, change in movements(c.from_account[row], c.to_account[row], int(c.quantity[row]), op):
            key = (network, contract, token_id, account)
            net = nets.get(key)
            if net is None:
                net = nets[key] = Net(standard)
            if late:
                net.is_late(position)
            if op == "apply":
                net.apply(change, position, time, standard)
            else:
                net.retract(change, position, time)
