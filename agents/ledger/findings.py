"""What one transaction of the ledger says of contradictions: findings, and contracts to be counted again.

1. findings fall with their block
2. what contradicts is a finding where the contract's whole history was read, and applied here
3. the contract is marked for a recount (``recount``) where that cannot be told, where events came below others of their
   token or balance, and where what contradicted may be right now

Clean data asks nothing of the database.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ft.agents.columns import columns as arrays
from ft.agents.ledger.contradictions import Contradiction, misled, overdrawn
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.kinds import Contract
from ft.agents.ledger.owners import Owned, partitions_of
from ft.agents.ledger.posting import Posting
from ft.agents.ledger.singles import Token, booleans, named, retractions, token_arrays
from ft.sql.queries import load
from ft.sql.session import Connection

_FINDING: Final = ("network", "contract", "token_id", "detail", "block_number", "block_hash")


class History(NamedTuple):
    """What was read of a contract's history."""

    whole: bool
    can_be_told: bool
    """Whether that is as sure as it gets: nothing is read, or about to be committed, that is not applied here."""


async def note(conn: Connection, posting: Posting, owned: Owned) -> None:
    """Write what the transaction contradicts, after its rows."""
    singles, stretches = owned.singles, owned.stretches
    reverts = [stretch for stretch in stretches if stretch.op == "revert"]
    if not (reverts or singles.contradictions or singles.below or owned.negative or owned.below or owned.turned):
        return
    doubtful = singles.below.keys() | owned.below | owned.turned
    if reverts:
        doubtful |= await _fall(conn, reverts)
    found = misled(stretches, singles)
    if owned.negative:
        told = await _overdrawn(conn, owned, retractions(reverts))
        doubtful |= {account[:2] for account in owned.negative if account[:3] not in told}
        found = told | found
    contracts = sorted(doubtful | {token[:2] for token in found})
    if not contracts:
        return
    partitions = partitions_of(stretches)
    histories = await _histories(conn, posting, [(*contract, partitions[contract]) for contract in contracts])
    sure = [one for one in found.values() if histories[one.token[:2]] == (True, True)]
    if sure:
        await run(conn, "put", finding_arrays(sure))
    doubtful |= {token[:2] for token in found} - {one.token[:2] for one in sure}
    if doubtful:
        await _mark(conn, posting, sorted(doubtful), partitions, histories)


async def _fall(conn: Connection, reverts: Iterable[Stretch]) -> set[Contract]:
    rows = sorted({(*token, stretch.block.hash) for stretch in reverts for token in _tokens(stretch)})
    if not rows:
        return set()
    fallen = await run(conn, "fall", arrays(("network", "contract", "token_id", "block_hash"), rows))
    return {(network, contract) for network, contract in fallen}


def _tokens(stretch: Stretch) -> set[Token]:
    return named([stretch], frozenset((stretch.network, contract) for contract in set(stretch.columns.contract)))


async def _overdrawn(conn: Connection, owned: Owned, undone: Collection[Token]) -> dict[Token, Contradiction]:
    """Tokens that the transaction left with balances below zero. A retraction alone is no contradiction."""
    tokens = sorted({account[:3] for account in owned.negative if account[:3] not in undone})
    if not tokens:
        return {}
    negative: dict[Token, dict[str, int]] = {}
    for network, contract, token_id, account, quantity in await run(conn, "negative", token_arrays(tokens)):
        negative.setdefault((network, contract, token_id), {})[account] = int(quantity)
    return overdrawn(owned.stretches, negative)


async def _histories(
    conn: Connection, posting: Posting, contracts: Sequence[tuple[str, str, int]]
) -> dict[Contract, History]:
    """What was read of each contract's history, as far as its partition has come with this transaction."""
    partition_heads = [posting.partition_heads[partition, network] for network, _, partition in contracts]
    rows = [
        (network, contract, partition_head.head.number, partition_head.position, partition_head.position)
        for (network, contract, _), partition_head in zip(contracts, partition_heads, strict=True)
    ]
    told = await run(conn, "histories", arrays(("network", "contract", "head", "position", "since"), rows))
    return {(contract[0], contract[1]): History(*row) for contract, row in zip(contracts, told, strict=True)}


async def _mark(
    conn: Connection, posting: Posting, contracts: Sequence[Contract], partitions: Mapping[Contract, int],
    histories: Mapping[Contract, History],
) -> None:  # fmt: skip
    rows = [
        (
            *contract,
            partition,
            posting.next_seq[partition] - 1,
            posting.partition_heads[partition, contract[0]].position,
        )
        for contract in contracts
        for partition in [partitions[contract]]
    ]
    values = arrays(("network", "contract", "partition", "seq", "position"), rows)
    await run(conn, "mark", {**values, "whole": booleans([histories[contract].whole for contract in contracts])})


def finding_arrays(found: Iterable[Contradiction]) -> dict[str, str]:
    """Parameters of the query ``put``, one array a column."""
    rows = [(*one.token, json.dumps(one.detail), one.block.number, one.block.hash) for one in found]
    return arrays(_FINDING, rows)


async def run(conn: Connection, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """A query of findings.sql. Never prepared: the plans must know how large the tables are by now."""
    cursor = await conn.execute(load("findings")[query], values, prepare=False)
    return await cursor.fetchall() if cursor.description else []
