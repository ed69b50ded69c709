"""Which agents the workers of a deployment run: equal selections share the partitions, others may not overlap.

A consumer's partitions are shared out within one Kafka group, and a selection of agents has a group of its own. Two
groups that read for the same consumer would each claim all of its partitions, and take them from each other for ever.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import psycopg

from ft.config import Config
from ft.errors import ConfigError
from ft.sql.queries import load
from ft.sql.session import looking

LOOK_AGAIN_S: Final = 1.0


class OverlappingWorkers(ConfigError):
    """Another worker runs some of the same agents, and not the same selection."""


class Living(NamedTuple):
    """A worker that was seen lately. Times in unix seconds."""

    worker: str
    agents: str
    started_at: float
    seen_at: float


def overlapping(mine: frozenset[str], others: Iterable[Living]) -> list[Living]:
    """Those that run some of the same agents, and not the same selection."""
    return [other for other in others if mine & (theirs := frozenset(other.agents.split(","))) and mine != theirs]


async def require_apart(config: Config, worker: str) -> None:
    """Before this worker starts: wait for one that was killed to be forgotten, a dozen seconds at most.

    Raises OverlappingWorkers for one that lives, DatabaseUnavailable.
    """
    seen: dict[str, float] = {}
    while found := overlapping(config.agents, _beside(worker, await asyncio.to_thread(_look, config))):
        for other in found:
            if seen.setdefault(other.worker, other.seen_at) != other.seen_at:
                raise refused(config.agents, other)
        await asyncio.sleep(LOOK_AGAIN_S)


def check_running(conn: psycopg.Connection[Any], config: Config, worker: str) -> None:
    """While this worker runs: of two that started at the same time the later one goes. Blocking. Raises as above."""
    living = _living(conn)
    mine = [each for each in living if each.worker == worker]
    for other in overlapping(config.agents, _beside(worker, living)):
        if mine and (other.started_at, other.worker) < (mine[0].started_at, worker):
            raise refused(config.agents, other)


def refused(mine: frozenset[str], other: Living) -> OverlappingWorkers:
    """The error, for people."""
    return OverlappingWorkers(
        f"FT_AGENTS: expected the selection of the other workers, or none of their agents, got "
        f"{','.join(sorted(mine))}, while {other.worker} runs {other.agents}: each would take the other's partitions. "
        "Give workers equal selections, or selections that have no agent in common; to change a selection, stop the "
        "workers of the old one first."
    )


def _beside(worker: str, living: Iterable[Living]) -> list[Living]:
    return [each for each in living if each.worker != worker]


def _look(config: Config) -> list[Living]:
    with looking(config) as conn:
        return _living(conn)


def _living(conn: psycopg.Connection[Any]) -> list[Living]:
    return [Living(*row) for row in conn.execute(load("fence")["living_workers"]).fetchall()]
