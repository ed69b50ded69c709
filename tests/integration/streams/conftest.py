"""A registry that may lose its data: one for all tests of a file."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from ft.config import Config
from tests.integration.streams.own_registry import OwnRegistry


@pytest.fixture(scope="module")
def own(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRegistry]:
    """Running. It does not remember what is in its store: that may be emptied while it runs."""
    registry = OwnRegistry(tmp_path_factory.mktemp("registry"), servers["FT_POSTGRES"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APICURIO_STORAGE_CONTENT_CACHE_ENABLED", "false")
        registry.start()
        yield registry
    registry.remove()


@pytest.fixture
def with_own(config: Config, own: OwnRegistry) -> Config:
    """These servers, with that registry, which is empty."""
    own.empty()
    return at(config, own.url)


def at(config: Config, registry: str) -> Config:
    """The same with another registry."""
    return replace(config, addresses={**config.addresses, "FT_SCHEMA_REGISTRY": registry})
