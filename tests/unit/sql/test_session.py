"""A process that stops amid a transaction keeps nobody waiting: Postgres ends its session."""

import ast
from pathlib import Path

import pytest

from tests.unit.pages import CHECKOUT

ROOMS = ("agents", "api", "ft", "sql", "streams")


def options() -> list[tuple[str, str]]:
    """(file, text) of every text that sets how long a session may wait for locks."""
    found = []
    for path in sorted(path for room in ROOMS for path in (CHECKOUT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "-c lock_timeout" in node.value:
                found.append((str(path.relative_to(CHECKOUT)), node.value))
    return found


def test_there_are_such_sessions() -> None:
    assert {Path(file).name for file, _ in options()} >= {"session.py", "hashes.py", "bare.py", "recount.py"}


@pytest.mark.parametrize(("file", "text"), options())
def test_every_session_that_takes_locks_ends_where_its_process_stops(file: str, text: str) -> None:
    assert "-c idle_in_transaction_session_timeout=" in text, file
