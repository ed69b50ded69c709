"""Servers that ask for a login, with certificates made for this run."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import pytest

from ft.config import ADDRESSES, Config
from tests.certificates import Authority
from tests.integration.access.broker import StrictKafka
from tests.integration.access.database import StrictPostgres
from tests.integration.access.guarded import Guarded

S = TypeVar("S", StrictKafka, StrictPostgres)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "a stranger")


def started(kind: type[S], folders: pytest.TempPathFactory, authority: Authority) -> Iterator[S]:
    """A server with a certificate of the authority, in a folder that only its owner may enter."""
    folder = folders.mktemp(kind.name)
    folder.chmod(0o700)
    server = kind(folder, authority)
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[StrictKafka]:
    yield from started(StrictKafka, tmp_path_factory, authority)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[StrictPostgres]:
    yield from started(StrictPostgres, tmp_path_factory, authority)


@pytest.fixture
def registry(config: Config, authority: Authority) -> Iterator[Guarded]:
    with Guarded(config.schema_registry, authority.certify("registry", ["127.0.0.1"])) as guarded:
        yield guarded


def at(config: Config, **settings: str) -> Config:
    """The same deployment with other settings of its servers; a server that is named anew keeps none of its own."""
    named = tuple(name for name in ADDRESSES if name in settings)
    kept = {name: value for name, value in config.addresses.items() if not name.startswith(named or "-")}
    return replace(config, addresses={**kept, **settings})
