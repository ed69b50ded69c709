"""A database that is older than Kafka: workers refuse it, `ft restore` lets it go on, and nothing is lost or twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.faults.accounting import require_exactly_once, subscribe
from tests.acceptance.faults.recovery import Monitor
from tests.acceptance.faults.soak import NODE, Soak
from tests.acceptance.faults.strikes import BACKFILL, FOLLOWER
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.acceptance.hostile.lives import Databases, lived_through, more, raw_log, refusal
from tests.acceptance.recovery.commands import forget_processes, ft
from tests.acceptance.recovery.subscribers import Reader, require_held, require_taken_back
from tests.synthetic.script import script

pytestmark = pytest.mark.timeout(400)
_OF_OP = "SELECT count(*) FROM ledger.events WHERE op = %s"


def test_a_backup_that_kafka_is_ahead_of_goes_on_from_there_and_readers_go_by_the_documented_rule(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    log, older, newer = raw_log(20), Reader(), Reader()
    lived_through(world, world.encoded(log.records))
    older.read(world)
    backup = tmp_path / "backup"
    assert "rows of the journal" in ft(world.config, "backup", "--to", str(backup))
    half = more(log)
    lived_through(world, world.encoded(log.records[half:]))
    newer.read(world)

    restored = databases.empty()
    said = ft(restored, "restore", "--from", str(backup))
    assert "generation 1: workers read again what Kafka has beyond the backup" in said
    world.config = replace(restored, home=restored.home.with_name("restored"))
    with supervised(world.config, ("restored",)) as workers, world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "what came after the backup", 120)

    require_exactly_once(world, log.chain)
    require_held(world, log.chain, older, Reader())
    require_taken_back(world, newer, "take it back to")


def test_a_database_brought_back_by_other_means_is_refused_until_it_is_told_to_go_on(
    world: World, databases: Databases
) -> None:
    log = raw_log(20)
    lived_through(world, world.encoded(log.records))
    older = databases.copy()
    half = more(log)
    lived_through(world, world.encoded(log.records[half:]))
    world.config = replace(older, home=older.home.with_name("older"))
    assert "`ft restore --as-it-stands`" in refusal(world.config, "older")["error"]

    said = ft(world.config, "restore", "--as-it-stands")
    assert "generation 1" in said
    with supervised(world.config, ("restored",)) as workers, world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "what came after the copy", 120)

    require_exactly_once(world, log.chain)
    assert subscribe(world).generations.present == 1


def test_a_follower_makes_its_tail_anew_where_the_database_is_older_than_its_own_blocks(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    made = script(seed=20261130, network=NETWORK, events=10_000, reorgs=12, logs=20)
    with supervised(world.config, ("worker",)) as workers:
        workers.exits_max = 1_000
        with world.connect() as conn:
            soak = Soak(world, made, workers, Monitor(world, conn, workers), over_s=30.0)
            soak.start(tmp_path)
            workers.until(lambda: world.number(_OF_OP, "apply") > 1_000, "the ledger to apply", 120)
        workers.kill_all(but=NODE)
        older = databases.copy()
        for name in ("worker", FOLLOWER, BACKFILL):
            workers.start(name)
        workers.until(lambda: world.number(_OF_OP, "reorg") >= 2, "reorgs of blocks that the copy does not know", 120)
        workers.kill_all(but=NODE)
        forget_processes(older)

        world.config = replace(older, home=older.home.with_name("older"))
        ft(world.config, "restore", "--as-it-stands")
        wanted = ("replace", NETWORK, "--rpc", soak.url, "--from", "1", "--to", "1")
        assert "its tail is older than the log" in ft(world.config, *wanted, code=1)
        with supervised(world.config, ("restored",)) as restored, world.connect() as conn:
            restored.exits_max = 1_000
            soak.moved_to(world, restored, Monitor(world, conn, restored)).settle(conn, 200)
    log = (world.config.home / "logs" / "follower.log").read_text()
    claimed = [line for line in log.splitlines() if '"claimed"' in line]
    assert len(claimed) == 1, "a tail that fits the log needs no second claim"
    require_exactly_once(world, made.chain)
