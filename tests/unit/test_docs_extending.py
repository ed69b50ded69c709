"""docs/extending.md: each list names the files that the addition touches, and no others."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.unit.pages import CHECKOUT, page, section

CODE: Final = ("agents", "api", "schemas", "sql", "streams", "ft")
_PATH: Final = re.compile(r"^- `([^`]+)`", re.MULTILINE)


def listed(heading: str) -> set[str]:
    return set(_PATH.findall(section(page("extending.md"), heading)))


def naming(pattern: str, *suffixes: str, under: str = "") -> set[str]:
    """Files of the code that say a word, comments and docstrings aside; of one folder, if one is named."""
    found = set[str]()
    for folder in [under] if under else CODE:
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


def test_an_endpoint_is_in_its_folder_and_in_the_application() -> None:
    folder = {f"api/networks/{path.name}" for path in (CHECKOUT / "api/networks").glob("[a-z]*.py")}
    files = listed("## An endpoint")

    assert naming(r"ft\.api\.networks", ".py") - folder == {"api/main.py"}
    assert files == folder | {"api/main.py", "docs/api.md"}
    assert "`/api/v1/networks`" in page("api.md")


@pytest.mark.parametrize("resource", ["networks", "owners", "status", "transfers", "collections"])
def test_a_resource_is_known_to_the_application_and_to_who_shows_its_answers(resource: str) -> None:
    known = naming(rf"ft\.api\.{resource}", ".py") - naming(r"", ".py", under=f"api/{resource}")

    assert known - {"api/assets/routes.py", "ft/cli/status_attention.py"} == {"api/main.py"}


def test_every_file_of_a_list_is_there() -> None:
    headings = ("## A token standard", "## An EVM network", "## A network family", "## An endpoint")

    assert [path for heading in headings for path in listed(heading) if not (CHECKOUT / path).is_file()] == []
