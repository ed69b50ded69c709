"""Topics, schemas and a network, for hops whose connections are cut."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ft.config import Config
from tests.integration.normalize.rawtopic import RawTopic, open_raw


@pytest.fixture
def raw(config: Config, tmp_path: Path) -> Iterator[RawTopic]:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("UPDATE system.settings SET value = '2' WHERE name = 'partitions'")
    opened = open_raw(replace(config, networks_file=tmp_path / "networks.toml"), tmp_path)
    yield opened
    opened.facts.registry.close()
