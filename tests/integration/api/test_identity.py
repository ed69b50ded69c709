"""The API looks whether database, Kafka and registry are of one deployment, though nothing else runs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import httpx
import psycopg
import pytest

from ft.api.http.database import Database
from ft.api.main import Reads, build
from ft.api.status import identity as identities
from ft.api.status.identity import Identity
from ft.config import Config
from ft.streams.deployment.identity import BELIEVED, OtherDeployment
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topic_admin import delete_topics
from ft.streams.kafka.topics import Topics
from tests.integration.waiting import until

NOWHERE: Final = "http://127.0.0.1:9/apis/ccompat/v7"


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


async def reasons(config: Config, served: Database, looked: Identity) -> list[str]:
    """What ``/api/v1/status`` says of the registry."""
    routed: Any = build(Reads(served, config.topic_prefix, looked))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=routed), base_url="http://api") as client:
        said = (await client.get("/api/v1/status")).json()["reasons"]
    return [each["detail"] for each in said if each["reason"] == "registry"]


async def test_a_registry_that_is_away_is_a_reason_as_long_as_it_is(config: Config, served: Database) -> None:
    looked = Identity(replace(config, addresses={**config.addresses, "FT_SCHEMA_REGISTRY": NOWHERE}), served)
    await looked.look()

    (said,) = await reasons(config, served, looked)
    looked._config = config
    await looked.look()

    assert said.startswith("it does not answer")
    assert (looked.is_one, await reasons(config, served, looked)) == (True, [])


async def test_a_registry_that_lost_ids_is_a_reason_as_long_as_it_lacks_them(config: Config, served: Database) -> None:
    looked = Identity(config, served)
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        kept = conn.execute("SELECT count(DISTINCT id) FROM system.schemas").fetchone() or (0,)
        conn.execute("INSERT INTO system.schemas SELECT 2e9, 'lost-value', version, schema FROM system.schemas LIMIT 1")
        await looked.look()
        (said,) = await reasons(config, served, looked)
        conn.execute("DELETE FROM system.schemas WHERE id = 2e9")
    await looked.look()

    assert said == f"it has lost 1 of {kept[0] + 1} schema ids; workers restore them, or `ft migrate`"
    assert (looked.is_one, await reasons(config, served, looked)) == (True, [])


async def test_what_answers_and_is_no_registry_is_a_reason(config: Config, served: Database) -> None:
    root = config.schema_registry.partition("/apis/")[0]
    looked = Identity(replace(config, addresses={**config.addresses, "FT_SCHEMA_REGISTRY": root}), served)
    await looked.look()

    said = await reasons(config, served, looked)

    assert said == ["what answers is no registry: FT_SCHEMA_REGISTRY is likely wrong"]
    assert looked.is_one


async def test_an_api_that_is_told_no_kafka_says_nothing(config: Config, served: Database) -> None:
    only_postgres = {"FT_POSTGRES": config.postgres}
    looked = Identity(replace(config, addresses=only_postgres, home=config.home / "none"), served)

    await looked.run()

    assert (looked.is_one, looked.other) == (False, None)
