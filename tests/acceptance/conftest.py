"""A pipeline a test file, on a database, topics and a home of its own, for the networks that the file names."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from tests.acceptance.chains import LiveChain
from tests.acceptance.faults.world import SESSION_TIMEOUT_S, World
from tests.acceptance.hostile.lives import Databases
from tests.acceptance.pipeline import Pipeline, networks_file
from tests.deployments import deployment
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
    with ExitStack() as stack:
        yield Databases(world.config, stack)


@pytest.fixture(scope="module")
def pipeline(
    servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Pipeline]:
    """Running; its networks are the built-in ones and the file's ``NETWORKS``."""
    folder = tmp_path_factory.mktemp("pipeline")
    with pipeline_of(servers, folder, request.module.NETWORKS) as fresh:
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
def pipeline_of(servers: Mapping[str, str], folder: Path, networks: tuple[str, ...]) -> Iterator[Pipeline]:
    """A deployment with a fresh database, not started; stopped and deleted afterwards."""
    file = networks_file(folder, networks)
    with deployment(servers, folder / "home", networks_file=file, log_format="json") as config:
        made = Pipeline(config)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def worker(pipeline: Pipeline) -> None:
    """One is running, whatever the test before has done to its own."""
    if not pipeline.workers:
        pipeline.start_worker()
