"""What `ft verify` tells beside its proofs: what was not read, or not proven, and so cannot be wrong or right."""

from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import psycopg

from ft.sql.queries import load

LISTED_MAX: Final = 10
"""Holes, and weak stretches, that are listed for each network; all are counted."""


def coverage_notes(conn: psycopg.Connection[Any]) -> list[str]:
    """A line for each hole in a network's coverage, each stretch that is less than proven, and each quarantine; and one
    each for holdings that cannot be dated, and rows that the journal does not keep."""
    sql = load("verify")
    notes = []
    for network, found in groupby(conn.execute(sql["holes"]).fetchall(), key=itemgetter(0)):
        holes = [(first, last) for _, first, last, _ in found]
        notes += [f"{network}: {_blocks(first, last)} not read" for first, last in holes[:LISTED_MAX]]
        notes += _more(network, "holes", len(holes))
    for network, found in groupby(conn.execute(sql["weak"]).fetchall(), key=itemgetter(0)):
        weak = [(first, last, proof) for _, first, last, proof in found]
        notes += [f"{network}: {_blocks(first, last)} read by {proof} only" for first, last, proof in weak[:LISTED_MAX]]
        notes += _more(network, "stretches that are less proven", len(weak))
    for network, entries, contracts in conn.execute(sql["quarantined"]).fetchall():
        notes.append(f"{network}: {entries:,} entries of {contracts:,} contracts are quarantined")
    ((undated,),) = conn.execute(sql["undated"]).fetchall()
    if undated:
        notes.append(f"{undated:,} holdings are not dated yet: months without indexes may tell of them")
    ((forgotten,),) = conn.execute(sql["forgotten"]).fetchall()
    if forgotten:
        notes.append(f"{forgotten:,} rows of kind finality are no longer kept: the journal's gaps are exactly theirs")
    return notes


def _blocks(first: int, last: int) -> str:
    return f"block {first}" if first == last else f"blocks {first} to {last} ({last - first + 1:,})"


def _more(network: str, what: str, count: int) -> list[str]:
    return [f"{network}: … and {count - LISTED_MAX:,} more {what}"] if count > LISTED_MAX else []
