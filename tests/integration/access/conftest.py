"""Servers that ask for a login, with certificates made for this run."""

from collections.abc import Iterator

import pytest

from tests.certificates import Authority
from tests.integration.access.broker import StrictKafka


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "a stranger")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[StrictKafka]:
    folder = tmp_path_factory.mktemp("kafka")
    folder.chmod(0o700)
    broker = StrictKafka(folder, authority)
    broker.start()
    yield broker
    broker.end()
