"""Where a network's nodes are named, and that no message shows them."""

from dataclasses import replace
from pathlib import Path

import pytest

from ft.access.node_urls import from_environment
from ft.config import Config
from ft.errors import ConfigError
from ft.networks import load_networks
from ft.providers import providers_of, read_file, require_http, require_known, variable

AMOY = replace(load_networks()["polygon"], slug="polygon-amoy", rpc_urls=("https://own",))
NAME = "FT_RPC_POLYGON_AMOY"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "nodes"
    found.write_text("# the paid one first\nhttps://paid.example/k3y\n\n  wss://paid.example/k3y  \n")
    return found


def test_the_command_line_goes_before_the_environment_and_the_environment_before_the_networks_file(file: Path) -> None:
    environ = from_environment({NAME: "https://a, https://b  wss://c", "FT_RPC_ETHEREUM": "https://e"})

    assert providers_of(AMOY, ("https://given",), file, environ) == (
        "https://given", "https://paid.example/k3y", "wss://paid.example/k3y",
    )  # fmt: skip
    assert providers_of(AMOY, (), file, environ)[0] == "https://paid.example/k3y"
    assert providers_of(AMOY, (), None, environ) == ("https://a", "https://b", "wss://c")
    assert providers_of(AMOY, (), None, {}) == ("https://own",)


def test_children_find_the_nodes_of_the_environment() -> None:
    config = Config.from_env({NAME: "https://a/k3y", "FT_RPC_ETHEREUM": ""})

    assert config.environ()[NAME] == "https://a/k3y"
    assert "FT_RPC_ETHEREUM" not in config.environ()


@pytest.mark.parametrize("text", ["node.example/k3y", "ftp://node.example/k3y", "https://a b"])
def test_what_is_no_url_is_told_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "nodes").write_text(f"https://a\n{text}\n")
    with pytest.raises(ConfigError, match=r"nodes, line 2: expected a URL that begins with http://") as in_file:
        read_file(tmp_path / "nodes")
    with pytest.raises(ConfigError, match="--rpc: expected a URL") as given:
        providers_of(AMOY, (text,), None, {})

    assert "k3y" not in f"{in_file.value} {given.value}"


def test_a_bad_url_in_the_environment_is_told_by_its_variable() -> None:
    with pytest.raises(ConfigError, match="FT_RPC_BASE: expected a URL") as caught:
        Config.from_env({"FT_RPC_BASE": "https://a,node/k3y"})

    assert "k3y" not in str(caught.value)


def test_a_bad_url_in_the_networks_file_is_told_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "networks.toml"
    file.write_text('[mine]\nchain_id = 1\nrpc_urls = ["https://a", "node/k3y"]\n')
    with pytest.raises(ConfigError, match="'mine': rpc_urls, number 2: expected a URL") as caught:
        load_networks(file)

    assert "k3y" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"), [(b"# none\n", "got none"), (b"\xff\xfe", "not UTF-8"), (None, "No such")]
)
def test_a_file_without_nodes_is_told(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "nodes"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"--rpc-file: .*{told}"):
        read_file(file)


def test_a_network_without_a_node_to_ask_says_where_one_is_named() -> None:
    with pytest.raises(ConfigError, match=f"got none. Set {NAME}, give --rpc-file or --rpc"):
        require_http(AMOY, ())
    with pytest.raises(ConfigError, match="got 1 that only tell of new heads") as caught:
        require_http(AMOY, ("wss://node.example/k3y",))

    assert "k3y" not in str(caught.value)


def test_a_variable_that_names_no_network_is_told() -> None:
    require_known({NAME: "https://a"}, ["polygon-amoy", "polygon"])
    with pytest.raises(ConfigError, match="FT_RPC_POLYGN: expected FT_RPC_ and a network in capitals"):
        require_known({"FT_RPC_POLYGN": "https://a"}, ["polygon"])


def test_every_built_in_network_has_a_variable_of_its_own() -> None:
    networks = load_networks(None)

    assert len({variable(slug) for slug in networks}) == len(networks)
