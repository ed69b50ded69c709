"""The pages say what the code does: links, commands, settings, networks, metrics, standards, paths."""

import ast
import re
from pathlib import Path

import pytest
from click import Command, Context, Group
from click.testing import CliRunner
from prometheus_client import Gauge

from ft.access import kafka_security, registry_security
from ft.agents.decode import erc2309
from ft.agents.decode.transactions import ROOT, TYPE
from ft.api.http.middleware import ApiMetrics
from ft.cli import commands
from ft.config import ADDRESSES, Config
from ft.contracts import LAYOUTS
from ft.networks import Mark, Network, load_networks
from ft.streams.ingest.limiting import LIMITS
from ft.streams.kafka.topics import RECORD_BYTES_MAX, Topics
from ft.streams.worker.chain_reader.sender import SLICE_BYTES_MAX
from ft.telemetry import metrics
from tests.unit.pages import CHECKOUT, PAGES, blocks, names, page, prose, rows, section

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(
    r"(?:^|&& |\$\(|bin/|compose exec \w+ |compose run --rm \w+ )ft ([a-z][a-z-]*)([^\n&#|)]*)", re.MULTILINE
)
_FILE = re.compile(r"`((?:[a-z_]+/)+[\w.-]+\.(?:py|sql|avsc|toml|yml|yaml|json|md))`")
ROOMS = {"agents", "api", "deploy", "docs", "ft", "schemas", "sql", "streams", "tests"}


def short(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_every_link_leads_somewhere(path: Path) -> None:
    dead = []
    for link in _LINK.findall(prose(path.read_text())):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors(there.read_text())):
            dead.append(link)

    assert dead == []


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_every_file_that_a_page_names_exists(path: Path) -> None:
    named = [name for name in _FILE.findall(path.read_text()) if name.split("/")[0] in ROOMS]

    assert [name for name in named if not (CHECKOUT / name).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_every_command_and_option_that_a_page_names_exists(path: Path) -> None:
    assert isinstance(commands, Group)
    wrong = []
    for name, rest in _COMMAND.findall(code(path.read_text())):
        command = commands.get_command(Context(commands), name)
        options = set(re.findall(r"--[a-z][a-z-]*", rest))
        if command is None or options - known_options(command):
            wrong.append(f"ft {name}{rest}")

    assert wrong == []


def code(text: str) -> str:
    """Everything that may be a command: shell blocks and code in a line, a line each."""
    return "\n".join([*blocks(text, "sh"), *re.findall(r"`([^`\n]+)`", prose(text))])


def known_options(command: Command) -> set[str]:
    """Of a group: its own, and those of its commands."""
    own = {"--help"} | {option for parameter in command.params for option in parameter.opts}
    below = command.commands.values() if isinstance(command, Group) else ()
    return own.union(*map(known_options, below))


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_every_python_example_compiles(path: Path) -> None:
    for body in blocks(path.read_text(), "python"):
        compile(body, short(path), "exec")


def test_the_guide_to_a_domain_shows_what_the_samples_are() -> None:
    def lines(text: str) -> str:
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())

    samples = ("tests/sample_domain/__init__.py", "tests/sample_reader.py")
    sample = "\n".join(lines((CHECKOUT / path).read_text()) for path in samples)
    shown = blocks((CHECKOUT / "docs" / "adding-a-domain.md").read_text(), "python")

    assert len(shown) >= 5
    assert [block for block in shown if lines(block) not in sample] == []


def test_every_command_is_in_the_table_of_operating() -> None:
    assert isinstance(commands, Group)
    listed = set(names(section(page("operating.md"), "## Start order")))

    assert {name.removeprefix("ft ") for name in listed} == set(commands.list_commands(Context(commands)))


def test_every_command_is_summed_up_in_a_sentence() -> None:
    assert isinstance(commands, Group)
    listed = CliRunner().invoke(commands, ["--help"], terminal_width=200).output.split("Commands:\n")[1]

    assert [line for line in listed.splitlines() if not re.match(r"  [a-z-]+ +[A-Z].*\.$", line)] == []


def test_every_setting_is_described_as_the_code_describes_it() -> None:
    listed = {row[0].strip("`"): row[1] for row in rows(section(page("operating.md"), "## Settings"))}
    described = settings()

    assert {name: listed.get(name) for name in described} == described
    assert set(listed) == set(described) | set(ADDRESSES)


