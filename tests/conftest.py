"""Servers and databases for tests: always a real broker, a real Postgres and a real registry.

In this order: what the environment names; containers, where a Docker engine answers; else the embedded servers,
started once a session in a home of their own.
"""

import importlib.util
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from ft import embedded
from ft.config import ADDRESSES, SERVERS, Config
from ft.errors import ServerError
from ft.sql.databases import drop_database
from ft.sql.migrate import grant_database
from tests.recordings import recording

CHECKOUT = Path(__file__).resolve().parent.parent
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell Ctrl-C is ignored, and would be by all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """By setting: FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY, and what logging in there takes."""
    named = {name: os.environ[name] for name in SERVERS if os.environ.get(name)}
    if all(name in named for name in ADDRESSES):
        yield named
        return
    if not named and _docker_answers():
        from tests.containers import started

        with ExitStack() as stack:
            yield started(stack)
        return
    with _embedded(named, tmp_path_factory) as addresses:
        yield addresses


@contextmanager
def _embedded(
    named: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, tries: int = 2
) -> Iterator[Mapping[str, str]]:
    """Servers in a home of their own. A start that fails is told, and tried once more: hundreds of tests wait."""
    home = tmp_path_factory.mktemp("ft-home")
    config = replace(Config.from_env({**named, "FT_HOME": str(home)}), cache=download_cache())
    try:
        try:
            addresses = embedded.start(config).addresses
        except ServerError as exc:
            if tries == 1:
                raise
            print(f"\nthe embedded servers did not start, once more: {exc}", file=sys.__stderr__, flush=True)
            with _embedded(named, tmp_path_factory, tries - 1) as again:
                yield again
            return
        yield addresses
    finally:
        embedded.remove(config)


@pytest.fixture
def database(servers: Mapping[str, str], _template: str | None) -> Iterator[str]:
    """URL of a fresh database with every migration applied; dropped afterwards."""
    name = f"ft_test_{secrets.token_hex(6)}"
    admin = servers["FT_POSTGRES"]
    _create(admin, name, template=_template)
    yield _at(admin, name)
    drop_database(admin, name)


@pytest.fixture
def config(servers: Mapping[str, str], database: str, tmp_path: Path) -> Config:
    """A configuration of these servers with a fresh database, fresh topics and a home of its own."""
    return Config(
        home=tmp_path / "home",
        cache=download_cache(),
        addresses={**servers, "FT_POSTGRES": database},
        topic_prefix=f"t{secrets.token_hex(4)}.",
    )


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of recorded chain data, which is no part of the project."""
    return recording()


@pytest.fixture(scope="session")
def _template(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """A database migrated once, from which each test's is copied."""
    if importlib.util.find_spec("ft.sql.migrate") is None:
        yield None
        return
    from ft.sql.migrate import migrate

    name = f"ft_template_{secrets.token_hex(6)}"
    admin = servers["FT_POSTGRES"]
    _create(admin, name, template=None)
    url = _at(admin, name)
    home = tmp_path_factory.mktemp("ft-template")
    migrate(url, Config(home=home, cache=download_cache(), addresses={**servers, "FT_POSTGRES": url}))
    yield name
    drop_database(admin, name)


def download_cache() -> Path:
    """Where server archives are kept between sessions."""
    return Path(os.environ.get("FT_CACHE") or CHECKOUT / ".ft" / "cache")


def _docker_answers() -> bool:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    where = urlsplit(host)
    try:
        if where.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as engine:
                engine.settimeout(5)
                engine.connect(where.path)
        else:
            socket.create_connection((where.hostname or "", where.port or 2375), timeout=5).close()
    except OSError:
        return False
    return True


def _create(admin: str, name: str, *, template: str | None) -> None:
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template))
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(statement)
        if template is not None:
            grant_database(connection, name)


def _at(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()
