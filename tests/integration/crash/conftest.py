"""Topics, schemas and a network, for a hop that dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ft.config import Config
from tests.integration.agents.normalize.rawtopic import RawTopic, open_raw


@pytest.fixture
def raw(config: Config, tmp_path: Path) -> Iterator[RawTopic]:
    with open_raw(config, tmp_path, partitions=2) as opened:
        yield opened