@pytest.mark.parametrize(
    ("module", "heading", "known"),
    [
        ("access/kafka_security.py", "## Kafka", kafka_security.VARIABLES),
        ("access/registry_security.py", "## Schema registry", registry_security.VARIABLES),
    ],
)
def test_every_setting_of_a_login_is_described_as_the_code_describes_it(
    module: str, heading: str, known: frozenset[str]
) -> None:
    listed = {row[0].strip("`"): row[1] for row in rows(section(page("logins.md"), heading))}

    assert listed == settings(module)
    assert {name.removesuffix("_FILE") for name in known} == {name.removesuffix("_FILE") for name in listed}


def test_every_variable_that_a_configuration_hands_on_is_described() -> None:
    listed = set(names(section(page("operating.md"), "## Settings")))
    handed_on = set(Config(home=Path("h"), cache=Path("c"), addresses=dict.fromkeys(ADDRESSES, "x")).environ())

    assert handed_on <= listed


def settings(file: str = "config.py") -> dict[str, str]:
    """Variable -> meaning, from the docstrings of the fields of a class of settings."""
    module = ast.parse((CHECKOUT / "ft" / file).read_text())
    (config,) = (node for node in module.body if isinstance(node, ast.ClassDef))
    found = {}
    for node in config.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = " ".join(str(node.value.value).replace("``", "`").split())
            if variable := re.match(r"`((?:FT|OTEL)_[\w<>]+)`(?: \(or `..._FILE`\))?: (.*)", text):
                found[variable[1]] = variable[2]
    return found


def test_every_built_in_network_is_in_the_table() -> None:
    expected = [
        [f"`{n.slug}`", str(n.chain_id), shown(n.confirmed), shown(n.finalized), n.proof]
        for n in load_networks().values()
    ]

    assert rows(page("networks.md").split("## Your own")[0]) == expected


def shown(mark: Mark) -> str:
    return str(mark.depth) if mark.tag is None else f"`{mark.tag}`, else {mark.depth}"


def test_the_example_of_a_network_loads_and_shows_every_key(tmp_path: Path) -> None:
    (example,) = blocks(page("networks.md"), "toml")
    (tmp_path / "networks.toml").write_text(example)

    network = load_networks(tmp_path / "networks.toml")["amoy"]

    assert network.finalized == Mark(tag="finalized", depth=256)
    assert network.confirmed == Mark(tag=None, depth=16)
    assert len(network.rpc_urls) == 3
    assert [each.layout for each in network.contracts.values()] == ["id_in_data"]
    keys = set(Network.__dataclass_fields__) - {"slug", "confirmed", "finalized", "marketplaces", "contracts"}
    assert [key for key in keys if not re.search(rf"^{key} = ", example, re.MULTILINE)] == []


def test_every_metric_is_described_and_no_other() -> None:
    worker = {gauge._name for gauge in vars(metrics).values() if isinstance(gauge, Gauge)}
    api = {family.name for family in ApiMetrics()._registry.collect()}
    listed = names(section(page("operating.md"), "## Metrics"))

    assert {name.removesuffix("_total") for name in listed} == {name.removesuffix("_total") for name in worker | api}


def test_everything_that_can_limit_an_ingestion_is_described_as_the_code_describes_it() -> None:
    listed = rows(section(page("operating.md"), "### Ingestion is slow"))

    assert {word.strip("`"): what for word, what in listed} == LIMITS


NEWCOMERS = ("stub", "journal", "lease", "slice", "in force")
"""Words that those who are new to ft have asked about."""
APART = ("glossary.md", "CHANGELOG.md")


def test_the_glossary_is_in_order_and_has_the_words_that_newcomers_ask_about() -> None:
    words = names(page("glossary.md"))

    assert words == sorted(words, key=str.lower)
    assert set(NEWCOMERS) <= set(words)


@pytest.mark.parametrize("path", [p for p in PAGES if p.name not in APART and p.parent.name != "decisions"], ids=short)
def test_a_page_that_uses_such_a_word_leads_to_the_glossary(path: Path) -> None:
    used = [word for word in NEWCOMERS if re.search(rf"\b{word}s?\b", prose(path.read_text()))]

    assert not used or "glossary.md)" in path.read_text(), f"{used} are not explained"


