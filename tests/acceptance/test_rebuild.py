"""`ft rebuild`: projections, and a second ledger, made once more beside a running pipeline."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psutil
import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from ft.children import FT
from ft.schemas.events import RawBlock, RawPart, to_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import topic_names
from ft.streams.kafka.topics import Topics
from tests.acceptance.pipeline import STEP_S, Pipeline
from tests.synthetic.chain import TRANSFER_SINGLE, Block, append
from tests.synthetic.rawlog import written

NETWORK = "rebuilt"
NETWORKS = (NETWORK, "idle")
GIVE_UP_S = 150.0
SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '_rebuild_'"
TRIES = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'ft rebuild' AND wait_event_type = 'Lock' AND datname = current_database()
"""
Running = subprocess.Popen[str]


class Deployment:
    """A pipeline, and the raw log that it reads: reorgs, changes of source, a zombie's records, a backfill; one final
    block that could not be decoded and was replaced, and one that is a hole still."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._topic = Topics(pipeline.config.topic_prefix).raw(NETWORK)
        with Schemas(pipeline.config) as schemas:
            self._codec = schemas.codec("raw_block", self._topic)
        self.log = written(seed=5, network=NETWORK, events=1_200, logs=12, contracts=20)
        mended, hole = self.log.chain.blocks[2], self.log.chain.blocks[4]
        self.log.records += [*replaced(mended, bad=True), *replaced(mended), *replaced(hole, bad=True)]
        self._written = 0

    @property
    def left(self) -> int:
        """Records that the topic does not have yet."""
        return len(self.log.records) - self._written

    def write(self, records: int) -> None:
        """Append so many records."""
        asyncio.run(self._send(self.log.records[self._written : self._written + records]))
        self._written += records

    async def _send(self, records: list[RawBlock]) -> None:
        producer = Producer(self.pipeline.config)
        for record in records:
            producer.send(self._topic, 0, self._codec.encode(to_record(record)))
        await producer.flush_acknowledged(30)

    def rebuild(self, *words: str) -> Running:
        """`ft rebuild`, running."""
        return subprocess.Popen(
            [sys.executable, *FT, "rebuild", *words],
            env=self.pipeline.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def figures(self) -> list[Any]:
        """What the API says of every collection, and of one asset by its uuid."""
        collections = [
            row for (row,) in self.pipeline.sql("SELECT DISTINCT contract FROM ledger.events WHERE op = 'apply'")
        ]
        stats = [self.pipeline.get(f"collections/{NETWORK}:{contract}")["stats"] for contract in sorted(collections)]
        return [{name: row[name] for name in ("owners", "assets", "supply", "mints")} for row in stats]

    def count(self, query: str) -> int:
        return int(self.pipeline.sql(query)[0][0])

    def topics(self) -> list[str]:
        """Topics of rebuilds."""
        prefix = f"{self.pipeline.config.topic_prefix}rebuild."
        return [name for name in topic_names(self.pipeline.config) if name.startswith(prefix)]


def replaced(block: Block, *, bad: bool = False) -> list[RawBlock]:
    """The final block once more; ``bad``: with an ERC-1155 log that no decoder can read."""
    record = append(block, NETWORK, finalized=block.number)
    if bad:
        receipts = json.loads(record.parts[1].bytes)
        logs = [log for receipt in receipts for log in receipt["logs"] if log["topics"][0] == TRANSFER_SINGLE]
        logs[0]["data"] = "0x01"
        parts = [record.parts[0], RawPart(name="receipts", encoding="json", bytes=json.dumps(receipts).encode())]
        record = replace(record, parts=parts)
    height, reason = block.number, "replace"
    return [RawBlock(network=NETWORK, op="revert", height=height, hash=block.hash, reason=reason), record]


def ended(process: Running) -> tuple[int, str, str]:
    """Exit code, and what it said."""
    out, err = process.communicate(timeout=GIVE_UP_S)
    return process.returncode, out, err


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what happens soon, looking often."""
    deadline = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def runs(process: psutil.Process) -> bool:
    """Not if it ended and nobody has asked for its code."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def deployed(pipeline: Pipeline) -> Deployment:
    made = Deployment(pipeline)
    made.write(len(made.log.records) // 2)
    pipeline.caught_up(NETWORK)
    return made


def damage(pipeline: Pipeline) -> None:
    for statement in (
        "UPDATE projection.collection_stats SET owners = 700 RETURNING 1",
        "DELETE FROM projection.holdings WHERE slot = '' RETURNING 1",
        "UPDATE catalog.assets SET uuid = gen_random_uuid() RETURNING 1",
        "UPDATE system.partition_head SET open_block = 99 WHERE consumer = 'project' RETURNING 1",
    ):
        assert pipeline.sql(statement)


def test_damaged_projections_are_whole_again_and_nothing_that_arrives_is_lost(deployed: Deployment) -> None:
    pipeline = deployed.pipeline
    (worker,) = pipeline.workers
    claims = "SELECT partition, epoch, owner FROM system.partition_owner WHERE consumer = 'project' ORDER BY 1"
    held = pipeline.sql(claims)
    damage(pipeline)
    damaged = deployed.figures()

    running = deployed.rebuild("project")
    while running.poll() is None and deployed.left > 10:
        deployed.write(2)
    code, out, err = ended(running)
    deployed.write(10)
    pipeline.caught_up(NETWORK)

    assert {row["owners"] for row in damaged} == {700}
    assert code == 0, err
    assert out.startswith("served: ")
    assert 700 not in {row["owners"] for row in deployed.figures()}
    pipeline.verify()
    assert pipeline.workers == [worker]
    assert worker.running
    assert pipeline.sql(claims) == held, "the worker had to claim anew"
    assert deployed.count(SCHEMAS) == 0


def test_killed_at_any_point_the_old_is_served_and_the_next_begins_anew(deployed: Deployment) -> None:
    pipeline = deployed.pipeline
    figures = deployed.figures()

    filling = deployed.rebuild("project")
    until(lambda: deployed.count(SCHEMAS) > 0 or filling.poll() is not None, "the rebuild to begin")
    filling.send_signal(signal.SIGSTOP)
    second = ended(deployed.rebuild("project"))
    assert deployed.figures() == figures
    filling.kill()
    ended(filling)
    left = deployed.count(SCHEMAS)
    with psycopg.connect(pipeline.config.postgres) as reader:
        reader.execute("SELECT FROM projection.holdings")
        taking_over = deployed.rebuild("project")
        until(lambda: deployed.count(TRIES) > 0, "the rebuild to take over")
        taking_over.kill()
        ended(taking_over)
    assert deployed.figures() == figures
    damage(pipeline)
    code, _, err = ended(deployed.rebuild("project"))

    assert second[0] == 1
    assert "`ft rebuild project` runs on this database already" in second[2]
    assert left > 0
    assert code == 0, err
    assert "deleted what 1 unfinished rebuilds had left" in err
    assert deployed.figures() == figures
    pipeline.verify()
    assert deployed.count(SCHEMAS) == 0


def test_a_second_ledger_from_raw_is_equal_while_the_first_goes_on(deployed: Deployment) -> None:
    running = deployed.rebuild("ledger")
    while deployed.left and running.poll() is None:
        deployed.write(min(deployed.left, 2))
        time.sleep(0.05)
    code, out, err = ended(running)
    deployed.write(deployed.left)

    assert code == 0, out + err
    assert out.count("equal ") == 8
    assert deployed.count("SELECT max(revision) FROM ledger.events") > 3
    assert out.endswith("no differences\n")
    assert deployed.count(SCHEMAS) == 0
    until(lambda: deployed.topics() == [], "the broker to forget the topics")


def test_a_second_ledger_names_what_the_first_has_wrong_and_clears_up_after_one_that_was_killed(
    deployed: Deployment,
) -> None:
    pipeline = deployed.pipeline
    deployed.write(deployed.left)
    pipeline.caught_up(NETWORK)
    killed = deployed.rebuild("ledger", "--network", NETWORK)
    until(lambda: len(deployed.topics()) == 7, "topics of the second ledger")
    until(lambda: bool(psutil.Process(killed.pid).children()), "its worker")
    orphans = psutil.Process(killed.pid).children()
    killed.kill()
    ended(killed)
    until(lambda: not any(map(runs, orphans)), "its worker to end by itself")
    ((contract, token, owner),) = pipeline.sql(
        "SELECT contract, token_id::text, account FROM projection.ownership_view WHERE slot = '' LIMIT 1"
    )
    change = (
        "UPDATE market.ownership_current SET account = %(to)s WHERE (contract, token_id) = (%(c)s, %(t)s) RETURNING 1"
    )
    pipeline.sql(change, to="0xthief", c=contract, t=token)

    try:
        code, out, err = ended(deployed.rebuild("ledger", "--network", NETWORK, "--keep"))
    finally:
        pipeline.sql(change, to=owner, c=contract, t=token)

    assert code == 1, out + err
    assert "deleted what unfinished rebuilds had left: 1 ledgers, 7 topics" in err
    assert out.count("equal ") == 7
    assert "equal    1 quarantined entries on blocks that count" in out
    assert f"{NETWORK}:{contract}:{token}: expected 1 of {owner}" in out
    assert "got 1 of 0xthief" in out
    assert out.endswith("1 differences\n")
    (kept,) = {
        name.partition("_")[2]
        for (name,) in pipeline.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ '_rebuild_'")
    }
    assert f"kept     schemas ..._{kept}" in out
    asked = f"SELECT account FROM market_{kept}.ownership_current WHERE (contract, token_id) = (%(c)s, %(t)s)"
    assert pipeline.sql(asked, c=contract, t=token) == [(owner,)]
    until(lambda: deployed.topics() == [], "the broker to forget the topics")
    groups = AdminClient(pipeline.config.kafka_client).list_consumer_groups().result(STEP_S).valid
    assert [group.group_id for group in groups if kept.replace("_", ".") in group.group_id] == []
