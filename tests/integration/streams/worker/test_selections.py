"""Workers whose selections of agents overlap without being equal: the later one is refused, with the other's name."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from ft.config import Config
from ft.streams.deployment.guard import Guard
from ft.streams.deployment.identity import BELIEVED
from ft.streams.deployment.provision import prepare
from ft.streams.deployment.selection import OverlappingWorkers, require_apart

REGISTER = "INSERT INTO system.workers (worker, agents, started_at) VALUES (%s, %s, now() - interval '1 minute')"
SEEN = "UPDATE system.workers SET seen_at = now() WHERE worker = %s"


def execute(config: Config, query: str, *values: object) -> None:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute(query.encode(), values)


async def alive(config: Config, worker: str) -> None:
    """As a worker's watch does."""
    while True:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(execute, config, SEEN, worker)


async def test_one_that_lives_is_named_to_the_one_that_starts(config: Config) -> None:
    execute(config, REGISTER, "host:1:1", "ledger,normalize,project,publisher")
    living = asyncio.create_task(alive(config, "host:1:1"))
    try:
        with pytest.raises(OverlappingWorkers, match="while host:1:1 runs ledger,normalize,project,publisher"):
            await require_apart(replace(config, agents=frozenset({"project"})), "host:2:2")
        await require_apart(config, "host:2:2")
    finally:
        living.cancel()


async def test_one_that_was_killed_is_waited_for_until_it_is_forgotten(config: Config) -> None:
    execute(config, REGISTER, "host:1:1", "ledger,normalize,project,publisher")

    await asyncio.wait_for(require_apart(replace(config, agents=frozenset({"project"})), "host:2:2"), 20)


async def test_of_two_that_started_at_once_the_later_one_goes(config: Config) -> None:
    prepare(config)
    execute(config, REGISTER, "host:1:1", "ledger,normalize,project,publisher")
    execute(config, "INSERT INTO system.workers (worker, agents) VALUES ('host:2:2', 'project')")
    later, earlier = Guard(replace(config, agents=frozenset({"project"})), "host:2:2"), Guard(config, "host:1:1")

    for _ in range(BELIEVED - 1):
        later.look()
    with pytest.raises(OverlappingWorkers, match="host:1:1"):
        later.look()
    for _ in range(BELIEVED + 1):
        earlier.look()
