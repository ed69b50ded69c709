"""Kafka loses everything amid the work: what was on its way is read again, and everything is announced anew."""

from pathlib import Path

import pytest

from ft.ops.recovery import continued, lost, offsets
from ft.ops.recovery.session import alone
from ft.streams.kafka.topic_admin import delete_topics
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.recovery import Monitor
from tests.acceptance.faults.soak import NODE, Soak
from tests.acceptance.faults.strikes import BACKFILL, FOLLOWER
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.acceptance.hostile.lives import lived_on, lived_through, raw_log, refusal, topics_of
from tests.acceptance.recovery.commands import BLOCKS, forget_processes, ft
from tests.acceptance.recovery.subscribers import Reader, require_held
from tests.synthetic.script import script

pytestmark = pytest.mark.timeout(400)
EVENTS = 10_000
_ON_ITS_WAY = """
SELECT count(*) FROM ingest.blocks b JOIN (
    SELECT network, min(position) AS position FROM system.partition_head WHERE consumer = 'ledger' GROUP BY network
) AS applied USING (network)
WHERE b.network = %s AND b.state = 'canonical' AND b.raw_offset > applied.position
"""
_APPLIED = "SELECT min(position) FROM system.partition_head WHERE consumer = 'ledger' AND network = %s"


def test_a_kafka_that_lost_everything_amid_the_work_costs_nothing_but_time(world: World, tmp_path: Path) -> None:
    made = script(seed=20261129, network=NETWORK, events=EVENTS, reorgs=12, logs=20)
    reader = Reader()
    with supervised(world.config, ("worker",)) as workers, world.connect() as conn:
        workers.exits_max = 1_000
        soak = Soak(world, made, workers, Monitor(world, conn, workers), over_s=30.0)
        soak.start(tmp_path)
        workers.until(lambda: world.number(_APPLIED, NETWORK) > 100, "the ledger to apply", 120)
        reader.read(world)
        workers.until(lambda: world.number(_ON_ITS_WAY, NETWORK) > 1, "normalize to be ahead of the ledger", 60)
        workers.kill_all(but=NODE)
        delete_topics(world.config, topics_of(world.config))
        forget_processes(world.config)

        said = ft(world.config, "reannounce")

        assert "lost on the way: " in said
        assert "lost on the way: 0 blocks, 0 of them" not in said
        workers.start("worker")
        workers.start("follower")
        workers.start("backfill")
        soak.settle(conn, 200)
    require_exactly_once(world, made.chain)
    require_held(world, made.chain, reader, Reader())


class Died(Exception):
    """In the place of a kill."""


def test_a_reannouncement_that_is_ended_anywhere_goes_on_and_nothing_starts_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = raw_log(BLOCKS)
    lived_through(world, world.encoded(log.records))
    delete_topics(world.config, topics_of(world.config))
    deaths = [(lost, "create_topics"), (offsets, "delete_records"), (lost, "_tell"), (continued, "finish")]
    for nth, (module, name) in enumerate(deaths):

        def die(*_: object) -> None:
            raise Died

        with monkeypatch.context() as patched, alone(world.config) as conn:
            patched.setattr(module, name, die)
            with pytest.raises(Died):
                continued.reannounce(world.config, conn, lambda said: None)
        said = refusal(world.config, f"death-{nth}")["error"]
        assert "amid a restore that was ended before it was done. `ft reannounce` goes on with it" in said

    assert "generation 1" in ft(world.config, "reannounce")
    assert f"{world.raw} begins at offset {world.raw_end():,}: " in " ".join(ft(world.config, "status").split())

    lived_on(world, log)
    require_exactly_once(world, log.chain)


def test_a_kafka_that_lost_a_part_is_refused_and_nothing_is_changed(world: World) -> None:
    log = raw_log(5)
    lived_through(world, world.encoded(log.records))
    delete_topics(world.config, [world.topics.normalized])

    said = ft(world.config, "reannounce", code=1)

    assert f"without {world.topics.normalized}" in said
    assert "point FT_KAFKA at an empty cluster" in said
    assert world.raw_end() == len(log.records)


def test_a_follower_whose_kafka_is_wiped_ends_and_writes_nothing_into_a_new_one(world: World, tmp_path: Path) -> None:
    made = script(seed=20261201, network=NETWORK, events=2_000, reorgs=2, logs=20)
    with supervised(world.config, ("worker",)) as workers, world.connect() as conn:
        soak = Soak(world, made, workers, Monitor(world, conn, workers), over_s=60.0)
        soak.start(tmp_path)
        follower = workers.workers.pop(FOLLOWER)
        workers.end(BACKFILL)
        workers.end("worker")
        delete_topics(world.config, topics_of(world.config))

        code = follower.wait(90)

    (line,) = [line for line in follower.log.read_text().splitlines() if "Kafka has likely lost its data" in line]
    assert code == 1
    assert "OtherDeployment" in line or "`ft reannounce` makes the topics anew" in line
    assert topics_of(world.config) == []
