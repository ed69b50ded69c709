"""sql/schema.sql is the schema, and every table says what it is."""

import psycopg

from ft.config import Config
from tests.schema_file import FILE, schema_of

UNSAID = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
"""


def test_the_file_is_what_a_migration_leaves(config: Config) -> None:
    assert schema_of(config) == FILE.read_text(), "run `make schema`"


def test_every_table_says_what_it_is(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        assert [row[0] for row in conn.execute(UNSAID).fetchall()] == []
