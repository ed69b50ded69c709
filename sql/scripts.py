"""What `ft migrate` runs, in its order: ft's own files, then what each domain declares."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from ft.schemas.domains import Domain, declared, state_schema

_CHAIN: Final = ("blocks", "coverage", "heads", "quarantine")
"""Tables of `ingest` that every reader of raw logs has for itself (sql/chain_reader.sql)."""


def scripts() -> Iterator[tuple[str, str]]:
    """Name and SQL of each; a name is for good."""
    folder = files("ft.sql") / "migrations"
    for path in sorted((p for p in folder.iterdir() if p.name.endswith(".sql")), key=lambda p: p.name):
        yield path.name, path.read_text()
    for domain in declared():
        yield f"{domain.name}/schema", f"CREATE SCHEMA IF NOT EXISTS {domain.name};"
        for name, text in domain.migrations.items():
            yield f"{domain.name}/{name}", text
        for reader in domain.reading:
            yield f"{domain.name}/chain of {reader}", _chain(state_schema(reader))
        yield f"{domain.name}/grants {_of(domain)}", _grants(domain)


def _of(domain: Domain) -> str:
    """What is granted: where a domain says otherwise, or has one more migration, it is granted anew."""
    return f"{' '.join(sorted(domain.tables))} / {' '.join(sorted(domain.views))} / {len(domain.migrations)}"


def _grants(domain: Domain) -> str:
    """Who writes writes, and the API reads what it is shown."""
    lines = [f"GRANT USAGE ON SCHEMA {domain.name} TO ft_writer, ft_api;"]
    lines.append(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {domain.name} TO ft_writer;")
    for table in domain.tables:
        lines.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {domain.name}.{table} TO ft_writer;")
    for view in domain.views:
        lines.append(f"GRANT SELECT ON {domain.name}.{view} TO ft_api;")
    return "\n".join(lines)


def _chain(schema: str) -> str:
    """The chain as one more consumer has read it, in tables like those of `ingest`."""
    lines = [f"CREATE SCHEMA {schema};"]
    lines += [f"CREATE TABLE {schema}.{table} (LIKE ingest.{table} INCLUDING ALL);" for table in _CHAIN]
    lines.append(f"GRANT USAGE ON SCHEMA {schema} TO ft_writer;")
    lines.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO ft_writer;")
    return "\n".join(lines)
