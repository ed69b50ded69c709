"""Homes of embedded servers, each in a folder that only its owner may enter."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ft import embedded
from ft.config import Config
from tests.deployments import download_cache

Ft = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Config]]:
    """Makes configurations of new homes; what was started there is stopped and deleted at the end."""
    made: list[Config] = []

    def make(**addresses: str) -> Config:
        closed = tmp_path_factory.mktemp("closed")
        closed.chmod(0o700)
        made.append(Config(home=closed / "ft", cache=download_cache(), addresses=addresses))
        return made[-1]

    yield make
    for config in made:
        embedded.remove(config)


@pytest.fixture(scope="session")
def home(new_home: Callable[..., Config]) -> Config:
    """One home for every test here; a test starts what it needs and may kill anything."""
    return new_home()


@pytest.fixture
def running(home: Config) -> Config:
    """The home with all three servers up and every address known."""
    return embedded.start(home)


@pytest.fixture
def ft(home: Config) -> Ft:
    """Runs the command line on the home, or on another one."""

    def run(*words: str, at: Path = home.home, **env: str) -> "subprocess.Popen[str]":
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FT_")}
        return subprocess.Popen(
            [sys.executable, "-c", "from ft.cli import main; main()", *words],
            env={**inherited, "FT_HOME": str(at), "FT_CACHE": str(home.cache), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run
