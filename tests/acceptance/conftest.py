"""A pipeline a test file, on a database, topics and a home of its own, for the networks that the file names."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from ft import children
from ft.config import Config
from tests.acceptance.chains import LiveChain
from tests.acceptance.pipeline import Pipeline, networks_file
from tests.conftest import download_cache
from tests.devnet.contracts import Devnet
from tests.devnet.node import Anvil

Chains = Callable[..., LiveChain]


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
        children.wait_for(lambda: _dropped(admin, name), f"database {name} to be dropped", timeout_s=30)


def _dropped(admin: str, name: str) -> bool:
    with psycopg.connect(admin, autocommit=True) as conn:
        try:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:  # autovacuum is at work there: it cannot be sent away
            return False
    return True
