"""What the API's role may do in the database: read schema projection, and nothing else."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from ft.config import Config

# A view that nobody could write says so before rights are looked at.
REFUSALS = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.WrongObjectType,
    psycopg.errors.ObjectNotInPrerequisiteState,
)
OTHERS = ("ref", "ingest", "ledger", "catalog", "market", "system")


@pytest.fixture
def as_api(config: Config) -> Iterator[psycopg.Connection[Any]]:
    """A session in the role ft_api."""
    with psycopg.connect(config.postgres_as("ft_api"), autocommit=True) as conn:
        yield conn


def _relations(database: str, schemas: tuple[str, ...]) -> list[tuple[str, str]]:
    with psycopg.connect(database) as owner:
        return owner.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1, 2",
            (list(schemas),),
        ).fetchall()


def test_it_is_a_login_of_its_own_that_no_statement_leaves(as_api: psycopg.Connection[Any]) -> None:
    for statement in ("RESET ROLE", "RESET SESSION AUTHORIZATION", "SET ROLE NONE", "DISCARD ALL"):
        as_api.execute(statement)

        assert as_api.execute("SELECT session_user, current_user").fetchone() == ("ft_api", "ft_api")
    for role in ("ft", "ft_writer", "ft_migrate"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_api.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))


def test_nothing_can_be_stored_out_of_sight(as_api: psycopg.Connection[Any]) -> None:
    """Neither in tables that live as long as a session, nor in large objects, which belong to no table."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_api.execute("CREATE TEMP TABLE mine (x int)")
    for call in ("lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'x')", "lo_put(1, 0, 'x')", "lo_open(1, 131072)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_api.execute(f"SELECT {call}".encode())


def test_no_other_database_of_ours_can_be_entered(config: Config) -> None:
    where = urlsplit(config.postgres_as("ft_api"))

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(where._replace(path="/registry").geturl())


def test_every_relation_of_projection_can_be_read(database: str, as_api: psycopg.Connection[Any]) -> None:
    relations = _relations(database, ("projection",))

    assert len(relations) > 15
    for schema, name in relations:
        as_api.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(schema, name)))


def test_no_relation_of_another_schema_can_be_read(database: str, as_api: psycopg.Connection[Any]) -> None:
    relations = _relations(database, OTHERS)

    assert {schema for schema, _ in relations} == set(OTHERS)
    for schema, name in relations:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_api.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(schema, name)))


def test_nothing_can_be_written(database: str, as_api: psycopg.Connection[Any]) -> None:
    for schema, name in _relations(database, (*OTHERS, "projection")):
        table = sql.Identifier(schema, name)
        for statement in ("DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES", "TRUNCATE {}", "DROP TABLE {}"):
            with pytest.raises(psycopg.Error) as refused:
                as_api.execute(sql.SQL(statement).format(table))
            assert isinstance(refused.value, REFUSALS), (schema, name, statement)


@pytest.mark.parametrize("where", [*OTHERS, "projection", "public"])
def test_nothing_can_be_made(as_api: psycopg.Connection[Any], where: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_api.execute(sql.SQL("CREATE TABLE {}.mine (x int)").format(sql.Identifier(where)))


def test_none_of_our_functions_can_be_run(database: str, as_api: psycopg.Connection[Any]) -> None:
    with psycopg.connect(database) as owner:
        functions = owner.execute(
            "SELECT p.oid::regprocedure::text, has_function_privilege('ft_api', p.oid, 'EXECUTE'),"
            " has_schema_privilege('ft_api', n.oid, 'USAGE') FROM pg_proc p"
            " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%s)",
            ([*OTHERS, "projection"],),
        ).fetchall()

    assert functions
    assert [name for name, execute, usage in functions if execute and usage] == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_api.execute("SELECT ledger.ensure_month(now())")
