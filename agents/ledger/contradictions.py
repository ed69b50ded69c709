"""Pure: what a transaction found -> contradictions, each with the event that brings it.

A token contradicts where its live events cannot all be true in the order of the chain: a single one is minted while
somebody has it, or leaves somebody who does not have it; a balance falls below zero. Whether that is a finding, or only
means that something was not read, is not decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.singles import Place, Singles, Token, contradicts, moving_rows
from ft.agents.ledger.validated_input import Block
from ft.agents.ownership import movements
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import SINGLE

Move: TypeAlias = tuple[Place, int]
"""An event, and what it adds to a balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A token that contradicts."""

    token: Token
    block: Block
    """Of the event that brings it."""
    detail: Mapping[str, Any]
    """``reason``; ``holder``, ``from`` and ``to`` of a single token, ``sums`` of balances."""


def misled(stretches: Sequence[Stretch], singles: Singles) -> dict[Token, Contradiction]:
    """Of each single token the first event that cannot be true."""
    found: dict[Token, Contradiction] = {}
    for (at, row), held in sorted(singles.contradictions.items()):
        stretch = stretches[at]
        c = stretch.columns
        token, source = (stretch.network, c.contract[row], c.token_id[row]), c.from_account[row]
        if token not in found:
            detail = {
                "reason": _reason(held, source),
                "holder": None if held in NO_ACCOUNTS else held,
                "from": source,
                "to": c.to_account[row],
            }
            found[token] = Contradiction(token=token, block=stretch.block, detail=detail)
    return found


def _reason(held: str | None, source: str) -> str:
    if not contradicts(held, source):
        return "more than one"
    if source in NO_ACCOUNTS:
        return "minted while held"
    return "moved before it was minted" if held is None else "from does not hold it"


def overdrawn(stretches: Sequence[Stretch], negative: Mapping[Token, Mapping[str, int]]) -> dict[Token, Contradiction]:
    """Of each token with balances below zero the event that brought one there.

    ``negative``: those balances after the stretches. Tokens of which no event takes anything from them are left out.
    """
    moves: dict[Token, dict[str, list[Move]]] = {token: {} for token in negative}
    for at, stretch in enumerate(stretches):
        c, network = stretch.columns, stretch.network
        for row in moving_rows(stretch):
            token = (network, c.contract[row], c.token_id[row])
            if c.standard[row] in SINGLE or token not in negative:
                continue
            for account, change in movements(c.from_account[row], c.to_account[row], int(c.quantity[row]), stretch.op):
                if account in negative[token]:
                    moves[token].setdefault(account, []).append(((at, row), change))
    found = {}
    for token, balances in negative.items():
        fallen = [
            fell for account, told in moves[token].items() if (fell := _fell(told, balances[account])) is not None
        ]
        if fallen:
            sums = [{"account": account, "quantity": str(quantity)} for account, quantity in balances.items()]
            detail = {"reason": "negative sum", "sums": sums}
            found[token] = Contradiction(token=token, block=stretches[min(fallen)[0]].block, detail=detail)
    return found


def _fell(moves: Sequence[Move], now: int) -> Place | None:
    """The event that last brought a balance below zero, else the first that takes from it. ``now``: after them all."""
    balance = now - sum(change for _, change in moves)
    fell, takes = None, None
    for place, change in moves:
        if change < 0:
            takes = takes or place
            if balance >= 0 > balance + change:
                fell = place
        balance += change
    return fell or takes
