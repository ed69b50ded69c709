"""A random history of one partition, announced on a real topic."""

from random import Random

import pytest

from ft.config import Config
from ft.schemas.codec import Codec
from ft.streams.kafka.message import Message
from tests.integration.agents.project.subscribing import codec_of, encoded, publish, published
from tests.synthetic.changes import History, history


@pytest.fixture
def codec(config: Config) -> Codec:
    return codec_of(config)


@pytest.fixture
def made() -> History:
    return history(Random(7), blocks=120)


@pytest.fixture
async def messages(config: Config, codec: Codec, made: History) -> list[Message]:
    await publish(config, encoded(codec, made.records))
    return published(config)
