"""Deployments of the last version without holders, one a test."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from ft.config import Config
from tests.deployments import deployment
from tests.integration.ops.anew.before import PARTITIONS, restore


@pytest.fixture
async def earlier(servers: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Config]:
    """Not migrated yet."""
    with deployment(servers, tmp_path / "home", partitions=PARTITIONS) as config:
        await restore(config)
        yield config
