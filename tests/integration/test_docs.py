"""docs/operating.md: what it tells an operator to run in Postgres runs there, and does what it says."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

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


def test_the_apis_own_login_reads_projections_and_nothing_else(config: Config) -> None:
    (create,) = blocks(section(page("operating.md"), "## Real servers"), "sql")
    login = f"ft_web_{urlsplit(config.postgres).path[-8:]}"
    parts = urlsplit(config.postgres)
    theirs = urlunsplit(parts._replace(netloc=f"{login}:secret@{parts.netloc.rpartition('@')[2]}"))
    with psycopg.connect(config.postgres, autocommit=True) as owner:
        owner.execute(create.replace("ft_web", login).replace("change me", "secret").encode())
        try:
            as_api = Config(home=config.home, cache=config.cache, addresses={"FT_POSTGRES": theirs}).postgres_as(
                "ft_api"
            )
            with psycopg.connect(as_api, autocommit=True) as conn:
                assert conn.execute("SELECT count(*) FROM projection.heads").fetchone() == (0,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute("SELECT count(*) FROM ledger.events")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute("SET ROLE ft_writer")
        finally:
            owner.execute(f"DROP ROLE {login}".encode())
