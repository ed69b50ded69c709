"""A fresh deployment for each test: database, topics and home of its own, eight partitions, six-second sessions."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from tests.acceptance.faults.world import World


@pytest.fixture
def world(config: Config, tmp_path: Path) -> Iterator[World]:
    made = World(replace(config, networks_file=tmp_path / "networks.toml", session_timeout_s=6.0))
    yield made
    made.close()
