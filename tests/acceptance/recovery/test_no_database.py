"""Postgres is lost, and an empty database stands beside the topics: what helps is named, and works."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ft.config import Config
from ft.ops.recovery.restore import mark
from ft.sql.migrate import migrate
from ft.streams.deployment.comparing import stored_id
from ft.streams.kafka.topic_admin import delete_records
from tests.acceptance.faults.accounting import require_exactly_once, subscribe
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import World
from tests.acceptance.hostile.lives import Databases, lived_on, lived_through, raw_log, refusal, topics_of
from tests.acceptance.recovery.commands import ft
from tests.acceptance.recovery.subscribers import Reader, require_held, require_taken_back

pytestmark = pytest.mark.timeout(400)
_SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('ref', 'ingest', 'ledger', 'system')"


def schemas(config: Config) -> int:
    with psycopg.connect(config.postgres) as conn:
        return int((conn.execute(_SCHEMAS).fetchone() or (0,))[0])


def test_without_a_backup_the_raw_topics_are_read_again_as_the_same_deployment(
    world: World, databases: Databases
) -> None:
    log, reader = raw_log(20), Reader()
    lived_through(world, world.encoded(log.records))
    reader.read(world)
    deployment, before = stored_id(world.config) or "", topics_of(world.config)
    lost = databases.empty()

    planned = ft(lost, "reset", "--keep", "raw", "--dry-run")
    assert f"deployment {deployment}" in planned
    assert "Nothing was changed" in ft(lost, "reset", "--keep", "raw", "--confirm", "another", code=1)
    assert (schemas(lost), topics_of(lost)) == (0, before)
    assert "emptied" in ft(lost, "reset", "--keep", "raw", "--confirm", deployment)
    assert stored_id(lost) == deployment

    world.config = replace(lost, home=lost.home.with_name("again"))
    lived_on(world, log)
    require_exactly_once(world, log.chain)
    assert subscribe(world).generations.present == 1
    require_taken_back(world, log.chain, reader, "take it back to 0, or begin again")
    require_held(world, log.chain, Reader())


def test_whatever_is_tried_on_an_empty_database_names_what_helps_and_changes_nothing(
    world: World, databases: Databases
) -> None:
    lost, before = databases.empty(), topics_of(world.config)
    for command in (
        ("migrate",),
        ("reannounce",),
        ("restore", "--as-it-stands"),
        ("reset",),
        ("reset", "--keep", "topics"),
    ):
        said = ft(lost, *command, code=1)
        assert "`ft restore --from DIR`" in said
        assert "`ft reset --keep raw`" in said
        assert "42P01" not in said
        assert "deployment ." not in said
    assert "`ft reset --keep raw`" in refusal(lost, "empty")["error"]
    told = " ".join(ft(lost, "status").split())
    assert "The database is empty: the topics under" in told
    assert "run `ft migrate`" not in told
    assert (schemas(lost), topics_of(lost)) == (0, before)


def test_an_empty_database_does_not_empty_what_a_worker_of_another_one_reads(
    world: World, databases: Databases
) -> None:
    lost, deployment = databases.empty(), stored_id(world.config) or ""
    with supervised(world.config, ("only",)) as workers:
        known = "SELECT count(*) FROM system.partition_owner WHERE owner <> ''"
        workers.until(lambda: world.number(known) >= world.claims, "a worker that reads", 60)

        said = ft(lost, "reset", "--keep", "raw", "--confirm", deployment, code=1)

        assert f"(group {world.config.topic_prefix}ft)" in said
        assert "FT_POSTGRES is likely wrong" in said
    assert schemas(lost) == 0


def test_an_empty_database_does_not_empty_a_raw_topic_that_lacks_its_first_records(
    world: World, databases: Databases
) -> None:
    lost, before = databases.empty(), topics_of(world.config)
    world.write(world.encoded(raw_log(5).records))
    delete_records(world.config, {(world.raw, 0): 2})

    said = ft(lost, "reset", "--keep", "raw", "--confirm", stored_id(world.config) or "", code=1)

    assert f"{world.raw} begins at offset 2" in said
    assert (schemas(lost), topics_of(lost)) == (0, before)


def test_what_a_refused_migration_of_an_earlier_version_left_is_restored_into_and_emptied(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    log, backup = raw_log(5), tmp_path / "backup"
    lived_through(world, world.encoded(log.records))
    ft(world.config, "backup", "--to", str(backup))
    left, another = databases.empty(), databases.empty()
    for config in (left, another):
        migrate(config.postgres, config)

    assert "`ft restore --from DIR`" in ft(another, "reset", "--keep", "topics")
    assert schemas(another) == 0
    assert "generation 1" in ft(left, "restore", "--from", str(backup))

    world.config = replace(left, home=left.home.with_name("restored"))
    lived_on(world, log)
    require_exactly_once(world, log.chain)


def test_a_restore_that_was_ended_while_the_dump_was_put_in_lets_nothing_begin_before_it_goes_on(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    log, backup = raw_log(5), tmp_path / "backup"
    lived_through(world, world.encoded(log.records))
    ft(world.config, "backup", "--to", str(backup))
    half = databases.empty()
    with psycopg.connect(half.postgres, autocommit=True) as conn:
        mark(half, conn, f"ft restore --from {backup}")

    for command in ("migrate", "status"):
        said = " ".join(ft(half, command, code=command == "migrate").split())
        assert f"`ft restore --from {backup}` goes on with it" in said
    assert schemas(half) == 0
    assert "generation 1" in ft(half, "restore", "--from", str(backup))
    assert "this backup was restored here already" in ft(half, "restore", "--from", str(backup), code=1)
    assert "ready" in ft(half, "migrate")
