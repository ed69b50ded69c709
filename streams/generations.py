"""Which announced records hold: a restore takes back what came after the state that it restored.

A generation is the time between two restores; its number is the deployment's epoch, and every record that is announced
carries it. A generation that is over holds up to a seq, in each partition: what it announced beyond never happened,
since the same numbers were given out again. The present one holds whole. Kept in system.generations, and said on the
topic system.deployment, so that subscribers without a database know it too (docs/consuming.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeAlias

import psycopg

from ft.config import Config
from ft.sql.queries import LIVE, load
from ft.streams.database import looking

Ends: TypeAlias = Mapping[tuple[int, int], int]
"""(generation, partition) -> the last seq that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """The present generation, and up to where those before hold."""

    present: int = 0
    ends: Ends = field(default_factory=dict)

    @classmethod
    def stored(cls, config: Config) -> Self:
        """As the database says. Blocking. Raises DatabaseUnavailable."""
        with looking(config) as conn:
            return cls.of(conn)

    @classmethod
    def of(cls, conn: psycopg.Connection[Any]) -> Self:
        """The same, by a connection that is open. Raises psycopg.Error."""
        sql = load("generations", LIVE)
        if conn.execute(sql["knows_generations"]).fetchone() != (True,):
            return cls()
        present = conn.execute(sql["present"]).fetchone()
        rows = conn.execute(sql["ends"]).fetchall()
        return cls(present=0 if present is None else present[0], ends={row[:2]: row[2] for row in rows})

    @classmethod
    def said(cls, present: int, over: Iterable[Mapping[str, Any]]) -> Self:
        """As a record of system.deployment says: of each generation that is over, the ends by partition."""
        ends = {(each["generation"], p): seq for each in over for p, seq in enumerate(each["holds_to"])}
        return cls(present=present, ends=ends)

    def over(self, partitions: int) -> list[dict[str, Any]]:
        """The other way round: what a record of system.deployment says."""
        return [
            {"generation": each, "holds_to": [self.ends.get((each, p), 0) for p in range(partitions)]}
            for each in sorted({generation for generation, _ in self.ends})
        ]

    def is_void(self, generation: int, partition: int, seq: int) -> bool:
        """Whether a record was taken back by a restore."""
        return generation < self.present and seq > self.ends.get((generation, partition), seq)

    def next(self, known: Self, journal_ends: Sequence[int]) -> Self:
        """After a restore to a journal that ends, by partition, there. ``known``: what the topic says: the database may
        be older than a restore. What held further than the journal goes holds no further than that."""
        present = max(self.present, known.present) + 1
        ends = {
            (generation, partition): min(
                [end, *(e[generation, partition] for e in (self.ends, known.ends) if (generation, partition) in e)]
            )
            for generation in range(present)
            for partition, end in enumerate(journal_ends)
        }
        return type(self)(present=present, ends=ends)


ONLY_ONE: Final = Generations()
"""Of a deployment that was never restored."""