def test_a_help_text_that_uses_such_a_word_says_what_it_means() -> None:
    meaning = {
        "stub": "without metadata",
        "journal": "(every event that|(the ledger's events",
        "slice": "events in one partition)",
        "in force": "(those whose blocks count)",
        "lease": "lease (",
    }
    for path in sorted((CHECKOUT / "ft/cli").glob("*.py")):
        for help_text in _help_texts(path):
            for word in (word for word in NEWCOMERS if re.search(rf"\b{word}s?\b", help_text)):
                found = any(each in " ".join(help_text.split()) for each in meaning[word].split("|"))
                assert found, f"{short(path)}: {word} is not explained"


def _help_texts(path: Path) -> list[str]:
    """The docstrings of a module's commands."""
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [
        ast.get_docstring(each) or ""
        for each in functions
        if any("command" in ast.unparse(d) for d in each.decorator_list)
    ]


def test_every_topic_is_described() -> None:
    topics = Topics("")
    every = {*topics.records(["<network>"]), topics.deployment}

    assert set(names(page("consuming.md").split("## Frame")[0])) == every


def test_sizes_and_limits_are_those_of_the_code() -> None:
    standards = page("standards.md")

    assert f"longer than {erc2309.RANGE_IDS_MAX:,} ids" in " ".join(standards.split())
    assert f"past {erc2309.BLOCK_IDS_MAX:,};" in standards
    assert f"larger than {SLICE_BYTES_MAX >> 20} MiB" in standards
    assert f"{RECORD_BYTES_MAX >> 20} MiB" in page("operating.md")


def test_every_reason_of_quarantine_is_one_of_the_code() -> None:
    reader, ledger = "streams/worker/chain_reader", "agents/ledger"
    homes = (f"{reader}/fold.py", f"{reader}/sender.py", f"{ledger}/validated_input.py", f"{ledger}/posting.py")
    code = "".join((CHECKOUT / path).read_text() for path in homes)
    listed = names(section(page("standards.md"), "## Quarantined"))

    assert [reason for reason in listed if f'"{reason}"' not in code] == []


def test_every_contract_older_than_the_standard_is_listed() -> None:
    shipped = load_networks()["ethereum"].contracts
    found = [row for row in rows(section(page("standards.md"), "## Before the standards")) if len(row) == 4]

    assert [[cell.strip("`") for cell in row] for row in found] == [
        [address, each.name, each.layout, each.source] for address, each in shipped.items()
    ]


def test_every_layout_is_described() -> None:
    found = [row for row in rows(section(page("standards.md"), "## Before the standards")) if len(row) == 2]

    assert [row[0].strip("`") for row in found] == list(LAYOUTS)


def test_every_reason_of_a_creation_is_described() -> None:
    assert names(section(page("standards.md"), "## Created contracts")) == [ROOT, TYPE]


_LEFT_WORDS = {
    "floor", "belonging", "bundle", "bundles", "orphan", "harvest", "linking", "correcting", "pace", "handover",
    "misfit", "unfit", "minimum",
}  # fmt: skip
"""Names that a standard term has replaced: common ancestor, identity check, record batch, parent watchdog, ..."""


def test_no_module_class_or_function_has_a_name_that_a_standard_term_replaced() -> None:
    found = {
        f"{path.relative_to(CHECKOUT)}: {name}"
        for folder in ("agents", "api", "schemas", "sql", "streams", "ft")
        for path in (CHECKOUT / folder).rglob("*.py")
        if not path.is_relative_to(CHECKOUT / "ft" / folder)
        for name in (path.stem, *_defined(path))
        if _LEFT_WORDS & set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", name).lower()))
    }

    assert found == set()


def _defined(path: Path) -> set[str]:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def test_every_word_of_the_glossary_is_one_of_the_code() -> None:
    code = " ".join(
        " ".join(path.read_text().lower().replace("_", " ").split())
        for folder in ("agents", "api", "schemas", "sql", "streams")
        for path in (CHECKOUT / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".avsc") and not path.is_symlink()
    )
    words = [row[0] for row in rows(page("glossary.md")) if len(row) == 2]

    assert len(words) >= 40
    assert [word for word in words if word.lower() not in code] == []
