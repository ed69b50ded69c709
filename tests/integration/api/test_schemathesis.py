"""The API, served, against its own OpenAPI document: schemathesis, as run in the checkout, finds nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ft.config import Config
from tests import api_process
from tests.integration.api.world import World, address

CHECKOUT: Final = Path(__file__).resolve().parents[3]
RUNS_S: Final = 500.0
EXAMPLES: Final = 12
"""Of each operation, beside those that cover its parameters one by one."""


@pytest.fixture
def url(config: Config, world: World) -> Iterator[str]:
    """Where an API process answers of two collections."""
    for contract in (address(0xC0), address(0xC1)):
        for token in range(5):
            world.mint(contract, token, address(0xA0 + token), 10 + token)
    world.heads(30, safe=20, finalized=10)
    where, api = api_process.start(config)
    yield where
    api.stop()


@pytest.mark.timeout(RUNS_S + api_process.STARTS_S)
def test_what_the_document_describes_is_answered_as_it_says_and_nothing_else_is(url: str) -> None:
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/schema/openapi.json"),
        *("--continue-on-failure", "--generation-deterministic", "--max-examples", str(EXAMPLES), "--no-color"),
    ]
    environ = {name: value for name, value in os.environ.items() if name != "SCHEMATHESIS_HOOKS"}

    done = subprocess.run(
        command, cwd=CHECKOUT, env=environ, capture_output=True, text=True, timeout=RUNS_S, check=False
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Tested: 14" in done.stdout
