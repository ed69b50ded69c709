"""What the pages tell an operator to run in Postgres runs there, and does what they say."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from ft.config import Config
from tests.unit.pages import blocks, page, section

SQL = blocks(page("operating.md"), "sql")


@pytest.fixture
def operator(config: Config) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(config.postgres) as conn:
        yield conn
        conn.rollback()


@pytest.mark.parametrize("statement", SQL, ids=range(len(SQL)))
def test_every_statement_runs_on_a_migrated_database(operator: psycopg.Connection[Any], statement: str) -> None:
    operator.execute(statement.encode())


def test_a_login_that_is_a_member_of_the_apis_role_reads_projections_and_nothing_else(config: Config) -> None:
    assert "any other must be a member of that role" in section(page("logins.md"), "## Postgres")
    login = f"ft_web_{urlsplit(config.postgres).path[-8:]}"
    with psycopg.connect(config.postgres, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'secret' IN ROLE ft_api".encode())
        try:
            names = {"FT_POSTGRES_API_USERNAME": login, "FT_POSTGRES_API_PASSWORD": "secret"}
            as_api = replace(config, addresses={**config.addresses, **names}).postgres_as("ft_api")
            with psycopg.connect(as_api, autocommit=True) as conn:
                assert conn.execute("SELECT session_user, current_user").fetchone() == (login, "ft_api")
                assert conn.execute("SELECT count(*) FROM projection.heads").fetchone() == (0,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute("SELECT count(*) FROM ledger.events")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute("SET ROLE ft_writer")
        finally:
            owner.execute(f"DROP ROLE {login}".encode())


def test_the_page_takes_away_the_large_objects_that_the_embedded_server_takes_away(config: Config) -> None:
    (revoke,) = blocks(section(page("logins.md"), "## Postgres"), "sql")
    with psycopg.connect(config.postgres) as conn:
        taken = conn.execute(
            "SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' FROM pg_proc p"
            " WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^lo' AND p.proname !~ 'port$'"
            " AND p.provolatile = 'v' AND NOT has_function_privilege('ft_api', p.oid, 'EXECUTE')"
        ).fetchall()

    named = set(re.findall(r"(lo\w+\([\w, ]*\))", revoke))
    assert {name.replace(" ", "") for name in named} == {row[0].replace(" ", "") for row in taken}
