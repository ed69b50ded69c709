"""A pipeline a test file, on a database, topics and a home of its own, for the networks that the file names."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from ft.config import Config
from ft.sql.databases import drop_database
from tests.acceptance.chains import LiveChain
from tests.acceptance.faults.world import SESSION_TIMEOUT_S, World
from tests.acceptance.hostile.lives import Databases
from tests.acceptance.pipeline import Pipeline, networks_file
from tests.conftest import download_cache
from tests.devnet.contracts import Devnet
from tests.devnet.node import Anvil

Chains = Callable[..., LiveChain]


@pytest.fixture
def world(config: Config, tmp_path: Path) -> Iterator[World]:
    """A deployment with one synthetic network, and six-second sessions."""
    made = World(replace(config, networks_file=tmp_path / "networks.toml", session_timeout_s=SESSION_TIMEOUT_S))
    yield made
    made.close()


@pytest.fixture
def databases(world: World) -> Iterator[Databases]:
    """Others beside its own."""
    made = Databases(world.config, [])
    yield made
    made.drop()


@pytest.fixture(scope="module")
def pipeline(
    servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Pipeline]:
    """Running; its networks are the built-in ones and the file's ``NETWORKS``."""
    folder = tmp_path_factory.mktemp("pipeline")
    with deployment(servers, folder, request.module.NETWORKS) as fresh:
        fresh.start()
        yield fresh


@pytest.fixture
def live(pipeline: Pipeline) -> Iterator[Chains]:
    """A chain by the name of its network, with a node of its own; options go to the node."""
    with ExitStack() as stack:

        def start(network: str, **options: int) -> LiveChain:
            node = stack.enter_context(Anvil(**options))  # type: ignore[arg-type]
            return LiveChain(pipeline, network, node, Devnet(node))

        yield start


@contextmanager
def deployment(servers: Mapping[str, str], folder: Path, networks: tuple[str, ...]) -> Iterator[Pipeline]:
    """A deployment with a fresh database, not started; stopped and dropped afterwards."""
    name = f"ft_acceptance_{secrets.token_hex(4)}"
    admin = servers["FT_POSTGRES"]
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    config = Config(
        home=folder / "home",
        cache=download_cache(),
        addresses={**servers, "FT_POSTGRES": urlsplit(admin)._replace(path=f"/{name}").geturl()},
        topic_prefix=f"a{secrets.token_hex(4)}.",
        networks_file=networks_file(folder, networks),
        log_format="json",
    )
    made = Pipeline(config)
    try:
        yield made
    finally:
        made.stop()
        drop_database(admin, name)


@pytest.fixture
def worker(pipeline: Pipeline) -> None:
    """One is running, whatever the test before has done to its own."""
    if not pipeline.workers:
        pipeline.start_worker()
