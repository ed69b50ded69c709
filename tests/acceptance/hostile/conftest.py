"""One deployment on which everything hostile was let loose, topic after topic; the tests then look at what is left."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest

from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock, to_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Headers, Producer
from ft.streams.kafka.topics import Topics
from tests.acceptance.conftest import pipeline_of
from tests.acceptance.hostile import normalized_storm, ownership_storm, raw_storm
from tests.acceptance.hostile.garbage import frames
from tests.acceptance.hostile.lane import NETWORK, Lane
from tests.acceptance.hostile.raw_storm import Hostile
from tests.acceptance.pipeline import Pipeline

STRANGE_HEADERS: Headers = [("traceparent", b"\xff\x00"), ("traceparent", None), ("position", b"-1"), ("", b"")]
Value = RawBlock | bytes | None


@dataclass
class Storm:
    """What was written, and what must come of it."""

    pipeline: Pipeline
    lane: Lane = field(default_factory=Lane)
    raw: dict[int, Hostile] = field(default_factory=dict)
    """By offset."""
    normalized: list[Any] = field(default_factory=list)
    owned: list[Any] = field(default_factory=list)
    topics: Topics = field(init=False)

    def __post_init__(self) -> None:
        self.topics = Topics(self.pipeline.config.topic_prefix)
        self.schemas = Schemas(self.pipeline.config)
        self._producer = Producer(self.pipeline.config, offsets=True)

    def codec(self, name: str, topic: str) -> Codec:
        return self.schemas.codec(name, topic)

    def send(self, topic: str, partition: int, values: Sequence[bytes | None], headers: Headers | None = None) -> int:
        """Returns the offset of the last one."""

        async def acknowledged() -> int:
            offsets: list[int] = []
            for value in values:
                self._producer.send(topic, partition, value, headers, on_offset=offsets.append)  # type: ignore[arg-type]
            await self._producer.flush_acknowledged()
            return offsets[-1]

        return asyncio.run(acknowledged())

    def write(self, value: Value, headers: Headers | None = None) -> int:
        """Append to the raw topic."""
        topic = self.topics.raw(NETWORK)
        if isinstance(value, RawBlock):
            value = self.codec("raw_block", topic).encode(to_record(value))
        return self.send(topic, 0, [value], headers)

    def mints(self, count: int) -> None:
        for _ in range(count):
            self.write(self.lane.mints())

    def caught_up(self) -> None:
        self.pipeline.caught_up(NETWORK)


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the runs have their full length: ``--faults=long``, as of the fault runs beside."""
    return bool(request.config.getoption("--faults", default="short") == "long")


@pytest.fixture(scope="module")
def storm(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    with pipeline_of(servers, tmp_path_factory.mktemp("hostile"), (NETWORK,)) as pipeline:
        pipeline.start()
        made = Storm(pipeline)
        _raw(made)
        _normalized(made)
        _ownership_changed(made)
        yield made
        made.schemas.close()


def _raw(storm: Storm) -> None:
    """Good blocks before, between and after; every kind of value, some under strange headers."""
    lane, topic = storm.lane, storm.topics.raw(NETWORK)
    storm.mints(3)
    for hostile in raw_storm.blocks(lane):
        storm.raw[storm.write(hostile.value)] = hostile
        storm.mints(1)
    good = lane.mints()
    storm.write(good, STRANGE_HEADERS)
    codec = storm.codec("raw_block", topic)
    values = frames(storm.pipeline.config, codec, codec.encode(to_record(good)))
    broken = [Hostile(what, value, reason="malformed") for what, value in values]
    for hostile in chain(raw_storm.refused(lane, good), broken):
        storm.raw[storm.write(hostile.value, STRANGE_HEADERS)] = hostile
        storm.mints(1)
    storm.caught_up()


def _normalized(storm: Storm) -> None:
    """Into every partition, between what normalize sends."""
    config, topic = storm.pipeline.config, storm.topics.normalized
    codec = storm.codec("normalized_batch", topic)
    for partition in range(config.partitions):
        hostile = list(normalized_storm.records(config, codec, partition, storm.lane.height))
        values = [each.value for each in hostile]
        first = storm.send(topic, partition, values, STRANGE_HEADERS) - len(values) + 1
        storm.normalized += [(partition, first + at, each) for at, each in enumerate(hostile)]
    storm.mints(5)
    storm.caught_up()


def _ownership_changed(storm: Storm) -> None:
    """Into every partition, between what the publisher sends."""
    config, topic = storm.pipeline.config, storm.topics.ownership_changed
    codec = storm.codec("ownership_changed", topic)
    read = "SELECT partition, next_seq - 1 FROM system.partition_owner WHERE consumer = 'project' AND next_seq > 1"
    rows = storm.pipeline.sql(read)
    for partition, last_seq in rows:
        hostile = list(ownership_storm.records(config, codec, last_seq))
        values = [each.value for each in hostile]
        first = storm.send(topic, partition, values, STRANGE_HEADERS) - len(values) + 1
        storm.owned += [(partition, first + at, each) for at, each in enumerate(hostile)]
    storm.mints(5)
    storm.caught_up()
