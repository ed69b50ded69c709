"""Queries by generation: ft's schemas under other names, and nothing else."""

from collections.abc import Iterator

import pytest

from ft.config import Config
from ft.errors import ConfigError
from ft.sql import queries
from ft.sql.queries import LIVE, load, named, schemas, use, words
from ft.streams.kafka.topics import Topics

GENERATION = "rebuild_x"


@pytest.fixture
def _served() -> Iterator[None]:
    yield
    use(LIVE)


def test_what_is_served_keeps_its_names() -> None:
    text = "SELECT * FROM ledger.events JOIN ingest.heads USING (network)"

    assert named(text, LIVE) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM ledger.events e", "FROM ledger_rebuild_x.events e"),
        ("INSERT INTO market.ownership_current AS o", "INSERT INTO market_rebuild_x.ownership_current AS o"),
        ("to_regclass('system.settings')", "to_regclass('system_rebuild_x.settings')"),
        ("format('CREATE TABLE ledger.%I', name)", "format('CREATE TABLE ledger_rebuild_x.%I', name)"),
        ("CREATE SCHEMA ref;", "CREATE SCHEMA ref_rebuild_x;"),
        (
            "GRANT USAGE ON SCHEMA ref, ingest,\n  ledger TO ft_writer",
            "GRANT USAGE ON SCHEMA ref_rebuild_x, ingest_rebuild_x,\n  ledger_rebuild_x TO ft_writer",
        ),
        ("o.consumer = 'ledger' AND e.market = 1", "o.consumer = 'ledger' AND e.market = 1"),
        ("SELECT projection, o.ledger.x FROM t", "SELECT projection, o.ledger.x FROM t"),
        ("FROM other_ledger.events", "FROM other_ledger.events"),
        ("SET LOCAL ROLE ft_migrate", "SET LOCAL ROLE ft_migrate"),
    ],
)
def test_schemas_and_only_schemas_are_named_anew(text: str, expected: str) -> None:
    assert named(text, GENERATION) == expected


def test_every_query_names_the_schemas_of_its_generation_only() -> None:
    live = [f"{schema}." for schema in schemas()]
    wrong = {
        f"{word}.sql {name}": [schema for schema in live if f" {schema}" in _statements(text)]
        for word in words()
        for name, text in load(word, GENERATION).items()
    }

    assert {name: found for name, found in wrong.items() if found} == {}


def _statements(text: str) -> str:
    """Without comments and texts."""
    return " ".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


@pytest.mark.usefixtures("_served")
def test_a_process_works_for_the_generation_that_it_said() -> None:
    use(GENERATION)

    assert "ledger_rebuild_x.events" in load("publish")["journal_rows"]
    assert "ledger.events" in load("publish", LIVE)["journal_rows"]


def test_without_a_word_a_process_works_for_what_is_served() -> None:
    assert queries._generation == LIVE


def test_a_generation_reads_the_raw_topics_and_has_the_others_for_itself() -> None:
    live, own = Topics("p."), Topics("p.", "rebuild_ledger_1f")

    assert own.raw("polygon") == live.raw("polygon") == "p.chain.polygon.raw"
    assert own.normalized == "p.rebuild.ledger.1f.ledger.normalized"
    raw = {live.raw("polygon")}
    assert set(own.records(["polygon"])) & set(live.records(["polygon"])) == raw


@pytest.mark.parametrize("name", ["Ledger", "1st", "a-b", "a.b", "x" * 41])
def test_a_generation_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="FT_GENERATION"):
        Config.from_env({"FT_HOME": "h", "FT_GENERATION": name})
