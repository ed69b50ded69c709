"""Rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# They acknowledge in `finally`: a batch whose body raised is lost.
LOSING = {"take", "take_events", "take_with_timestamp"}


def _losing_calls(source: str) -> list[int]:
    """Lines where a stream is taken from: what an async loop runs over, or what is called a stream."""
    nodes = list(ast.walk(ast.parse(source)))
    iterated = {id(node.iter) for node in nodes if isinstance(node, ast.AsyncFor | ast.comprehension)}
    return [
        node.lineno
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOSING
        and (id(node) in iterated or "stream" in ast.unparse(node.func.value).lower())
    ]


@pytest.mark.parametrize("room", ["agents", "streams"])
def test_no_stream_acknowledges_what_failed(room: str) -> None:
    found = {str(path): lines for path in (CHECKOUT / room).rglob("*.py") if (lines := _losing_calls(path.read_text()))}

    assert found == {}


@pytest.mark.parametrize(
    "line",
    ["async for batch in s.take(100, within=1): ...", "batches = stream.take_events(100)", "self.stream.take(1)"],
)
def test_the_rule_sees_a_losing_call(line: str) -> None:
    assert _losing_calls(f"async def agent(s, stream):\n    {line}") == [2]


@pytest.mark.parametrize("line", ["async for batch in s.noack_take(100, within=1): ...", "await bucket.take(3)"])
def test_the_rule_leaves_other_calls_alone(line: str) -> None:
    assert _losing_calls(f"async def agent(s, bucket):\n    {line}") == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-run.lock"])
def test_a_lock_pins_every_package_by_hash_and_names_no_index(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    packages = re.split(r"\n(?=\S)", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    pinned = [package for package in packages if package.strip()]

    assert pinned
    assert [package for package in pinned if "==" not in package or "--hash=sha256:" not in package] == []
    assert not re.search(r"://|--index|--find-links", text)
