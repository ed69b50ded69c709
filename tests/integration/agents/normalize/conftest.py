"""The normalizer in this process, on a real broker and a real Postgres, without Faust around it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from ft.streams.kafka.message import Message
from ft.streams.worker.chain_reader.hop import ChainReading
from ft.streams.worker.claims import Claims
from ft.streams.worker.hop import select
from ft.streams.worker.room import Room
from tests.integration.agents.normalize.rawtopic import RawTopic, open_raw
from tests.topic_ends import read_all


@pytest.fixture
def raw(config: Config, tmp_path: Path) -> Iterator[RawTopic]:
    with open_raw(replace(config, partitions=3), tmp_path) as opened:
        yield opened


class Normalizer:
    """One process's normalizer: reads what is there, when told to."""

    def __init__(self, raw: RawTopic, owner: str, room: Room | None = None) -> None:
        self.raw = raw
        self.claims = Claims(raw.config, owner)
        self.claims.serve(raw.topic, "normalize")
        self.failures: list[BaseException] = []
        self.hop = ChainReading(raw.config, self.claims, raw.reading(), raw.codec, raw.sender, self._failed, room)

    async def take_over(self) -> None:
        """Claim the partition, as an assignment does."""
        await self.claims.take({(self.raw.topic, 0): (0, 2**31)})

    async def run(self) -> None:
        """Process everything from the claim's next offset to the end of the log."""
        batch = select(self.messages(), self.claims.of(self.hop.consumer))
        await self.hop.process(batch)

    def messages(self) -> list[Message]:
        """Every record of the raw topic."""
        return read_all(self.raw.config, self.raw.topic)

    async def _failed(self, exc: BaseException) -> None:
        self.failures.append(exc)


MakeNormalizer = Callable[[str], Awaitable[Normalizer]]


@pytest.fixture
async def make_normalizer(raw: RawTopic) -> AsyncIterator[MakeNormalizer]:
    """Opens normalizers on one topic; two of them are two processes."""
    opened: list[Normalizer] = []

    async def make(owner: str = "one") -> Normalizer:
        made = Normalizer(raw, owner)
        await made.take_over()
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.hop.stop()


@pytest.fixture
async def normalizer(make_normalizer: MakeNormalizer) -> Normalizer:
    return await make_normalizer("one")
