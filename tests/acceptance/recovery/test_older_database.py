"""A database that is older than Kafka: workers refuse it, `ft restore` lets it go on, and nothing is lost or twice."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ft.agents.publish.announcements import TOPICS
from ft.ops.recovery import restore
from ft.streams.deployment.comparing import stored_id
from ft.streams.kafka.topic_admin import delete_records, delete_topics
from tests.acceptance.faults.accounting import require_exactly_once, subscribe
from tests.acceptance.faults.recovery import Monitor
from tests.acceptance.faults.soak import NODE, Soak
from tests.acceptance.faults.strikes import BACKFILL, FOLLOWER
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, PARTITIONS, World
from tests.acceptance.hostile.lives import Databases, lived_on, lived_through, normalized_alone, raw_log, refusal, trim
from tests.acceptance.recovery.commands import BLOCKS, forget_processes, ft
from tests.acceptance.recovery.subscribers import Reader, require_held, require_taken_back
from tests.synthetic.rawlog import RawLog
from tests.synthetic.script import script

pytestmark = pytest.mark.timeout(400)
_OF_OP = "SELECT count(*) FROM ledger.events WHERE op = %s"


def test_a_backup_that_kafka_is_ahead_of_goes_on_from_there_and_readers_go_by_the_documented_rule(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    log, older, newer = raw_log(BLOCKS), Reader(), Reader()
    lived_through(world, world.encoded(log.records))
    older.read(world)
    backup = tmp_path / "backup"
    assert "rows of the journal" in ft(world.config, "backup", "--to", str(backup))
    lived_on(world, log)
    newer.read(world)

    restored = databases.empty()
    said = ft(restored, "restore", "--from", str(backup))
    assert "generation 1: workers read again what Kafka has beyond the backup" in said
    world.config = replace(restored, home=restored.home.with_name("restored"))
    lived_through(world, [])

    require_exactly_once(world, log.chain)
    require_held(world, log.chain, older, Reader())
    require_taken_back(world, log.chain, newer)


def test_a_database_brought_back_by_other_means_is_refused_until_it_is_told_to_go_on(
    world: World, databases: Databases
) -> None:
    log = raw_log(20)
    lived_through(world, world.encoded(log.records))
    older = databases.copy()
    lived_on(world, log)
    world.config = replace(older, home=older.home.with_name("older"))
    assert "`ft restore --as-it-stands`" in refusal(world.config, "older")["error"]

    said = ft(world.config, "restore", "--as-it-stands")
    assert "generation 1" in said
    with supervised(world.config, ("restored",)) as workers, world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "what came after the copy", 120)

    require_exactly_once(world, log.chain)
    assert subscribe(world).generations.present == 1


def ahead_and_gone(world: World, log: RawLog, backup: Path) -> None:
    """A backup in which normalize is ahead of the ledger; then normalized records that it has not read are gone."""
    lived_through(world, world.encoded(log.records))
    normalized_alone(world, log)
    ft(world.config, "backup", "--to", str(backup))
    lived_on(world, log)
    trim(world.config, world.topics.normalized, PARTITIONS)


def test_normalized_records_that_are_gone_come_again_from_raw_topics_that_are_whole(
    world: World, databases: Databases, tmp_path: Path
) -> None:
    log, older, newer, backup = raw_log(20), Reader(), Reader(), tmp_path / "backup"
    ahead_and_gone(world, log, backup)
    newer.read(world)

    restored = databases.empty()
    assert "workers read the raw topics again" in ft(restored, "restore", "--from", str(backup))
    world.config = replace(restored, home=restored.home.with_name("restored"))
    lived_on(world, log)

    require_exactly_once(world, log.chain)
    require_held(world, log.chain, older, Reader())
    require_taken_back(world, log.chain, newer)
    assert "no differences" in ft_beside_a_worker(world, "rebuild", "ledger")


def ft_beside_a_worker(world: World, *command: str) -> str:
    with supervised(world.config, ("restored",)):
        return ft(world.config, *command)


@pytest.mark.parametrize("why", ["raw", "contract"])
def test_normalized_records_that_are_gone_are_refused_where_reading_raw_again_would_not_give_the_same(
    world: World, databases: Databases, tmp_path: Path, why: str
) -> None:
    backup, restored = tmp_path / "backup", databases.empty()
    if why == "contract":
        with world.connect() as conn:
            conn.execute("INSERT INTO ingest.undecoded VALUES (%s, '0xlate', '{[900,903)}')", (NETWORK,))
    ahead_and_gone(world, raw_log(5), backup)
    if why == "raw":
        delete_records(world.config, {(world.raw, 0): 3})

    said = ft(restored, "restore", "--from", str(backup), code=1)

    lacking = f"the raw topics lack their first records ({world.raw} begins at offset 3)"
    assert {"raw": lacking, "contract": "got 0xlate"}[why] in said
    assert "`ft reset --keep raw`" not in said
    assert "point FT_KAFKA at one" in said
    assert "Nothing was changed" in said
    with psycopg.connect(restored.postgres) as conn:
        assert conn.execute("SELECT to_regclass('system.settings')::text").fetchone() == (None,)


class Died(Exception):
    """In the place of a kill."""


def test_a_database_amid_a_restore_is_not_backed_up_and_says_so(
    world: World, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, restored = tmp_path / "backup", databases.empty()
    ft(world.config, "backup", "--to", str(backup))

    def die(*_: object) -> None:
        during = ft(restored, "backup", "--to", str(tmp_path / "during"), code=1)
        assert "the database is amid a restore: another `ft restore`" in during
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(restore, "migrate", die)
        with pytest.raises(Died):
            restore.restore(restored, backup, lambda said: None)

    said = ft(restored, "backup", "--to", str(tmp_path / "after"), code=1)
    assert "amid a restore that was ended before it was done" in said
    assert f"`ft restore --from {backup}` goes on with it" in said
    assert "generation 1" in ft(restored, "restore", "--from", str(backup))


@pytest.mark.parametrize("topics", ["cleared", "deleted"])
def test_a_backup_from_before_the_topics_were_announced_anew_has_its_journal_announced_once_more(
    world: World, databases: Databases, tmp_path: Path, topics: str
) -> None:
    log, reader, backup = raw_log(20), Reader(), tmp_path / "backup"
    lived_through(world, world.encoded(log.records))
    ft(world.config, "backup", "--to", str(backup))
    lived_on(world, log)
    if topics == "deleted":
        delete_topics(world.config, [getattr(world.topics, name) for name in TOPICS])
    planned = ft(world.config, "reannounce", "--dry-run")
    assert ("0 old records" in planned) == (topics == "deleted")
    if topics == "cleared":
        assert "Nothing was changed" in ft(world.config, "reannounce", "--confirm", "another", code=1)
    deployment = stored_id(world.config) or ""
    assert "generation 1" in ft(world.config, "reannounce", "--confirm", deployment)
    lived_on(world, log)
    reader.start(world)
    reader.read(world)

    restored = databases.empty()
    assert "generation 2" in ft(restored, "restore", "--from", str(backup))
    world.config = replace(restored, home=restored.home.with_name("restored"))
    lived_on(world, log)

    require_exactly_once(world, log.chain)
    require_held(world, log.chain, Reader())
    require_taken_back(world, log.chain, reader)


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
            moved = soak.moved_to(world, restored, Monitor(world, conn, restored))
            restored.until(lambda: _claims_of_follower(world) > 0, "the follower to claim the log", 120)
            moved.settle(conn, 200)
    assert _claims_of_follower(world) == 1, "a tail that fits the log needs no second claim"
    require_exactly_once(world, made.chain)


def _claims_of_follower(world: World) -> int:
    log = world.config.home / "logs" / "follower.log"
    return sum('"claimed"' in line for line in log.read_text().splitlines()) if log.exists() else 0
