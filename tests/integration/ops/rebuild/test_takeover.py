"""Rebuilt tables take the place of the served ones: views, grants, offsets, heads and letters with them, or nothing."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from ft.config import Config
from ft.ops.rebuild import takeover
from ft.ops.rebuild.shadow import Shadow
from ft.sql.queries import LIVE, load, named

TOPIC = "changed"
ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40


@pytest.fixture
def shadow(config: Config) -> Iterator[Shadow]:
    with Shadow(config, "project") as made:
        yield made


def put(config: Config, generation: str, account: str, next_offset: int) -> None:
    """One asset, its card, its holder, the fence and the head of a generation."""
    values = f"('project', '{TOPIC}', 3, 4, {next_offset}, {next_offset + 1}, 'somebody', 'k', 't')"
    owner = "(consumer, topic, partition, epoch, next_offset, next_seq, owner, cluster_id, topic_id)"
    head = "(consumer, partition, network, position, open_block)"
    letter = f"('project', '{TOPIC}', 3, {next_offset - 1}, 'r', 'e', '')"
    statements = (
        f"INSERT INTO catalog.assets VALUES ('n', '0xc', 1, '{uuid4()}', 'erc721', {bool(generation)}, now())",
        "INSERT INTO catalog.assets VALUES ('n', '0xc', 2, gen_random_uuid(), 'erc721', true, now())",
        f"INSERT INTO projection.holdings VALUES ('n', '0xc', 1, '', '{account}', 1, 5)",
        f"INSERT INTO projection.asset_cards VALUES ('n', '{next_offset}', 1, '')",
        f"INSERT INTO system.partition_owner {owner} VALUES {values}",
        f"INSERT INTO system.partition_head {head} VALUES ('project', 3, 'n', {next_offset}, {next_offset})",
        f"INSERT INTO system.partition_head {head} VALUES ('ledger', 3, 'n', 77, -1)",
        f'INSERT INTO system.dlq (consumer, topic, partition, "offset", reason, error, payload) VALUES {letter}',
    )
    with psycopg.connect(config.postgres) as conn:
        for statement in statements:
            conn.execute(named(statement, generation).encode())


def swap(shadow: Shadow) -> None:
    with shadow.conn.transaction():
        takeover.keep_others_out(shadow.conn, takeover.PROJECT, 5)
        takeover.swap(shadow.conn, takeover.PROJECT, shadow.generation, TOPIC)


def rows(config: Config, query: str, role: str = "ft_migrate") -> list[tuple[object, ...]]:
    with psycopg.connect(config.postgres_as(role)) as conn:
        return conn.execute(query.encode()).fetchall()


def test_everything_that_was_served_is_the_rebuilt_one(config: Config, shadow: Shadow) -> None:
    put(config, LIVE, ALICE, 10)
    put(config, shadow.generation, BOB, 20)
    uuids = rows(config, named("SELECT uuid FROM catalog.assets ORDER BY token_id", shadow.generation))

    swap(shadow)

    assert rows(config, "SELECT account FROM projection.holdings") == [(BOB,)]
    assert rows(config, "SELECT contract FROM projection.asset_cards", "ft_api") == [("20",)]
    assert rows(config, "SELECT uuid FROM projection.assets ORDER BY token_id", "ft_api") == uuids, "a view of the old"
    assert rows(config, "SELECT next_offset, next_seq, epoch, owner FROM system.partition_owner") == [
        (20, 21, 4, "somebody")
    ]
    assert rows(config, "SELECT consumer, position, open_block FROM system.partition_head ORDER BY 1") == [
        ("ledger", 77, -1), ("project", 20, 20),
    ]  # fmt: skip


def test_what_came_into_the_catalog_from_elsewhere_is_kept(config: Config, shadow: Shadow) -> None:
    put(config, LIVE, ALICE, 10)  # token 1 is no stub any more there
    put(config, shadow.generation, BOB, 20)

    swap(shadow)

    assert rows(config, "SELECT token_id::int, is_stub FROM catalog.assets ORDER BY 1") == [(1, False), (2, True)]


def test_letters_of_records_that_are_in_now_are_settled_and_new_ones_are_open(config: Config, shadow: Shadow) -> None:
    put(config, LIVE, ALICE, 10)
    put(config, shadow.generation, BOB, 20)

    swap(shadow)

    assert rows(config, 'SELECT "offset", state FROM system.dlq ORDER BY 1') == [(9, "replayed"), (19, "open")]


def execute(config: Config, statement: str) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute(statement.encode())


def test_grants_indexes_and_views_are_as_before(config: Config, shadow: Shadow) -> None:
    execute(config, "GRANT SELECT (token_id), SELECT ON projection.asset_cards TO ft_api WITH GRANT OPTION")
    execute(config, "GRANT SELECT ON projection.collection_stats TO PUBLIC")
    execute(config, "ALTER VIEW projection.assets SET (security_barrier = true)")
    query = (
        "SELECT n.nspname, c.relname, c.relkind::text, c.reloptions::text, (SELECT array_agg(x::text ORDER BY x::text)"
        " FROM aclexplode(c.relacl) x)::text, pg_get_userbyid(c.relowner), CASE c.relkind WHEN 'v' THEN"
        " pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid) END FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('catalog', 'projection') ORDER BY 1, 2"
    )
    before = rows(config, query)

    swap(shadow)

    assert rows(config, query) == before
    assert rows(config, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'replaced%'") == []


def test_a_table_that_somebody_unknown_depends_on_stays_with_everything_else(config: Config, shadow: Shadow) -> None:
    put(config, LIVE, ALICE, 10)
    put(config, shadow.generation, BOB, 20)
    execute(config, "CREATE MATERIALIZED VIEW projection.theirs AS SELECT account FROM projection.holdings")

    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        swap(shadow)

    assert rows(config, "SELECT account FROM projection.holdings") == [(ALICE,)]
    assert rows(config, "SELECT next_offset FROM system.partition_owner") == [(10,)]
    assert rows(config, 'SELECT "offset", state FROM system.dlq') == [(9, "open")]


def test_whoever_reads_is_not_pushed_away(config: Config, shadow: Shadow) -> None:
    with psycopg.connect(config.postgres) as reader:
        reader.execute("SELECT FROM projection.holdings")

        with pytest.raises(psycopg.errors.LockNotAvailable), shadow.conn.transaction():
            takeover.keep_others_out(shadow.conn, takeover.PROJECT, 0.2)


def test_every_table_that_project_writes_is_taken_over() -> None:
    import re

    written = set(
        re.findall(r"(?:INSERT INTO|UPDATE) ((?:catalog|projection)\.\w+)", "\n".join(load("project").values()))
    )

    assert written == set(takeover.PROJECTED)
