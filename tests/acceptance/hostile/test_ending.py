"""SIGTERM: what is in hand is committed, nothing is sent that is not, and the next worker need not wait."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg
import pytest

from ft import children
from ft.config import Config
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, PARTITIONS, World
from tests.synthetic.chain import Chain
from tests.synthetic.rawlog import RawLog

SEED: Final = 20260110
SESSION_S: Final = 600.0
"""Longer than the test: whoever has to wait for it does not come to an end."""
MOVED: Final = "SELECT next_offset FROM system.partition_owner WHERE consumer = 'normalize' AND topic = %s"
CLAIMED: Final = "SELECT count(*) FROM system.partition_owner WHERE epoch > 0"
WAITING: Final = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ingest.heads'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
def world(config: Config, tmp_path: Path) -> Iterator[World]:
    made = World(replace(config, networks_file=tmp_path / "networks.toml", session_timeout_s=SESSION_S))
    yield made
    made.close()


def committed(conn: psycopg.Connection[tuple[int]], world: World) -> int:
    row = conn.execute(MOVED, (world.raw,)).fetchone()
    return row[0] if row else 0


@pytest.mark.timeout(400)
def test_a_worker_that_is_told_to_end_commits_what_it_has_in_hand_and_the_next_goes_on_at_once(world: World) -> None:
    log = RawLog(Chain(seed=SEED, network=NETWORK, logs=20, contracts=40))
    log.claim()
    log.follow(400)
    with world.connect() as conn:
        with supervised(world.config, ("first",)) as workers:
            workers.until(lambda: committed(conn, world) >= 0, "the worker to hold its partitions", 60)
            world.write(world.encoded(log.records))
            workers.until(lambda: committed(conn, world) > 0, "the first batch", 60)
            codes = workers.stop()
            said = workers.workers["first"].log.read_text()
        left = committed(conn, world)
        positions = [
            world.codec_of("normalized_batch", world.topics.normalized).decode(value)["position"]
            for partition in range(PARTITIONS)
            for value in world.read(world.topics.normalized, partition)
        ]

        with supervised(world.config, ("second",)) as workers:
            workers.until(lambda: world.caught_up(conn), "the next worker to do the rest", 200)
            assert workers.exits == []

    print(f"seed {SEED}: {left} of {world.written} raw records were committed by the first")
    assert codes == {"first": 0}
    assert "Traceback" not in said
    assert max(positions) < left, "sent and not committed: a batch in hand was cut off"
    require_exactly_once(world, log.chain)


@pytest.mark.timeout(200)
def test_a_batch_that_is_in_hand_when_the_signal_comes_is_committed(world: World) -> None:
    log = RawLog(Chain(seed=SEED, network=NETWORK, logs=10, contracts=10))
    log.claim()
    log.follow(5)
    with supervised(world.config, ("first",)) as workers, world.connect() as conn, world.connect() as holder:
        workers.until(lambda: conn.execute(CLAIMED).fetchone() == (world.claims,), "the worker to hold all", 60)
        holder.autocommit = False
        holder.execute("LOCK TABLE ingest.heads IN SHARE MODE")
        world.write(world.encoded(log.records))
        workers.until(lambda: conn.execute(WAITING).fetchone() == (1,), "a batch that waits for the lock", 60)

        worker = workers.workers["first"]
        worker.kill(signal.SIGTERM)
        children.wait_for(lambda: '"worker stops"' in worker.log.read_text(), "the worker to hear it", timeout_s=30)
        time.sleep(1.0)  # time for a worker that does not wait to cut it off
        holder.rollback()
        code = worker.wait(30)
        workers.workers.clear()

        assert code == 0
        assert committed(conn, world) == world.written
