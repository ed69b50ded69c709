"""Workers that are not of one deployment any more, or whose agents others run too: they end and say so."""

import asyncio

from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topic_admin import delete_topics
from ft.streams.kafka.topics import Topics
from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.streams.worker.conftest import StartWorker

ONE = "SELECT count(*) FROM system.workers"


async def test_one_whose_kafka_loses_its_data_ends_and_says_so(raw: RawTopic, start_worker: StartWorker) -> None:
    await asyncio.to_thread(prepare, raw.config)
    worker = start_worker()
    await raw.until(lambda: raw.rows(ONE) == [(1,)])

    delete_topics(raw.config, [Topics(raw.config.topic_prefix).deployment])
    code = await asyncio.to_thread(worker.wait, 60.0)

    assert code == 1
    assert "Kafka has likely lost its data" in worker.said("worker exits")[0]["error"]
    assert raw.rows("SELECT kind, cardinality(at) FROM system.failures") == [("OtherDeployment", 1)]
    assert raw.rows(ONE) == [(0,)]
    assert "ConsumerStoppedError" not in worker.log.read_text()


async def test_one_of_another_prefix_does_not_start(raw: RawTopic, start_worker: StartWorker) -> None:
    await asyncio.to_thread(prepare, raw.config)

    worker = start_worker(FT_TOPIC_PREFIX="another.")
    code = await asyncio.to_thread(worker.wait, 60.0)

    assert code == 1
    assert "FT_TOPIC_PREFIX is likely wrong" in worker.said("worker exits")[0]["error"]


async def test_one_whose_selection_overlaps_another_ones_does_not_start(
    raw: RawTopic, start_worker: StartWorker
) -> None:
    first = start_worker("normalize,ledger,publisher,project")
    await raw.until(lambda: raw.rows(ONE) == [(1,)])

    second = start_worker("project")
    code = await asyncio.to_thread(second.wait, 60.0)

    (owner,) = raw.rows("SELECT worker FROM system.workers")
    assert code == 1
    assert f"while {owner[0]} runs ledger,normalize,project,publisher" in second.said("worker exits")[0]["error"]
    assert first.process.poll() is None
