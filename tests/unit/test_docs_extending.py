"""docs/extending.md: each list names the files that the addition touches, and no others."""

import re
from pathlib import Path
from typing import Final

from tests.unit.pages import CHECKOUT, page, section

CODE: Final = ("agents", "api", "schemas", "sql", "streams", "ft")
_PATH: Final = re.compile(r"^- `([^`]+)`", re.MULTILINE)


def listed(heading: str) -> set[str]:
    return set(_PATH.findall(section(page("extending.md"), heading)))


def naming(pattern: str, *suffixes: str) -> set[str]:
    """Files of the code that say a word, comments and docstrings aside."""
    found = set[str]()
    for folder in CODE:
        for path in (CHECKOUT / folder).rglob("*"):
            if path.suffix in suffixes and not path.is_symlink() and re.search(pattern, code_of(path)):
                found.add(str(path.relative_to(CHECKOUT)))
    return found


def code_of(path: Path) -> str:
    text = re.sub(r'"""[\s\S]*?"""', "", path.read_text())
    return re.sub(r"#.*", "", text)


def test_a_standard_is_in_the_files_of_its_list() -> None:
    files = listed("## A token standard")

    assert naming("erc404", ".py", ".sql") - {"agents/decode/echoes.py"} == files - {"docs/standards.md"}
    assert "erc404" in page("standards.md")


def test_a_network_is_in_the_files_of_its_list() -> None:
    assert naming("cronos", ".py", ".sql", ".toml") | {"docs/networks.md"} == listed("## An EVM network")
    assert "`cronos`" in page("networks.md")


def test_a_family_is_in_the_files_of_its_list() -> None:
    default = {"streams/worker/chain_reader/domain.py"}  # which families a reader reads if it does not say

    assert naming('"evm"', ".py") - default == listed("## A network family")


def test_every_file_of_a_list_is_there() -> None:
    headings = ("## A token standard", "## An EVM network", "## A network family")

    assert [path for heading in headings for path in listed(heading) if not (CHECKOUT / path).is_file()] == []
