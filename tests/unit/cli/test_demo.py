"""Which chain the demo shows, by its options and the environment."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ft.cli.demo import command

LIVE = "http://live.example/k3yOfAProvider"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What the demo was asked to show."""
    seen: list[Any] = []
    monkeypatch.setattr("ft.demo.run.demo", lambda _, **asked: seen.append(asked["chosen"]))
    monkeypatch.setenv("FT_HOME", str(tmp_path))
    return seen


@pytest.mark.parametrize(
    ("words", "slug", "urls"),
    [
        (["--network", "polygon"], "polygon", (LIVE,)),
        (["--rpc", "http://given"], "polygon", ("http://given",)),
        (["--network", "base", "--rpc", "http://given"], "base", ("http://given",)),
    ],
)
def test_a_live_network_is_read_from_the_nodes_that_are_named_for_it(
    words: list[str], slug: str, urls: tuple[str, ...], shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_RPC_POLYGON", LIVE)
    ran = CliRunner().invoke(command, words, catch_exceptions=False)

    assert ran.exit_code == 0, ran.output
    ((network, found),) = shown
    assert (network.slug, found) == (slug, urls)


def test_without_a_choice_the_recorded_chain_is_shown_whatever_the_environment_names(
    shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_RPC_POLYGON", LIVE)
    CliRunner().invoke(command, [], catch_exceptions=False)

    assert shown == [None]


def test_a_network_without_a_node_says_where_one_is_named(shown: list[Any]) -> None:
    with pytest.raises(Exception, match="Set FT_RPC_BASE, give --rpc-file or --rpc"):
        CliRunner().invoke(command, ["--network", "base"], catch_exceptions=False)

    assert shown == []
