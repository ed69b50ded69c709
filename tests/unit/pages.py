"""The project's pages, and what is in them: code blocks, tables, links."""

import re
from functools import cache
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    [CHECKOUT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "deploy/README.md")]
    + [*(CHECKOUT / "docs").rglob("*.md")]
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    """The text of a page under docs/."""
    return (CHECKOUT / "docs" / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    return [body for marked, body in _BLOCK.findall(text) if marked == language]


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _BLOCK.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    level = re.escape(heading.split(" ")[0])
    found = re.search(rf"^{re.escape(heading)}$\n(.*?)(?=^{level} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row but headings and rules."""
    lines = text.splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for at, line in enumerate(lines)
        if line.startswith("|") and set(line) - set("|- ") and not _is_rule(lines[at + 1 : at + 2])
    ]


def names(text: str) -> list[str]:
    """The first cell of every row, without backticks."""
    return [row[0].strip("`") for row in rows(text)]


@cache
def examples(name: str) -> dict[str, Any]:
    """What the Python blocks of a page under docs/ define."""
    defined: dict[str, Any] = {}
    for body in blocks(page(name), "python"):
        exec(compile(body, name, "exec"), defined)
    return defined


def _is_rule(following: list[str]) -> bool:
    return bool(following) and following[0].startswith("|-")
