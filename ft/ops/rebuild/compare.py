"""Two ledgers, one of them rebuilt from the raw topics -> what differs, of what both have read to the same place.

The place is the raw offset: a partition and network is compared when both ledgers stand at the same one, a chain when
both normalizers do, each in one snapshot (REPEATABLE READ) of both.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ft.ops.rebuild.shadow import Connection
from ft.ops.verify.run import DIFFERENCES_MAX, Difference, Outcome
from ft.schemas.ids import NO_ACCOUNTS
from ft.sql.queries import LIVE, load

Slot: TypeAlias = tuple[int, str]
"""Partition and network."""

NOTHING: Final = "nothing"
SLOT_CHECKS: Final = {
    "events": "{0:,} events in force, with everything that they say",
    "deltas": "{0:,} accounts' sums of all that came in and went out",
    "ownership": "{0:,} holdings: account, quantity, since, and the event that each stands on",
    "slices": "{0:,} block slices in force",
    "marks": "{0} heads of partitions, with what is safe and final",
}
"""Query of sql/rebuild.sql -> what is claimed; of the partitions and networks that are level."""
CHAIN_CHECKS: Final = {
    "blocks": "{0:,} canonical blocks",
    "coverage": "{0:,} stretches that were read",
    "holes": "{0:,} quarantined entries on blocks that count",
}
"""The same of the networks whose chains are level, with all of their partitions."""

# Of both sides by key: a key that occurs twice has both values. The first row counts.
_DIFFER: Final = """
WITH live AS (
    SELECT key, string_agg(value, ' and ' ORDER BY value) AS value FROM ({live}) AS rows GROUP BY key
), rebuilt AS (
    SELECT key, string_agg(value, ' and ' ORDER BY value) AS value FROM ({rebuilt}) AS rows GROUP BY key
), compared AS MATERIALIZED (
    SELECT key, rebuilt.value AS expected, live.value AS got FROM live FULL JOIN rebuilt USING (key)
)
SELECT NULL AS key, NULL AS expected, NULL AS got, count(*) AS looked_at,
       count(*) FILTER (WHERE expected IS DISTINCT FROM got) AS differ
FROM compared
UNION ALL (
    SELECT key, expected, got, NULL, NULL FROM compared
    WHERE expected IS DISTINCT FROM got ORDER BY key LIMIT %(most)s
)
ORDER BY key NULLS FIRST
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where one ledger stands: raw offsets."""

    slots: Mapping[Slot, int]
    chains: Mapping[str, int]


def places(conn: Connection, generation: str, networks: Sequence[str]) -> Places:
    """Where the ledger and normalize of a generation stand in these networks."""
    query, values = load("rebuild", generation), {"networks": list(networks)}
    slots = conn.execute(query["positions"], values).fetchall()
    chains = conn.execute(query["chain_positions"], values).fetchall()
    return Places(slots={(partition, network): position for partition, network, position in slots}, chains=dict(chains))


def level(live: Places, rebuilt: Places) -> tuple[set[Slot], set[str]]:
    """The partitions that stand at the same place, and the chains that do so with all of their partitions.

    The latter, because what a ledger puts into quarantine belongs to the chain.
    """
    slots = {slot for slot, position in live.slots.items() if rebuilt.slots.get(slot) == position}
    waiting = {network for _, network in set(live.slots) - slots}
    chains = {network for network, position in live.chains.items() if rebuilt.chains.get(network) == position}
    return slots, chains - waiting


def compare_slots(conn: Connection, generation: str, slots: set[Slot]) -> list[Outcome]:
    """What these partitions and networks hold, in the open snapshot."""
    ordered = sorted(slots)
    values = {
        "partitions": [partition for partition, _ in ordered],
        "networks": [network for _, network in ordered],
        "nobody": sorted(NO_ACCOUNTS),
    }
    return [_compare(conn, generation, name, claim, values) for name, claim in SLOT_CHECKS.items()]


def compare_chains(conn: Connection, generation: str, networks: set[str]) -> list[Outcome]:
    """The chains of these networks, in the open snapshot."""
    values = {"networks": sorted(networks)}
    return [_compare(conn, generation, name, claim, values) for name, claim in CHAIN_CHECKS.items()]


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """Several outcomes of one check as one. At least one is expected."""
    differences = [difference for outcome in outcomes for difference in outcome.differences]
    return Outcome(
        name=outcomes[0].name,
        claim=(SLOT_CHECKS | CHAIN_CHECKS)[outcomes[0].name].format(sum(outcome.looked_at for outcome in outcomes)),
        count=sum(outcome.count for outcome in outcomes),
        differences=differences[:DIFFERENCES_MAX],
        seconds=sum(outcome.seconds for outcome in outcomes),
        looked_at=sum(outcome.looked_at for outcome in outcomes),
    )


def _compare(conn: Connection, generation: str, name: str, claim: str, values: Mapping[str, Any]) -> Outcome:
    began = time.monotonic()
    query = _DIFFER.format(live=load("rebuild", LIVE)[name], rebuilt=load("rebuild", generation)[name])
    counted, *rows = conn.execute(query.encode(), {**values, "most": DIFFERENCES_MAX}).fetchall()
    return Outcome(
        name=name,
        claim=claim.format(counted[3]),
        count=counted[4],
        differences=[Difference(what=row[0], expected=row[1] or NOTHING, got=row[2] or NOTHING) for row in rows],
        seconds=time.monotonic() - began,
        looked_at=counted[3],
    )
