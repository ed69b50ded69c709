"""What the journal says of a batch's transaction hashes: whether they are live already. Asked once a batch.

1. networks whose hashes may come twice: one look-up a transaction in each month with rows of the network
2. where that has happened before, of any network: which copies are live
Of the other networks nothing is asked: what they show twice is known of blocks that are not final (``cache``).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, TypeAlias

import psycopg
import structlog
from psycopg import AsyncConnection

from ft.agents.columns import columns as arrays
from ft.agents.ledger.repeats import Copies, Hashes, HashKey, PartitionOf, parted
from ft.agents.ledger.validated_input import Append, Columns
from ft.config import Config
from ft.schemas.ids import REPEATED
from ft.sql.queries import load
from ft.sql.session import Connection, session, translated

log = structlog.get_logger(__name__)

# It holds the lock that all months are made under: a process that stops amid the transaction must not keep it.
_SESSION: Final = "-c idle_in_transaction_session_timeout=5s -c statement_timeout=0 -c lock_timeout=5s -c timezone=UTC"
Rows: TypeAlias = Mapping[tuple[int, str, str], tuple[Columns, Sequence[int]]]
"""partition, network, block hash -> events of a slice that may be reverted, and their revisions"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of the networks that a batch names."""

    repeat: frozenset[str] = frozenset()
    """Those whose hashes may come twice."""
    months: Mapping[str, Collection[date]] = field(default_factory=dict)
    """Network -> months in which its transactions are looked for, by their first days."""
    copied: Collection[PartitionOf] = frozenset()
    """Where transactions have been live twice."""


async def hashes(conn: Connection, asked: Asked, appends: Sequence[Append], reverted: Rows) -> Hashes:
    """``appends``: slices that may be applied; ``reverted``: those that may be reverted."""
    copies = await _copies(conn, asked, appends, reverted) if asked.copied else {}
    plain: dict[PartitionOf, set[str]] = {}
    for network in sorted(asked.repeat):
        wanted = {(s.partition, tx) for s in appends if s.network == network for tx in s.columns.tx_hash}
        wanted -= {(partition, tx_hash) for partition, of, tx_hash in copies if of == network}
        for since, until in ranges(asked.months.get(network, ())) if wanted else ():
            keys = arrays(("partition", "tx_hash"), sorted(wanted))
            values = {**keys, "network": network, "since": since, "until": until}
            cursor = await conn.execute(load("ledger")["plain_live"], values, prepare=False)
            for partition, tx_hash in await cursor.fetchall():
                plain.setdefault((partition, network), set()).add(tx_hash)
    return Hashes(repeat=asked.repeat, plain=plain, copies=copies)


def numbered(found: Hashes, reverted: Rows) -> set[tuple[str, str]]:
    """(network, name) of the copies that the batch may take: their events may have been retracted before."""
    free = {
        (network, f"{tx_hash}{REPEATED}{copy}")
        for (_, network, tx_hash), copies in found.copies.items()
        for copy in copies.free
    }
    return free | {
        (network, name)
        for (_, network, _), (columns, _) in reverted.items()
        for name in columns.tx_hash
        if REPEATED in name
    }


def ranges(months: Collection[date]) -> list[tuple[str, str]]:
    """Months that follow each other are one range: its begin, and its end (exclusive), as Postgres reads them."""
    found: list[tuple[date, date]] = []
    for month in sorted(months):
        after = (month + timedelta(days=31)).replace(day=1)
        if found and found[-1][1] == month:
            found[-1] = (found[-1][0], after)
        else:
            found.append((month, after))
    return [(f"{since:%Y-%m-%d} UTC", f"{until:%Y-%m-%d} UTC") for since, until in found]


async def ensure_month(config: Config, network: str, year: int, month: int) -> list[date]:
    """From now on the network's transactions are looked for in a month, too; returns the months that are new.

    A month that a bulk backfill fills without indexes gets the one for this, in a session that may take its time.
    Raises DatabaseUnavailable, DatabaseError.
    """
    where = session(config.postgres_as("ft_writer"), _SESSION, application_name="ft ledger hashes")
    values = {"network": network, "year": year, "month": month}
    try:
        async with await AsyncConnection.connect(where, autocommit=True) as conn:
            cursor = await conn.execute(load("ledger")["ensure_hash_month"], values)
            added: list[date] = [row[0] for row in await cursor.fetchall()]
    except psycopg.Error as exc:
        raise translated(exc) from exc
    log.info("transactions are looked for by their hash", network=network, months=[f"{m:%Y-%m}" for m in added])
    return added


async def _copies(conn: Connection, asked: Asked, appends: Sequence[Append], reverted: Rows) -> dict[HashKey, Copies]:
    most = Counter[HashKey]()
    for step in appends:
        if (step.partition, step.network) in asked.copied:
            most.update((step.partition, step.network, tx_hash) for tx_hash in set(step.columns.tx_hash))
    for (partition, network, _), (columns, _) in reverted.items():
        if (partition, network) in asked.copied:
            most.update((partition, network, parted(name)[0]) for name in set(columns.tx_hash))
    if not most:
        return {}
    rows = [(*key, count) for key, count in sorted(most.items())]
    values = arrays(("partition", "network", "tx_hash", "most"), rows)
    cursor = await conn.execute(load("ledger")["copies"], values, prepare=False)
    return {(row[0], row[1], row[2]): Copies(plain=row[3], free=row[5], top=row[4]) for row in await cursor.fetchall()}
