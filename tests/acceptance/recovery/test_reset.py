"""Emptying on purpose, and the ledger's topics made anew: asked for, proven, and whole again afterwards."""

import re

import pytest

from ft.agents.publish.announcements import TOPICS
from ft.streams.deployment.comparing import stored_id
from ft.streams.kafka.topic_admin import delete_topics
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import World
from tests.acceptance.hostile.lives import lived_on, lived_through, raw_log, topics_of
from tests.acceptance.recovery.commands import BLOCKS, ft
from tests.acceptance.recovery.subscribers import Reader, require_held, require_taken_back

pytestmark = pytest.mark.timeout(400)


def test_topics_of_the_ledger_that_are_lost_are_announced_anew_and_a_reader_goes_on(world: World) -> None:
    log, reader = raw_log(20), Reader()
    lived_through(world, world.encoded(log.records))
    reader.read(world)
    delete_topics(world.config, [getattr(world.topics, name) for name in TOPICS])

    assert "generation 1: workers announce the journal" in ft(world.config, "reannounce")

    lived_on(world, log)
    require_exactly_once(world, log.chain)
    require_held(world, log.chain, reader)


def test_a_reset_that_keeps_raw_asks_first_then_reads_everything_again_and_readers_begin_again(world: World) -> None:
    log, reader = raw_log(BLOCKS), Reader()
    lived_through(world, world.encoded(log.records))
    reader.read(world)
    deployment = stored_id(world.config) or ""

    planned = ft(world.config, "reset", "--keep", "raw", "--dry-run")
    assert re.search(rf"topics +.*{re.escape(world.topics.ownership_changed)}.*: deleted", planned)
    assert re.search(rf"topics +.*{re.escape(world.raw)}.*: kept", planned)
    assert "Nothing was changed" in ft(world.config, "reset", "--keep", "raw", "--confirm", "another", code=1)
    assert "emptied" in ft(world.config, "reset", "--keep", "raw", "--confirm", deployment)

    assert stored_id(world.config) == deployment
    lived_on(world, log)
    require_exactly_once(world, log.chain)
    require_taken_back(world, log.chain, reader, "take it back to 0, or begin again")
    require_held(world, log.chain, Reader())


def test_a_reset_of_everything_leaves_nothing_and_a_migration_begins_a_new_deployment(world: World) -> None:
    log = raw_log(5)
    lived_through(world, world.encoded(log.records))
    before = stored_id(world.config) or ""

    ft(world.config, "reset", "--confirm", before)

    assert topics_of(world.config) == []
    ft(world.config, "migrate")
    assert stored_id(world.config) not in (None, before)


def test_nothing_is_emptied_while_a_worker_runs(world: World) -> None:
    with supervised(world.config, ("only",)) as workers, world.connect() as conn:
        known = "SELECT count(*) > 0 FROM system.workers"
        workers.until(lambda: conn.execute(known).fetchone() == (True,), "a worker that is known", 60)
        deployment = stored_id(world.config) or ""
        reset = ("reset", "--keep", "raw", "--confirm", deployment)
        for command in (reset, ("reannounce",), ("restore", "--as-it-stands")):
            assert "expected no worker and no `ft ingest`" in ft(world.config, *command, code=1)

        planned = ft(world.config, "reset", "--keep", "raw", "--dry-run")

        assert f"{world.raw}, " in planned or f"{world.raw}:" in planned
        assert f"deployment {deployment}" in planned
        assert re.search(r"^refused while .*worker.* run: stop workers and ingestion first$", planned, re.MULTILINE)
        assert stored_id(world.config) == deployment
