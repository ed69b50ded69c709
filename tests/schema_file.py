"""``make schema``: ``sql/schema.sql``, the schema as ``ft migrate`` leaves it, written by Postgres' own pg_dump."""

import re
import tempfile
from pathlib import Path
from typing import Final

from ft import postgres_programs
from ft.config import Config
from ft.sql.migrate import migrate
from ft.sql.queries import schemas
from tests.bench.deployment import drop, separate, servers

FILE: Final = Path(__file__).resolve().parents[1] / "sql" / "schema.sql"
_HEAD: Final = "-- The whole schema as `ft migrate` leaves it. Made by `make schema`; a test compares. Do not edit.\n"
_SESSION: Final = re.compile(r"^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict ).*\n", re.MULTILINE)


def schema_of(config: Config) -> str:
    """Of a migrated database. Raises ServerError."""
    with tempfile.TemporaryDirectory(prefix="ft-schema-") as folder:
        to = Path(folder) / "schema.sql"
        chosen = [f"--schema={name}" for name in schemas()]
        postgres_programs.run("pg_dump", config.postgres, ["--schema-only", "--no-owner", *chosen, f"--file={to}"])
        text = to.read_text()
    text = _SESSION.sub("", text)
    text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    return _HEAD + "\n" + re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def main() -> None:
    """Write the file anew."""
    with servers() as named:
        config = separate(named)
        migrate(config.postgres, config)
        FILE.write_text(schema_of(config))
        drop(config, named)
    print(f"{FILE}: {len(FILE.read_text().splitlines()):,} lines")


if __name__ == "__main__":
    main()
