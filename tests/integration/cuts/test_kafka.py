"""Connections to the broker that end when it has the records and has not said so."""

from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from ft.config import Config
from ft.schemas.events import NormalizedBatch, from_record
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics as Names
from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.crash.feeding import Topics
from tests.integration.crash.ledger_world import LedgerWorld
from tests.integration.crash.normalize_world import NormalizeWorld
from tests.integration.cuts.cases import told
from tests.integration.cuts.kafka import cutting_acknowledgements


async def test_a_lost_acknowledgement_neither_doubles_nor_reorders(config: Config) -> None:
    create_topics(config, [], 1)
    topic = Names(config.topic_prefix).normalized
    with cutting_acknowledgements(config) as (behind, acknowledgements):
        acknowledgements.every = 3
        producer = Producer(behind)
        for number in range(40):
            producer.send(topic, 0, b"%d" % number)
            if number % 4 == 0:
                await producer.flush_acknowledged(30)
        await producer.flush_acknowledged(30)
        log = Topics(config, [(topic, 0)])
        found = [record.value for record in log.read()[topic, 0]]
        log.close()

    assert acknowledgements.cut >= 3
    assert found == [b"%d" % number for number in range(40)]


async def test_what_normalize_and_the_publisher_send_is_there_once(raw: RawTopic, tmp_path: Path) -> None:
    first, second = NormalizeWorld(raw), LedgerWorld(raw)
    await first.write()
    expected = await told(first, tmp_path / "first")
    await second.write(first.sent.read())
    expected_of_ledger = await told(second, tmp_path / "second")
    with (
        cutting_acknowledgements(raw.config) as (config, acknowledgements),
        patch.object(raw, "config", config),
    ):
        acknowledgements.every = 2
        found = await told(first, tmp_path / "first cut")
        cut_of_first = acknowledgements.cut
        sent = first.sent.read()
        found_of_ledger = await told(second, tmp_path / "second cut")

    assert (found, found_of_ledger) == (expected, expected_of_ledger)
    assert cut_of_first >= 2
    assert acknowledgements.cut >= cut_of_first + 2
    codec = raw.facts.codecs[raw.facts.topics.normalized]
    for (topic, _), records in sent.items():
        if topic == raw.facts.topics.normalized:
            positions = [from_record(NormalizedBatch, codec.decode(record.value)).position for record in records]
            assert all(before < after for before, after in pairwise(positions))
