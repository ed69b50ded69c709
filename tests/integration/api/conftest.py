"""The API over a real, migrated Postgres, asked through its ASGI door."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from ft.api.http.database import Database
from ft.api.main import Reads, build
from ft.config import Config
from tests.integration.api.world import World


@pytest.fixture
def world(database: str) -> Iterator[World]:
    """The tables, to be filled."""
    world = World(database)
    yield world
    world.conn.close()


@pytest.fixture
async def client(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, which reads in the role ft_api."""
    database = Database(config.postgres_as("ft_api"), pool_max=3)
    app: Any = build(Reads(database, config.topic_prefix))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    await database.open()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://ft") as client:
            yield client
    finally:
        await database.close()
