"""journal -> the tokens that contradict, judged anew for every contract; the ledger and its recounts wrote the same.

The rule and its queries are those of the recount (agents/ledger/recount.py): this is one of all contracts at once,
which leaves their marks as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg

from ft.agents.columns import columns
from ft.agents.ledger.recount import MARK, ROWS_AT_ONCE
from ft.schemas import ids
from ft.sql.queries import load

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A token whose events cannot all be true although all are known: the contract's doing, shown in answers."""

    network: str
    contract: str
    token_id: str
    detail: Mapping[str, Any]

    def __str__(self) -> str:
        told = self.detail
        if "sums" in told:
            said = ", ".join(f"{s['account']}: {s['quantity']}" for s in told["sums"][:4])
        else:
            said = f"{told['from']} -> {told['to']}, held by {told['holder'] or 'nobody'}"
        return f"{ids.asset_id(self.network, self.contract, self.token_id)}: {told['reason']} ({said})"


def judge(conn: Connection, values: Mapping[str, Any]) -> tuple[tuple[int, int], list[Finding]]:
    """Count every contract whose whole history was read, in the open snapshot; what is found waits for :func:`keep`.

    Returns how many contracts there are, how many of them have their whole history, and what was found.
    """
    _run(conn, "make_room")
    _run(conn, "clear_room")
    marks = _run(conn, "contracts")
    histories = _run(conn, "histories", columns(MARK, marks) or dict.fromkeys(MARK, "{}"))
    whole = [mark for mark, (is_whole, _) in zip(marks, histories, strict=True) if is_whole]
    sure = [mark for mark, history in zip(marks, histories, strict=True) if history == (True, True)]
    _run(conn, "keep_contradicting", {**values, **_contracts(sure)})
    unsure = {mark[:2] for mark in whole} - {mark[:2] for mark in sure}
    judged = [(*contract, 0) for contract in _run(conn, "found_contracts") if contract not in unsure]
    _run(conn, "keep_healing", _contracts(judged))
    found = [Finding(network=row[0], contract=row[1], token_id=row[2], detail=row[3]) for row in _run(conn, "kept")]
    return (len(marks), len(whole)), found


def keep(conn: Connection) -> int:
    """Write what was found and delete what healed, unless the ledger did otherwise since; returns how many healed."""
    healed = 0
    while True:
        with conn.transaction():
            _run(conn, "lock_all_partitions")
            (gone,) = _run(conn, "write_healing", {"most": ROWS_AT_ONCE})
            (found,) = _run(conn, "write_contradicting", {"most": ROWS_AT_ONCE})
        healed += int(gone[1])
        if max(gone[0], found[0]) < ROWS_AT_ONCE:
            return healed


def _contracts(marks: Sequence[tuple[Any, ...]]) -> dict[str, str]:
    names = MARK[:3]
    return columns(names, [mark[:3] for mark in marks]) or dict.fromkeys(names, "{}")


def _run(conn: Connection, query: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    cursor = conn.execute(load("findings")[query], values, prepare=False)
    return cursor.fetchall() if cursor.description else []
