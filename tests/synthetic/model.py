"""Who owns what, in plain Python: dictionaries, no Kafka, no SQL, no clock."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ZERO = "0x" + "0" * 40


class Move(NamedTuple):
    """One movement of one token id on one contract; ``account`` ZERO on either side is a mint or a burn."""

    contract: str
    standard: str
    token_id: int
    source: str
    target: str
    quantity: int


Holding = tuple[str, int, str]
"""contract, token id, account"""


@dataclass
class Ownership:
    """Balances by (contract, token id, account); nothing is kept at zero."""

    balances: Counter[Holding] = field(default_factory=Counter)

    def apply(self, moves: Iterable[Move]) -> None:
        """Take the moves in order."""
        for move in moves:
            self._add((move.contract, move.token_id, move.source), -move.quantity)
            self._add((move.contract, move.token_id, move.target), move.quantity)

    def undo(self, moves: Iterable[Move]) -> None:
        """Take back the moves of a block, newest first."""
        self.apply(m._replace(source=m.target, target=m.source) for m in reversed(list(moves)))

    def holds(self, move: Move) -> bool:
        """Whether the move could happen now."""
        if move.source == ZERO:
            return move.standard == "erc1155" or not self.exists(move.contract, move.token_id)
        return self.balances[(move.contract, move.token_id, move.source)] >= move.quantity

    def exists(self, contract: str, token_id: int) -> bool:
        """Whether a single-holder token has one; :meth:`owner_of` in ``owners``."""
        return (contract, token_id) in self._single

    @property
    def held(self) -> Mapping[Holding, int]:
        """What everybody holds, positive quantities only."""
        return {key: quantity for key, quantity in self.balances.items() if quantity > 0}

    _single: dict[tuple[str, int], int] = field(default_factory=dict)

    def _add(self, key: Holding, quantity: int) -> None:
        contract, token_id, account = key
        if account == ZERO or not quantity:
            return
        left = self.balances[key] + quantity
        if left:
            self.balances[key] = left
        else:
            del self.balances[key]
        token = (contract, token_id)
        total = self._single.get(token, 0) + quantity
        if total:
            self._single[token] = total
        else:
            self._single.pop(token, None)
