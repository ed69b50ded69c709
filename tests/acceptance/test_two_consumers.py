"""Two consumers of a topic in one worker, one of them slow: nobody waits for it, and a death costs neither a record."""

from collections import Counter
from typing import Any, Final

import psycopg
import pytest

from ft.schemas.changes import SIGN, Change, read
from tests.acceptance.faults.supervisor import Supervisor, supervised
from tests.acceptance.faults.world import NETWORK, PARTITIONS, World
from tests.synthetic.rawlog import written

WORKER: Final = ("-m", "faust", "-A", "tests.acceptance.counting", "worker")
TABLES: Final = """
    CREATE SCHEMA counting;
    CREATE TABLE counting.got (network text, account text, n bigint NOT NULL, PRIMARY KEY (network, account));
    CREATE TABLE counting.ticks (partition int PRIMARY KEY, n bigint NOT NULL);
    GRANT USAGE ON SCHEMA counting TO ft_writer;
    GRANT ALL ON ALL TABLES IN SCHEMA counting TO ft_writer;
"""
LAG: Final = """
    SELECT coalesce(sum(p.next_offset - c.next_offset), 0) FROM system.partition_owner p
    JOIN system.partition_owner c USING (topic, partition)
    WHERE p.consumer = 'project' AND c.consumer = 'counting'
"""
HEADS: Final = """
    SELECT partition, head_number, head_hash, safe, finalized FROM system.partition_head
    WHERE consumer = %s AND network = %s ORDER BY 1
"""
SEED: Final = 20261130


@pytest.mark.timeout(300)
def test_a_slow_consumer_of_a_topic_holds_up_nobody_and_both_have_every_record_once(world: World) -> None:
    log = written(seed=SEED, network=NETWORK, events=8_000, logs=40)
    records = world.encoded(log.records)
    with world.connect() as conn:
        conn.execute(TABLES.encode())
    with supervised(world.config, ()) as workers, world.connect() as conn:
        for name in ("first", "second"):
            workers.add(name, WORKER)
        lag = _feed_with_deaths(world, workers, conn, records)
        workers.until(lambda: world.caught_up(conn), "project to have everything", 120)
        workers.until(lambda: _stands(conn, world), "the slow one to have everything", 120)
        workers.until(lambda: _are_equal(conn), "both to stand at the same heads", 30)
        said = "".join(path.read_text() for path in (world.config.home / "logs").glob("*.log"))

    assert lag > 500, "the slow one was never far behind"
    assert "consumer reads apart, it is behind the others" in said
    assert "consumer reads with the others again" in said
    # Once in each process that has a partition with something left for it.
    assert said.count('"consumer stands still"') >= 3, "its errors end no worker"
    assert '"worker exits"' not in said
    assert _got(world) == _expected(world)
    assert world.number("SELECT count(*) FROM counting.ticks WHERE n > 0") == PARTITIONS
    refused = world.number("SELECT count(*) FROM system.dlq WHERE consumer = 'counting' AND reason = 'refused'")
    assert refused == sum(change.token_id == "13" for change in _changes(world)) > 0


def _feed_with_deaths(world: World, workers: Supervisor, conn: psycopg.Connection[Any], records: list[bytes]) -> int:
    """The log in four parts, and a death after each while the slow one is behind; how far it was, at most."""
    lag, size = 0, -(-len(records) // 4)
    for part, name in enumerate(("first", "second", "first", "second")):
        world.write(records[part * size : (part + 1) * size])
        workers.until(lambda: world.caught_up(conn), "project to catch up", 120)
        lag = max(lag, world.number(LAG))
        if part < 3:
            workers.kill(name)
    return lag


def _stands(conn: psycopg.Connection[Any], world: World) -> bool:
    return conn.execute(LAG.encode()).fetchone() == (0,)


def _are_equal(conn: psycopg.Connection[Any]) -> bool:
    heads = [conn.execute(HEADS.encode(), (consumer, NETWORK)).fetchall() for consumer in ("project", "counting")]
    return heads[0] == heads[1] != []


def _changes(world: World) -> list[Change]:
    """Every event of the topic, once."""
    topic, found = world.topics.ownership_changed, []
    codec = world.codec_of("ownership_changed", topic)
    for partition in range(PARTITIONS):
        last = 0
        for value in world.read(topic, partition):
            change, _ = read(codec, value)
            if isinstance(change, Change) and change.seq > last:
                last = change.seq
                found += [change] if change.kind != "finality" else []
    return found


def _expected(world: World) -> Counter[tuple[str, str]]:
    got: Counter[tuple[str, str]] = Counter()
    for change in _changes(world):
        if change.token_id != "13":
            got[change.network, change.to_account] += SIGN[change.op]
    return got


def _got(world: World) -> Counter[tuple[str, str]]:
    with world.connect() as conn:
        return Counter({(row[0], row[1]): row[2] for row in conn.execute("SELECT * FROM counting.got").fetchall()})
