"""The schemas of a rebuild: ft's whole structure, beside the one that is served, the only one of its kind."""

from dataclasses import replace

import psycopg
import pytest

from ft.config import Config
from ft.errors import ConfigError
from ft.ops.rebuild.shadow import RebuildRuns, Shadow
from ft.schemas import domains
from ft.sql.migrate import migrate
from ft.sql.queries import LIVE, load, named, schemas, words
from ft.streams.deployment.preflight import require_migrated
from ft.streams.worker.parent_watchdog import is_wanted
from tests import sample_domain, sample_reader
from tests.integration.sql.test_migrate import prepare

RELATIONS = (
    "SELECT n.nspname, c.relname, c.relkind::text, coalesce(c.relacl::text, ''), coalesce(c.reloptions::text, '')"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%s)"
    " AND c.relname NOT IN ('migrations', 'migrations_pkey')"
)
FUNCTIONS = (
    "SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%s)"
)
LEFT = "SELECT nspname FROM pg_namespace WHERE nspname ~ '_rebuild_'"


def structure(conn: psycopg.Connection[tuple[object, ...]], generation: str) -> list[set[tuple[str, ...]]]:
    """Relations with their grants, and functions; schemas by their served names."""
    suffix = f"_{generation}" if generation else ""
    names = [f"{schema}{suffix}" for schema in schemas()]
    return [
        {tuple(str(value).removesuffix(suffix) if suffix else str(value) for value in row) for row in rows}
        for rows in (conn.execute(query.encode(), (names,)).fetchall() for query in (RELATIONS, FUNCTIONS))
    ]


def test_it_has_every_table_view_index_grant_and_function_of_what_is_served(config: Config) -> None:
    with Shadow(config, "project") as shadow, psycopg.connect(config.postgres) as conn:
        served, made = structure(conn, LIVE), structure(conn, shadow.generation)

    assert len(served[0]) > 60
    assert made == served


def test_it_has_what_domains_and_their_readers_have(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sample_domain, sample_reader):
        monkeypatch.setitem(domains._declared, module.DOMAIN.name, module.DOMAIN)
    with pytest.raises(ConfigError, match=r"the schemas logs, logs_chain, sample\. Run `ft migrate`"):
        _facts(config)
    migrate(config.postgres, config)
    with Shadow(config, "project") as shadow, psycopg.connect(config.postgres) as conn:
        served, made = structure(conn, LIVE), structure(conn, shadow.generation)

    assert {("logs_chain", "blocks"), ("sample", "received")} <= {row[:2] for row in served[0]}
    assert made == served


def _facts(config: Config) -> None:
    with psycopg.connect(config.postgres_as("ft_writer")) as conn:
        require_migrated(conn)


def test_every_query_prepares_in_it(config: Config) -> None:
    refused = {}
    with Shadow(config, "ledger") as shadow, psycopg.connect(config.postgres, autocommit=True) as conn:
        for word in words():
            for name, text in load(word, shadow.generation).items():
                try:
                    prepare(conn, f"{word}_{name}", text)
                except psycopg.Error as exc:
                    refused[f"{word}.sql {name}"] = str(exc)

    assert refused == {}


def test_it_knows_the_networks_that_it_is_for(config: Config) -> None:
    with Shadow(config, "ledger", ["polygon"]) as shadow, psycopg.connect(config.postgres) as conn:
        found = conn.execute(f"SELECT network FROM {named('ref.networks', shadow.generation)}".encode()).fetchall()
        settings = conn.execute(f"SELECT name FROM {named('system.settings', shadow.generation)}".encode()).fetchall()

    assert found == [("polygon",)]
    assert settings == [("partitions",)]


def test_a_second_one_of_the_kind_is_refused_and_one_of_the_other_is_not(config: Config) -> None:
    with (
        Shadow(config, "project"),
        Shadow(config, "ledger"),
        pytest.raises(RebuildRuns, match="`ft rebuild project` runs"),
    ):
        Shadow(config, "project").__enter__()


def test_nothing_is_left_and_what_others_left_is_deleted(config: Config) -> None:
    killed = Shadow(config, "project")
    killed.__enter__()
    killed.conn.close()  # as the end of its process does

    with Shadow(config, "project") as after:
        left_over = after.left_over
    with psycopg.connect(config.postgres) as conn:
        left = conn.execute(LEFT).fetchall()

    assert left_over == [killed.generation]
    assert left == []


def test_a_worker_is_wanted_as_long_as_its_command_lives_and_its_schemas_are_there(config: Config) -> None:
    with Shadow(config, "ledger") as shadow:
        worker = replace(config, generation=shadow.generation)
        lives = is_wanted(worker)
    gone = is_wanted(worker)
    with Shadow(config, "ledger"):
        replaced = is_wanted(worker)

    assert (lives, gone, replaced) == (True, False, False)


def test_the_journal_of_a_generation_has_months_of_its_own(config: Config) -> None:
    with Shadow(config, "ledger") as shadow, psycopg.connect(config.postgres_as("ft_writer")) as conn:
        conn.execute(load("ledger", shadow.generation)["ensure_month"], {"year": 2024, "month": 3})
        months = conn.execute(f"SELECT count(*) FROM {named('ledger.months', shadow.generation)}".encode()).fetchone()
        served = conn.execute("SELECT count(*) FROM ledger.months").fetchone()

    assert (months, served) == ((1,), (0,))


def test_a_database_that_is_not_migrated_is_refused_with_the_remedy(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP TABLE system.settings CASCADE")

    with pytest.raises(ConfigError, match="Run `ft migrate`"):
        Shadow(config, "project").__enter__()
