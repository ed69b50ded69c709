"""``ft demo`` as a newcomer runs it: on the recorded chain, and on a live node."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from ft.children import FT, environment
from ft.config import Config
from ft.demo import stage
from tests.deployments import download_cache
from tests.devnet.contracts import Devnet
from tests.devnet.node import Anvil


@pytest.fixture
def demo_config(servers: Mapping[str, str], tmp_path: Path) -> Iterator[Config]:
    config = Config(home=tmp_path / "home", cache=download_cache(), addresses=servers)
    yield config
    stage.stop_api(config)


def demo(config: Config, *options: str) -> tuple[str, float]:
    """Run it to its end, which must be a success; what it printed, and its longest silence between two lines."""
    command = [sys.executable, *FT, "demo", *options]
    environ = environment(config) | {"COLUMNS": "200"}
    lines, times = [], []
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        late = threading.Timer(200, process.kill)
        late.start()
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            times.append(time.monotonic())
        late.cancel()
    said = "".join(lines)
    assert process.returncode == 0, said
    return said, max(after - before for before, after in pairwise(times))


def test_the_recorded_chain_comes_out_as_its_contracts_say_and_nobody_waits_in_silence(demo_config: Config) -> None:
    elsewhere = replace(demo_config, rpc={"FT_RPC_MY_OWN": "http://127.0.0.1:1"})
    said, silence_s = demo(elsewhere)

    assert "every balance is as the contracts say" in said
    assert said.count("reorg undone") == 3
    assert silence_s < 3


def test_a_live_nodes_newest_blocks_are_shown_and_owners_compared(demo_config: Config) -> None:
    with Anvil() as node:
        devnet = Devnet(node)
        apes = devnet.erc721()
        for account in devnet.accounts[1:4]:
            apes.mint(account)

        said, _ = demo(replace(demo_config, rpc={"FT_RPC_DEVNET": node.rpc_url}), "--network", "devnet")
        node.mine(40)
        nothing, _ = demo(demo_config, "--rpc", node.rpc_url, "--network", "devnet")

    assert apes.address in said
    assert "3 of 3 agree" in said
    assert re.search(r"no NFT moved in blocks \d+ to \d+", nothing)
    assert "what moved most" not in nothing


def test_a_network_without_a_node_is_refused_with_the_setting_that_is_missing(demo_config: Config) -> None:
    with pytest.raises(AssertionError, match="Set FT_RPC_POLYGON"):
        demo(demo_config, "--network", "polygon")
