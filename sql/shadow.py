"""Schemas of a rebuild: ft's whole structure once more, made by the same migrations under the generation's names."""

import re
from typing import Any, Final

import psycopg
from psycopg import sql

from ft.sql.queries import named, schemas
from ft.sql.scripts import scripts

_COPIED: Final = ("system.settings", "ref.token_standards", "ref.marketplaces", "ref.contracts")
_GENERATION: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


def create(conn: psycopg.Connection[Any], generation: str, networks: list[str] | None = None) -> None:
    """Make the schemas, empty but for the reference data of ``networks`` (None: all). In the caller's transaction.

    ``conn`` is in role ft_migrate. Raises ValueError for a generation that is no name.
    """
    if not _GENERATION.fullmatch(generation):
        raise ValueError(f"generation: expected a name of lower-case letters, digits and _, got {generation!r}")
    conn.execute(named("CREATE SCHEMA system", generation).encode())  # as the migrator does
    for _, text in scripts():
        conn.execute(named(text, generation).encode())
    for table in _COPIED:
        conn.execute(f"INSERT INTO {named(table, generation)} SELECT * FROM {table}".encode())
    conn.execute(
        f"INSERT INTO {named('ref.networks', generation)} SELECT * FROM ref.networks"
        " WHERE network = ANY(coalesce(%s::text[], ARRAY[network]))".encode(),
        (networks,),
    )


def generations(conn: psycopg.Connection[Any], kind: str) -> list[str]:
    """The generations whose name begins with ``kind`` and that have a schema left."""
    rows = conn.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ %s", (f"^({'|'.join(schemas())})_{kind}",))
    return sorted({str(name).partition("_")[2] for (name,) in rows.fetchall()})


def drop(conn: psycopg.Connection[Any], generation: str) -> None:
    """Delete the generation's schemas with all that is in them. In the caller's transaction."""
    names = [sql.Identifier(f"{schema}_{generation}") for schema in schemas()]
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.SQL(", ").join(names)))
