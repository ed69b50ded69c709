"""Named queries: ``sql/<word>.sql`` holds blocks that begin with ``-- name: <query>``.

A rebuild has schemas of its own beside those that are served: its *generation* names them (``ledger.events`` becomes
``ledger_<generation>.events``). A process works for one generation, which it says once, before it asks for a query.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from ft.errors import ConfigError
from ft.schemas.domains import declared, state_schema

_SCHEMAS: Final = ("ref", "ingest", "ledger", "catalog", "market", "projection", "system")
LIVE: Final = ""
"""The generation that is served."""

_NAME: Final = re.compile(r"^-- name: *([a-z0-9_]+) *$", re.MULTILINE)
_LISTED: Final = re.compile(r"\bSCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?\w+(?:\s*,\s*\w+)*")
_generation = LIVE


def use(generation: str) -> None:
    """From now on this process's queries are those of ``generation``. Default: :data:`LIVE`."""
    global _generation  # one for the whole process, threads included
    _generation = generation


def load(word: str, generation: str | None = None) -> dict[str, str]:
    """All queries of ``sql/<word>.sql``, by name, with ``%(name)s`` parameters.

    ``generation``: whose tables they name; None is what :func:`use` said. Raises ConfigError if the file does not
    exist, holds no query, or names one twice.
    """
    return _load(word, _generation if generation is None else generation)


def load_of(word: str, schema: str) -> dict[str, str]:
    """The same, for tables that a domain has of its own in ``schema`` with the names of those in ``ingest``."""
    return load(word) if schema == "ingest" else _load_of(word, schema, _generation)


@cache
def _load_of(word: str, schema: str, generation: str) -> dict[str, str]:
    found = {name: re.sub(r"(?<![\w.])ingest\.", f"{schema}.", text) for name, text in _load(word, LIVE).items()}
    return {name: named(text, generation) for name, text in found.items()}


def named(text: str, generation: str | None = None) -> str:
    """SQL that names ft's schemas, as ``generation`` names them; None is what :func:`use` said."""
    generation = _generation if generation is None else generation
    if generation == LIVE:
        return text
    bare, qualified = _patterns(schemas())
    listed = _LISTED.sub(lambda found: bare.sub(rf"\1_{generation}", found[0]), text)
    return qualified.sub(rf"\1_{generation}.", listed)


def schemas() -> tuple[str, ...]:
    """Every schema of ft's and of its domains, in the order in which they are made."""
    domains = declared()
    chains = (state_schema(reader) for domain in domains for reader in domain.reading)
    return (*_SCHEMAS, *(domain.name for domain in domains if domain.name not in _SCHEMAS), *chains)


@cache
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A schema by itself, and before a table."""
    either = "|".join(names)
    return re.compile(rf"\b({either})\b"), re.compile(rf"(?<![\w.])({either})\.(?=[a-z%])")


def words() -> list[str]:
    """The files that hold named queries, without their ending."""
    found = (entry.name for entry in files("ft.sql").iterdir() if entry.name.endswith(".sql"))
    return sorted(name[:-4] for name in found if name != "schema.sql")


@cache
def _load(word: str, generation: str) -> dict[str, str]:
    path = files("ft.sql") / f"{word}.sql"
    if not path.is_file():
        raise ConfigError(f"sql/{word}.sql: expected a file of named queries, found none")
    parts = _NAME.split(path.read_text())
    names, bodies = parts[1::2], parts[2::2]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"sql/{word}.sql: expected distinct `-- name:` blocks, got {names}")
    return {name: named(body.strip().rstrip(";"), generation) for name, body in zip(names, bodies, strict=True)}
