"""A database beside one whose workers run: nothing that is tried there takes the topics from those."""

from pathlib import Path

import psycopg
import pytest

from ft.streams.deployment.comparing import require_one
from ft.streams.kafka.groups import readers
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import World
from tests.acceptance.hostile.lives import Databases, lived_through, raw_log
from tests.acceptance.recovery.commands import forget_processes, ft

pytestmark = pytest.mark.timeout(400)


def test_neither_a_restore_nor_a_copy_takes_the_topics_from_workers_that_run(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    lived_through(world, world.encoded(raw_log(5).records))
    backup, empty, copy = tmp_path / "backup", databases.empty(), databases.copy()
    ft(world.config, "backup", "--to", str(backup))
    forget_processes(copy)
    with supervised(world.config, ("healthy",)) as workers:
        workers.until(lambda: bool(readers(world.config)), "the worker to join", 60)

        tried = [
            ft(empty, "restore", "--from", str(backup), code=1),
            ft(copy, "restore", "--as-it-stands", code=1),
            ft(copy, "reannounce", code=1),
        ]

        for said in tried:
            assert "waiting for Kafka to forget" in said
            assert "They have another database, so FT_POSTGRES is likely wrong" in said
            assert "Nothing was changed" in said
        assert "refused while worker" in ft(world.config, "reannounce", "--dry-run")
        assert require_one(world.config) == "one"
    with psycopg.connect(empty.postgres) as conn:
        assert conn.execute("SELECT to_regclass('system.settings')::text").fetchone() == (None,)
