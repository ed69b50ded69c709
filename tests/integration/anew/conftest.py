"""Deployments of the last version without holders, one a test."""

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from ft.config import Config
from ft.sql.databases import drop_database
from tests.conftest import download_cache
from tests.integration.anew.before import PARTITIONS, restore


@pytest.fixture
async def earlier(servers: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Config]:
    """Not migrated yet."""
    admin, name = servers["FT_POSTGRES"], f"ft_test_{secrets.token_hex(6)}"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    url = urlsplit(admin)._replace(path=f"/{name}").geturl()
    config = Config(
        home=tmp_path / "home", cache=download_cache(), addresses={**servers, "FT_POSTGRES": url},
        topic_prefix=f"t{secrets.token_hex(4)}.",
    )  # fmt: skip
    config = replace(config, partitions=PARTITIONS)
    await restore(config)
    yield config
    drop_database(admin, name)
