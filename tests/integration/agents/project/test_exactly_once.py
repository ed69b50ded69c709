"""Every subscriber of ``ownership_changed`` by the kit, `project` and a domain alike: each record takes effect once.

A real broker, a real Postgres; a subscriber has no line of its own for any of this.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import pytest

from ft.config import Config
from ft.errors import DatabaseUnavailable, Fenced
from ft.schemas import domains
from ft.schemas.codec import Codec
from ft.streams.kafka.message import Message
from tests import sample_domain
from tests.integration.agents.project.keeping import KEEPING, Keeping
from tests.integration.agents.project.subscribing import Process, encoded, publish, published
from tests.synthetic.changes import History


@dataclass(frozen=True, slots=True)
class World:
    """One subscriber on a fresh deployment."""

    config: Config
    codec: Codec
    keeping: Keeping

    def open(self, owner: str) -> Process:
        announces = partial(self.keeping.announces, self.config)
        return Process(self.config, self.codec, owner, self.keeping.subscriber(), announces)

    def kept(self) -> Any:
        return self.keeping.kept(self.config.postgres)

    def expected(self, made: History) -> Any:
        return self.keeping.expected(made)


@pytest.fixture(params=KEEPING, ids=str)
def world(config: Config, codec: Codec, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setitem(domains._declared, sample_domain.DOMAIN.name, sample_domain.DOMAIN)
    request.param.prepare(config)
    return World(config, codec, request.param)


async def test_a_single_delivery_gives_what_a_recount_gives(
    world: World, made: History, messages: list[Message]
) -> None:
    await world.open("one").work_through(messages, 50)

    assert world.kept() == world.expected(made)


async def test_a_second_delivery_changes_nothing(world: World, made: History, messages: list[Message]) -> None:
    await world.open("one").work_through(messages, 50)
    await world.open("two").work_through(messages, 31)

    assert world.kept() == world.expected(made)


async def test_records_published_twice_take_effect_once(
    world: World, config: Config, codec: Codec, made: History
) -> None:
    half = len(made.records) // 2
    await publish(config, encoded(codec, [*made.records[:half], *made.records[half - 40 :]]))

    await world.open("one").work_through(published(config), 50)

    assert world.kept() == world.expected(made)
    with psycopg.connect(config.postgres) as conn:
        assert conn.execute("SELECT count(*) FROM system.dlq").fetchone() == (0,)


async def test_of_two_at_once_the_one_with_the_newer_claim_writes(
    world: World, made: History, messages: list[Message]
) -> None:
    async with world.open("old") as old, world.open("new") as new:
        await old.claim()
        await old.deliver(messages[:20])
        await new.claim()

        results = await asyncio.gather(old.deliver(messages), new.deliver(messages), return_exceptions=True)

    assert [type(result) for result in results] == [Fenced, type(None)]
    assert world.kept() == world.expected(made)


async def test_a_crash_after_the_commit_and_before_the_acknowledgement_repeats_nothing(
    world: World, made: History, messages: list[Message]
) -> None:
    async with world.open("killed") as killed:
        await killed.claim()
        await killed.deliver(messages[:70])

    await world.open("restarted").work_through(messages, 50)

    assert world.kept() == world.expected(made)


async def test_a_crash_before_the_commit_loses_nothing(
    world: World, made: History, messages: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.open("killed") as killed:
        await killed.claim()
        await killed.deliver(messages[:70])
        with monkeypatch.context() as patched:
            patched.setattr(psycopg.AsyncConnection, "commit", _cut_off)
            with pytest.raises(DatabaseUnavailable):
                await killed.deliver(messages[70:140])

    await world.open("restarted").work_through(messages, 50)

    assert world.kept() == world.expected(made)


async def _cut_off(conn: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    await conn.close()
    raise psycopg.OperationalError("connection lost")
