"""Servers and databases for tests: always a real broker, a real Postgres and a real registry.

In this order: what the environment names; containers, where a Docker engine answers; else the embedded servers, in a
home of their own, started once for all processes of pytest.
"""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from ft.config import ADDRESSES, SERVERS, Config
from ft.sql.migrate import migrate
from tests import memory
from tests.deployments import deployment, download_cache, name_of
from tests.recordings import recording
from tests.sharing import embedded_servers

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
memory.prefer()
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
    with embedded_servers(named, _folder(tmp_path_factory), download_cache()) as addresses:
        yield addresses


def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this run of pytest."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def config(servers: Mapping[str, str], template: str, tmp_path: Path) -> Iterator[Config]:
    """A configuration of these servers with a fresh database that is migrated, fresh topics and a home of its own."""
    with deployment(servers, tmp_path / "home", template=template) as made:
        yield made


@pytest.fixture
def database(config: Config) -> str:
    """The URL of its database."""
    return config.postgres


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of recorded chain data, which is no part of the project."""
    return recording()


@pytest.fixture(scope="session")
def template(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database migrated once, from which each test's is copied."""
    with deployment(servers, tmp_path_factory.mktemp("ft-template")) as config:
        migrate(config.postgres, config)
        yield name_of(config.postgres)


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
