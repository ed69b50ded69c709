"""The API looks whether database, Kafka and registry are of one deployment, though nothing else runs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest

from ft.api.http.database import Database
from ft.api.status import identity as identities
from ft.api.status.identity import Identity
from ft.config import Config
from ft.streams.deployment.identity import BELIEVED, OtherDeployment
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topic_admin import delete_topics
from ft.streams.kafka.topics import Topics
from tests.integration.waiting import until


@pytest.fixture
async def served(config: Config) -> AsyncIterator[Database]:
    prepare(config)
    made = Database(config.postgres_as("ft_api"))
    await made.open()
    yield made
    await made.close()


async def test_a_kafka_that_lost_its_data_is_told_once_it_was_found_three_times_in_a_row(
    config: Config, served: Database
) -> None:
    looked = Identity(config, served)
    await looked.look()
    assert (looked.is_one, looked.other) == (True, None)
    delete_topics(config, [Topics(config.topic_prefix).deployment])

    for _ in range(BELIEVED - 1):
        await looked.look()
        assert looked.other is None
    await looked.look()

    assert not looked.is_one
    assert "not of one deployment" in (looked.other or "")


async def test_what_only_a_whole_look_finds_is_looked_at_whole_again_at_once(
    config: Config, served: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Identity(config, served)
    await looked.look()
    looked._whole_at = 0.0

    def other_registry(_: object) -> None:
        raise OtherDeployment("the registry says something else")

    monkeypatch.setattr(identities, "judge", other_registry)
    for _ in range(BELIEVED):
        assert looked.other is None
        await looked.look()

    assert looked.other is not None


async def test_what_is_out_of_place_from_the_first_look_on_is_told_at_once_and_no_longer_than_it_is(
    config: Config, served: Database
) -> None:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute("UPDATE system.deployment SET epoch = epoch + 1")
        looked = Identity(config, served)
        await looked.look()
        before = looked.other
        conn.execute("UPDATE system.deployment SET epoch = epoch - 1")
    await looked.look()

    assert before is not None
    assert (looked.is_one, looked.other) == (True, None)


async def test_it_looks_on_as_long_as_the_api_runs(
    config: Config, served: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "LOOK_S", 0.01)
    looked = Identity(config, served)
    running = asyncio.create_task(looked.run())
    await until(lambda: looked.is_one, "the first look")
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute("UPDATE system.deployment SET epoch = epoch + 1")
    await until(lambda: looked.other is not None, "a later one")
    running.cancel()


async def test_an_api_that_is_told_no_kafka_says_nothing(config: Config, served: Database) -> None:
    only_postgres = {"FT_POSTGRES": config.postgres}
    looked = Identity(replace(config, addresses=only_postgres, home=config.home / "none"), served)

    await looked.run()

    assert (looked.is_one, looked.other) == (False, None)
