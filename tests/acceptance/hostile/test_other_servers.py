"""Servers that are not the ones they were: a worker refuses them with the remedy, and the remedy works."""

import asyncio
from dataclasses import replace

import pytest

from ft.streams.deployment.identity import OtherDeployment
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topic_admin import create_topics, delete_topics
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, PARTITIONS, World
from tests.acceptance.hostile.lives import (
    Databases,
    delete_what_follows,
    lived_on,
    lived_through,
    normalized_alone,
    raw_log,
    refusal,
    trim,
)
from tests.acceptance.recovery.commands import ft
from tests.readiness import is_ready

_OLDER = "expected its last record to announce a row of this database's journal"
pytestmark = pytest.mark.timeout(400)


def test_an_older_and_an_empty_database_are_refused_and_a_rebuild_from_raw_comes_to_the_same(
    world: World, databases: Databases
) -> None:
    log = raw_log(20)
    lived_through(world, world.encoded(log.records))
    older = databases.copy()
    lived_on(world, log)
    empty = databases.empty()

    for words in (["verify"], ["migrate"], ["backup", "--to", f"{older.home}/backup"]):
        assert _OLDER in ft(older, *words, code=2 if words == ["verify"] else 1)
    assert "attention: identity" in ft(older, "status")
    assert asyncio.run(is_ready(older)) is False
    said = refusal(older, "older")
    assert said["kind"] == "OtherDeployment"
    assert _OLDER in said["error"]
    assert "`ft restore --as-it-stands` goes on from this state" in said["error"]
    with pytest.raises(OtherDeployment, match="FT_POSTGRES is likely wrong"):
        prepare(empty)

    delete_what_follows(empty)
    prepare(empty)
    world.config = replace(empty, home=empty.home.with_name("rebuilt"))
    with supervised(world.config, ("rebuilding",)) as workers, world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "the rebuild", 120)
    require_exactly_once(world, log.chain)


def test_a_log_without_records_that_are_needed_is_refused_and_so_is_one_made_anew(world: World) -> None:
    log = raw_log(20)
    lived_through(world, world.encoded(log.records))
    only_normalize = normalized_alone(world, log)

    trim(world.config, world.topics.normalized, PARTITIONS)
    said = refusal(world.config, "trimmed")
    assert said["kind"] == "OffsetMismatch"
    assert "the bounds of the log, got" in said["error"]
    assert "Records are missing" in said["error"]

    delete_topics(world.config, [world.raw])
    create_topics(world.config, [NETWORK], PARTITIONS)
    said = refusal(only_normalize, "made-anew")
    assert said["kind"] == "OtherDeployment"
    assert f"all but {world.raw} (there is another one of that name)" in said["error"]
    assert "point FT_KAFKA at" in said["error"]
