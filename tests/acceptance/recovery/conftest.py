"""A deployment for each test, which loses its database, its Kafka, or both."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from tests.acceptance.faults.world import World
from tests.acceptance.hostile.lives import Databases


@pytest.fixture
def world(config: Config, tmp_path: Path) -> Iterator[World]:
    made = World(replace(config, networks_file=tmp_path / "networks.toml", session_timeout_s=6.0))
    yield made
    made.close()


@pytest.fixture
def databases(world: World) -> Iterator[Databases]:
    made = Databases(world.config, [])
    yield made
    made.drop()
