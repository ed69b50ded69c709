"""Which holdings a contract tells of: tokens that one account holds, balances, or both.

Hardly a contract tells of both. Only the ids of one that does may be of either kind, and need a look at what is stored
(``owners``). A contract is asked for when it is met, once a claim.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from ft.agents.columns import columns as arrays
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.singles import booleans
from ft.schemas.standards import SINGLE
from ft.sql.queries import load
from ft.sql.session import Connection

Contract: TypeAlias = tuple[str, str]
"""network, contract"""
ONE_HOLDER: Final = 1
BALANCES: Final = 2
BOTH: Final = ONE_HOLDER | BALANCES
NOTHING_MET: Final[Mapping[int, Mapping[Contract, int]]] = MappingProxyType({})


@dataclass(slots=True, kw_only=True)
class Kinds:
    """What a transaction's contracts tell of."""

    hybrids: frozenset[Contract] = frozenset()
    """Those of its contracts that tell of both."""
    met: dict[int, dict[Contract, int]] = field(default_factory=dict)
    """By partition, those that were not known to tell of what they tell now."""


async def kinds(conn: Connection, stretches: Sequence[Stretch], known: Mapping[int, Mapping[Contract, int]]) -> Kinds:
    """What the contracts of the stretches tell of, written where it is new. ``known``: what is remembered."""
    result, hybrids = Kinds(), set[Contract]()
    for (partition, contract), told in told_kinds(stretches).items():
        before = known[partition].get(contract, 0)
        if told & ~before:
            result.met.setdefault(partition, {})[contract] = told
        elif before == BOTH:
            hybrids.add(contract)
    if result.met:
        hybrids |= await _meet(conn, result.met)
    result.hybrids = frozenset(hybrids)
    return result


def told_kinds(stretches: Iterable[Stretch]) -> dict[tuple[int, Contract], int]:
    """(partition, contract) -> what its events tell of, echoes too."""
    found: dict[tuple[int, Contract], int] = {}
    for stretch in stretches:
        if stretch.control is None:
            for contract, standard in set(zip(stretch.columns.contract, stretch.columns.standard, strict=True)):
                key = (stretch.partition, (stretch.network, contract))
                found[key] = found.get(key, 0) | (ONE_HOLDER if standard in SINGLE else BALANCES)
    return found


async def _meet(conn: Connection, met: Mapping[int, dict[Contract, int]]) -> set[Contract]:
    """Add what was known of the contracts, write what is new; returns those that tell of both."""
    places = {contract: partition for partition, found in met.items() for contract in found}
    asked = sorted(places)
    cursor = await conn.execute(load("ledger")["kinds"], arrays(("network", "contract"), asked), prepare=False)
    stored = {(row[0], row[1]): row[2] * ONE_HOLDER | row[3] * BALANCES for row in await cursor.fetchall()}
    new = []
    for contract in asked:
        found = met[places[contract]]
        found[contract] |= stored.get(contract, 0)
        if found[contract] != stored.get(contract):
            new.append((contract, places[contract], found[contract]))
    if new:
        values = {
            **arrays(("network", "contract", "partition"), [(*contract, place) for contract, place, _ in new]),
            "single": booleans([bool(kind & ONE_HOLDER) for *_, kind in new]),
            "multi": booleans([bool(kind & BALANCES) for *_, kind in new]),
        }
        await conn.execute(load("ledger")["put_kinds"], values, prepare=True)
    return {contract for contract in asked if met[places[contract]][contract] == BOTH}
