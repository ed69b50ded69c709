"""``ft demo`` as a newcomer runs it: on the recorded chain, and on a live node."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ft.children import FT, environment
from ft.config import Config
from ft.demo import stage
from tests.conftest import download_cache
from tests.devnet.contracts import Devnet
from tests.devnet.node import Anvil


@pytest.fixture
def demo_config(servers: Mapping[str, str], tmp_path: Path) -> Iterator[Config]:
    config = Config(home=tmp_path / "home", cache=download_cache(), addresses=servers)
    yield config
    stage.stop_api(config)


def demo(config: Config, *options: str) -> str:
    """Run it to its end, which must be a success; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *FT, "demo", *options],
        env=environment(config) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_recorded_chain_comes_out_as_its_contracts_say(demo_config: Config) -> None:
    said = demo(demo_config)

    assert "every balance is as the contracts say" in said
    assert said.count("reorg undone") == 3


def test_a_live_nodes_newest_blocks_are_shown_and_owners_compared(demo_config: Config) -> None:
    with Anvil() as node:
        devnet = Devnet(node)
        apes = devnet.erc721()
        for account in devnet.accounts[1:4]:
            apes.mint(account)

        said = demo(demo_config, "--rpc", node.rpc_url, "--network", "devnet")

    assert apes.address in said
    assert "3 of 3 agree" in said


def test_a_network_without_a_node_is_refused_with_the_option_that_is_missing(demo_config: Config) -> None:
    with pytest.raises(AssertionError, match="--network needs --rpc"):
        demo(demo_config, "--network", "polygon")
