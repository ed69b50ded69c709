"""Named queries: ``sql/<word>.sql`` holds blocks that begin with ``-- name: <query>``."""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from ft.errors import ConfigError

_NAME: Final = re.compile(r"^-- name: *([a-z0-9_]+) *$", re.MULTILINE)


@cache
def load(word: str) -> dict[str, str]:
    """All queries of ``sql/<word>.sql``, by name, with ``%(name)s`` parameters.

    Raises ConfigError if the file does not exist, holds no query, or names one twice.
    """
    path = files("ft.sql") / f"{word}.sql"
    if not path.is_file():
        raise ConfigError(f"sql/{word}.sql: expected a file of named queries, found none")
    parts = _NAME.split(path.read_text())
    names, bodies = parts[1::2], parts[2::2]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"sql/{word}.sql: expected distinct `-- name:` blocks, got {names}")
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}


def words() -> list[str]:
    """The files that hold named queries, without their ending."""
    return sorted(entry.name[:-4] for entry in files("ft.sql").iterdir() if entry.name.endswith(".sql"))
