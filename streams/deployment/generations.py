"""Which announced records hold: a restore takes back what came after the state that it restored.

A generation is the time between two restores. Its number is the deployment's epoch, and every record that is announced
carries it. A restore goes on from a state of some generation, its parent, at the seq at which that state's journal
ended; the seq after it are given out once more. So generations form a tree, and a record of any of them holds iff its
row is on the way from the root to the present one. Kept in system.generations, and said on the topic system.deployment,
for subscribers without a database (docs/consuming.md).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple, Self

import psycopg

from ft.config import Config
from ft.sql.queries import LIVE, load
from ft.sql.session import looking

NO_PARENT: Final = -1


class Origin(NamedTuple):
    """What a generation went on from."""

    parent: int
    began_at: tuple[int, ...]
    """By partition, the last seq of the journal that was restored."""


@dataclass(frozen=True, kw_only=True)
class Generations:
    """The present generation, and how all that are known came to be; the first has no origin."""

    present: int = 0
    origins: Mapping[int, Origin] = field(default_factory=dict)

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
        rows = conn.execute(sql["origins"]).fetchall()
        origins = {row[0]: Origin(row[1], tuple(row[2])) for row in rows}
        return cls(present=0 if present is None else present[0], origins=origins)

    @classmethod
    def said(cls, present: int, generations: Iterable[Mapping[str, Any]]) -> Self:
        """As a record of system.deployment says."""
        found = {g["generation"]: Origin(g["parent"], tuple(g["began_at"])) for g in generations if g["began_at"]}
        return cls(present=present, origins=found)

    def to_say(self) -> list[dict[str, Any]]:
        """The other way round."""
        nothing = Origin(NO_PARENT, ())
        return [
            {"generation": generation, "holds_to": list(self._holds.get(generation, ()))}
            | self.origins.get(generation, nothing)._asdict()
            for generation in sorted({*self._known, *self.origins})
        ]

    def holds_to(self, generation: int, partition: int) -> int | None:
        """The last seq of a generation that holds; None: it holds whole. One of which nobody knows how it came to be
        holds nothing: it went on from a state that was lost together with Kafka."""
        if generation >= self.present:
            return None
        ends = self._holds.get(generation)
        return 0 if ends is None else ends[partition]

    def is_void(self, generation: int, partition: int, seq: int) -> bool:
        """Whether a record was taken back by a restore."""
        end = self.holds_to(generation, partition)
        return end is not None and seq > end

    def next(self, known: Self, journal_ends: Sequence[int], at_least: int = 0) -> Self:
        """After a restore of this state, whose journal ends there by partition. ``known``: what the topic says, since
        the database may be older than another restore. ``at_least``: the new number, where nobody knows the others."""
        present = max(self.present, known.present, *self.origins, *known.origins, at_least - 1) + 1
        origin = Origin(self.present, tuple(journal_ends))
        return type(self)(present=present, origins={**self.origins, **known.origins, present: origin})

    @cached_property
    def _known(self) -> set[int]:
        """Every generation but the present one."""
        return ({*self.origins} | {origin.parent for origin in self.origins.values()}) - {self.present}

    @cached_property
    def _holds(self) -> Mapping[int, Sequence[int]]:
        """Generation -> the last seq, by partition, of the rows that it and the present one share.

        Those are the rows up to the least of the places at which one of the two left the way that both came.
        """
        ours = dict(self._way(self.present))
        found: dict[int, Sequence[int]] = {}
        for generation in self._known:
            theirs = dict(self._way(generation))
            left = [origin for at, origin in [*theirs.items(), *ours.items()] if (at in theirs) != (at in ours)]
            ends = [origin.began_at for origin in left if origin.began_at]
            share = list(theirs)[-1] == list(ours)[-1]  # else nobody knows: what came before was lost with Kafka
            found[generation] = [min(of) if share else 0 for of in zip(*ends, strict=True)]
        return found

    def _way(self, generation: int) -> Iterator[tuple[int, Origin]]:
        """From a generation to the one that no other is known to stand before."""
        while (origin := self.origins.get(generation)) is not None:
            yield generation, origin
            generation = origin.parent
        yield generation, Origin(NO_PARENT, ())


ONLY_ONE: Final = Generations()
"""Of a deployment that was never restored."""
