"""`ft rebuild`: projections, and a second ledger, made once more beside a running pipeline."""

import asyncio
import subprocess
import sys

import pytest

from ft.children import FT
from ft.schemas.events import RawBlock, to_record
from ft.streams.producer import Producer
from ft.streams.registry import Registry
from ft.streams.topics import Topics
from tests.acceptance.pipeline import Pipeline
from tests.synthetic.rawlog import written

NETWORK = "rebuilt"
NETWORKS = (NETWORK, "idle")
GIVE_UP_S = 150.0


class Deployment:
    """A pipeline, and the raw log that it reads."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._topic = Topics(pipeline.config.topic_prefix).raw(NETWORK)
        with Registry(pipeline.config.schema_registry) as registry:
            self._codec = registry.codec("raw_block", self._topic)
        self.log = written(seed=5, network=NETWORK, events=1_200, logs=12, contracts=20)
        self._written = 0

    def write(self, records: int | None = None) -> None:
        """Append what the log has and the topic has not, or so many records of it."""
        end = len(self.log.records) if records is None else self._written + records
        asyncio.run(self._send(self.log.records[self._written : end]))
        self._written = end

    async def _send(self, records: list[RawBlock]) -> None:
        producer = Producer(self.pipeline.config.kafka)
        for record in records:
            producer.send(self._topic, 0, self._codec.encode(to_record(record)))
        await producer.flush_acknowledged(30)

    def rebuild(self, *words: str) -> "subprocess.Popen[str]":
        """`ft rebuild`, running."""
        return subprocess.Popen(
            [sys.executable, *FT, "rebuild", *words],
            env=self.pipeline.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def leftovers(self) -> list[str]:
        """Schemas of rebuilds."""
        return [name for (name,) in self.pipeline.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ '_rebuild_'")]


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit code, and what it said."""
    out, err = process.communicate(timeout=GIVE_UP_S)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def deployed(pipeline: Pipeline) -> Deployment:
    made = Deployment(pipeline)
    made.write(len(made.log.records) // 2)
    pipeline.caught_up(NETWORK)
    return made


def test_damaged_projections_are_whole_again_and_nothing_that_arrives_is_lost(deployed: Deployment) -> None:
    pipeline = deployed.pipeline
    (worker,) = pipeline.workers
    pipeline.sql("UPDATE projection.collection_stats SET owners = 7 RETURNING 1")
    pipeline.sql("DELETE FROM projection.holdings WHERE slot = '' RETURNING 1")
    pipeline.sql("UPDATE catalog.assets SET uuid = gen_random_uuid() RETURNING 1")
    pipeline.sql("UPDATE system.partition_head SET floor = 99 WHERE consumer = 'project' RETURNING 1")
    (damaged,) = {row["stats"]["owners"] for row in [pipeline.get(f"collections/{NETWORK}:{_collection(deployed)}")]}

    running = deployed.rebuild("project")
    while running.poll() is None and deployed._written < len(deployed.log.records):
        deployed.write(min(2, len(deployed.log.records) - deployed._written))
    code, out, err = ended(running)
    deployed.write()
    pipeline.caught_up(NETWORK)

    assert (damaged, code) == (7, 0), err
    assert "everything that project keeps" in out
    pipeline.verify()
    assert pipeline.workers == [worker]
    assert worker.running
    assert deployed.leftovers() == []


def _collection(deployed: Deployment) -> str:
    ((contract,),) = deployed.pipeline.sql("SELECT contract FROM projection.collection_stats ORDER BY 1 LIMIT 1")
    return str(contract)


def test_a_second_ledger_from_raw_is_equal(deployed: Deployment) -> None:
    deployed.write()
    deployed.pipeline.caught_up(NETWORK)

    code, out, err = ended(deployed.rebuild("ledger"))

    assert code == 0, out + err
    print(out, err)
    assert deployed.leftovers() == []
