"""ft status goes on to the pipeline as long as any server runs, and says what it misses."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from ft import embedded
from ft.cli import status, status_pipeline
from ft.embedded import ServerStatus

Shown = Callable[..., bool]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Whether the pipeline is shown, with these states of Kafka, Postgres and the registry."""

    def run(*states: str) -> bool:
        found: list[Any] = []
        servers = [
            ServerStatus(
                name=name, state=state, address="", pid=None, version="", data=None, memory_bytes=None, log=None
            )
            for name, state in zip(("kafka", "postgres", "registry"), states, strict=True)
        ]
        monkeypatch.setattr(embedded, "describe", lambda _: servers)
        monkeypatch.setattr(status_pipeline, "show", lambda *args: found.append(args))
        assert CliRunner().invoke(status.command, []).exit_code == 0
        return bool(found)

    return run


def test_a_server_that_is_down_hides_nothing_of_what_the_others_tell(shown: Shown) -> None:
    assert shown("stopped", "running", "running")
    assert shown("running", "stopped", "running")
    assert shown("external", "external", "stopped")


def test_where_nothing_runs_nothing_is_missed(shown: Shown) -> None:
    assert not shown("stopped", "stopped", "stopped")
