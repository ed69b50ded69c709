"""One network's ingestion against a replaying node: real Kafka, real Postgres, and a reader of what was written."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from ft.config import Config
from ft.demo.recording import Recording, load_recording
from ft.networks import Mark, Network
from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock, from_record, to_record
from ft.sql.session import process_name
from ft.stopping import Stopped, Stopping
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.ingest.backfill import Progress
from ft.streams.ingest.jobs import Ingest
from ft.streams.ingest.raw_log import RawLog
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.kafka.message import Message
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.sources import Source
from ft.streams.sources.evm.source import open_evm
from ft.streams.worker.chain_reader import canonical
from tests.devnet.faulty_node import FaultyNode
from tests.integration.streams.ingest.fold import Chain
from tests.topic_ends import read_all

DEVNET = Network(
    slug="devnet",
    family="evm",
    chain_id=31337,
    confirmed=Mark(tag="safe", depth=4),
    finalized=Mark(tag="finalized", depth=8),
    block_time_s=0.1,
    requests_per_s=0,
)


@dataclass(slots=True)
class Running:
    """A follower at work in this event loop."""

    task: "asyncio.Task[None]"
    stopping: Stopping
    owner: str

    async def stop(self) -> None:
        """As SIGTERM does."""
        self.stopping.stop()
        with pytest.raises(Stopped):
            await self.task


NEVER = 1 << 60


class Crashed(Exception):
    """The process died here."""


class Crash:
    """Dies at the write of this number; every statement to the tail and every record to the log is one."""

    def __init__(self) -> None:
        self.at = self._left = NEVER

    def again(self, at: int) -> None:
        """Live again, and die at another write."""
        self.at = self._left = at

    def point(self) -> None:
        """A write is about to happen, or has just happened."""
        self._left -= 1
        if self._left <= 0:
            raise Crashed(f"at write {self.at}")


class DyingTail(UnfinalizedBlocks):
    crash: Crash

    async def _write(self, statements: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        todo = list(statements)
        if todo:
            self.crash.point()
        await super()._write(todo)
        if todo:
            self.crash.point()


class DyingRawLog(RawLog):
    crash: Crash

    def _send(self, record: RawBlock, on_offset: Callable[[int], None] | None = None) -> None:
        self.crash.point()
        super()._send(record, on_offset)

    async def acknowledged(self) -> None:
        await super().acknowledged()
        self.crash.point()


class Lab:
    """Everything around one test's network."""

    def __init__(self, config: Config, codec: Codec) -> None:
        self.config = config
        self.network = DEVNET
        self.topic = f"{config.topic_prefix}chain.devnet.raw"
        self._codec = codec
        self._owners = 0

    @asynccontextmanager
    async def parts(self, url: str, *, crash: Crash) -> AsyncIterator[tuple[Source, RawLog, UnfinalizedBlocks]]:
        """What an ingestion is made of, dying on demand."""
        raw = await DyingRawLog.open(self.config, self.network.slug)
        tail = DyingTail(self.config, self.network.slug, raw.topic_id, "dying")
        raw.crash = tail.crash = crash
        try:
            async with open_evm(self.network, [url], timeout_s=5.0) as source:
                yield source, raw, tail
        finally:
            await tail.close()
            raw.close()

    @asynccontextmanager
    async def job(self, *urls: str, network: Network | None = None, give_up_s: float = 20.0) -> AsyncIterator[Ingest]:
        """An ingestion over these nodes."""
        network = network or self.network
        self._owners += 1
        owner, stopping = f"{process_name()}#{self._owners}", Stopping()
        async with AsyncExitStack() as stack:
            raw = await RawLog.open(self.config, network.slug)
            stack.callback(raw.close)
            tail = UnfinalizedBlocks(self.config, network.slug, raw.topic_id, owner)
            stack.push_async_callback(tail.close)
            source = await stack.enter_async_context(open_evm(network, urls, give_up_s=give_up_s, timeout_s=5.0))
            yield Ingest(network, source, raw, tail, owner, stopping)

    async def range(self, first: int, last: int | None, *urls: str, network: Network | None = None) -> None:
        """Ingest a range to its end."""
        async with self.job(*urls, network=network) as job:
            await job.range(first, last)

    async def follow(self, first: int | None, *urls: str, progress: Progress | None = None) -> Running:
        """Begin to follow."""
        self._owners += 1
        owner, stopping = f"{process_name()}#{self._owners}", Stopping()

        async def run() -> None:
            raw = await RawLog.open(self.config, self.network.slug)
            tail = UnfinalizedBlocks(self.config, self.network.slug, raw.topic_id, owner)
            try:
                async with open_evm(self.network, urls, timeout_s=5.0) as source:
                    await Ingest(self.network, source, raw, tail, owner, stopping, progress).follow(first)
            finally:
                await tail.close()
                raw.close()

        return Running(asyncio.create_task(run()), stopping, owner)

    def records(self) -> list[tuple[int, dict[str, Any]]]:
        """The whole raw log."""
        return [(message.offset, self._codec.decode(message.value)) for message in self.messages()]

    def messages(self) -> list[Message]:
        """The same, as the broker has it."""
        return read_all(self.config, self.topic)

    def chain(self) -> Chain:
        """The raw log, folded; the normalizer's own rule must come to the same."""
        records = self.records()
        chain, normalized, misfits = Chain().read(records), canonical.Chain(), 0
        for offset, record in records:
            misfits += isinstance(normalized.step(from_record(RawBlock, record), offset), canonical.OutOfPlace)
        assert {height: row.hash for height, row in normalized.rows.items()} == chain.canonical
        assert {height for height, row in normalized.rows.items() if row.final} == chain.final
        assert misfits == len(chain.misfits)
        return chain

    def write(self, **record: Any) -> int:
        """One record by somebody else; returns its offset."""
        value = self._codec.encode(to_record(RawBlock(network="devnet", **record)))
        producer, landed = Producer(self.config, offsets=True), list[int]()
        producer.send(self.topic, 0, value, on_offset=landed.append)
        producer._rd.flush(10)
        return landed[0]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.config.postgres, autocommit=True) as conn:
            cursor = conn.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def tail(self) -> dict[int, str]:
        return dict(self.sql("SELECT height, hash FROM ingest.tail WHERE network = 'devnet'"))


@pytest.fixture(scope="session")
def recording() -> Recording:
    return load_recording()


@pytest.fixture
def lab(config: Config) -> Iterator[Lab]:
    create_topics(config, ["devnet"], 1)
    with Schemas(config) as schemas:
        yield Lab(config, schemas.codec("raw_block", f"{config.topic_prefix}chain.devnet.raw"))


@pytest.fixture
async def node(recording: Recording) -> AsyncIterator[FaultyNode]:
    async with FaultyNode(recording) as serving:
        yield serving


def at_step(node: FaultyNode, step: int) -> FaultyNode:
    """Serve a step, whatever was served before."""
    node.view = node._chain.view_at(step)
    return node


def no_tags(network: Network = DEVNET) -> Network:
    return replace(network, confirmed=Mark(tag=None, depth=4), finalized=Mark(tag=None, depth=8))
