"""Shadow tables -> the ones that are served, in one transaction that nobody can see half of.

The tables change places by name; what is bound to a table and not to its name follows: views are made again from their
own text, grants are given again, indexes and constraints come with the table. The live consumer keeps its claim: its
offset is set to where the new tables stand, and it goes on from there.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from ft.agents.rebuild.shadow import Connection
from ft.sql.queries import LIVE, load, named

TABLES: Final = (
    "catalog.assets",
    "projection.asset_cards",
    "projection.collection_activity",
    "projection.collection_holders",
    "projection.collection_stats",
    "projection.holdings",
)
"""Everything that ``project`` writes, its bookkeeping in ``system`` aside."""
_KEPT_OUT: Final = "system.partition_head"
"""The first table that every transaction of ``project`` touches: with it and the others locked, none is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A row of system.partition_owner of ``project``."""

    partition: int
    next_offset: int
    next_seq: int
    cluster_id: str
    topic_id: str


def analyze(conn: Connection, generation: str) -> None:
    """Tell the planner of the new tables before anybody reads them."""
    conn.execute(f"ANALYZE {', '.join(named(table, generation) for table in TABLES)}".encode())


def keep_others_out(conn: Connection, lock_timeout_s: float) -> None:
    """Lock the served tables until the transaction ends. Raises psycopg.errors.LockNotAvailable after the time."""
    conn.execute(f"SET LOCAL lock_timeout = {int(lock_timeout_s * 1000)}".encode())
    conn.execute("SET LOCAL search_path = pg_catalog")  # views' texts then name every schema
    conn.execute(f"LOCK TABLE {', '.join((_KEPT_OUT, *TABLES))} IN ACCESS EXCLUSIVE MODE".encode())


def fences(conn: Connection, generation: str, topic: str) -> list[Fence]:
    """Where ``project`` of a generation stands; the rows are locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(Fence)) as cursor:
        return cursor.execute(load("rebuild", generation)["fences"], {"topic": topic}).fetchall()


def swap(conn: Connection, generation: str, topic: str) -> None:
    """Serve the generation's tables and drop those that were served, in the open transaction.

    1. the tables change places, with views and grants
    2. what came into the catalog from elsewhere is kept
    3. offsets, heads and dead letters become the generation's
    4. the old tables go; if something that nobody knows of depends on one, nothing happens at all
    Raises psycopg.Error.
    """
    attic = f"replaced_{generation}"
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(attic)))
    for table in TABLES:  # 1
        _change_places(conn, table, generation, attic)
    conn.execute(
        sql.SQL(
            "UPDATE catalog.assets a SET is_stub = false FROM {}.assets o"
            " WHERE NOT o.is_stub AND (a.network, a.contract, a.token_id) = (o.network, o.contract, o.token_id)"
        ).format(sql.Identifier(attic))
    )  # 2
    partitions = _take_fences(conn, generation, topic)  # 3
    _take_heads(conn, generation, topic, partitions)
    _take_letters(conn, generation, topic)
    for table in TABLES:  # 4
        conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(attic, _name(table))))
    conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(attic)))


def _change_places(conn: Connection, table: str, generation: str, attic: str) -> None:
    query = load("rebuild", LIVE)
    views = conn.execute(query["views_of"], {"table": table}).fetchall()
    grants = conn.execute(query["grants_of"], {"table": table}).fetchall()
    schema, here = sql.Identifier(table.partition(".")[0]), _identifier(table)
    conn.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(here, sql.Identifier(attic)))
    conn.execute(sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(_identifier(named(table, generation)), schema))
    for grantee, privilege, grantable in grants:
        whom = sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee)
        onward = sql.SQL(" WITH GRANT OPTION" if grantable else "")
        conn.execute(sql.SQL("GRANT {} ON {} TO {}{}").format(sql.SQL(privilege), here, whom, onward))
    for view_schema, view, text, options in views:
        told = sql.SQL(f" WITH ({options})" if options else "")
        name = sql.Identifier(view_schema, view)
        conn.execute(sql.SQL("CREATE OR REPLACE VIEW {}{} AS {}").format(name, told, sql.SQL(text)))


def _take_fences(conn: Connection, generation: str, topic: str) -> list[int]:
    """Returns the partitions."""
    query, found = load("rebuild", LIVE)["take_fence"], fences(conn, generation, topic)
    for fence in found:
        conn.execute(query, asdict(fence) | {"topic": topic})
    return [fence.partition for fence in found]


def _take_heads(conn: Connection, generation: str, topic: str, partitions: list[int]) -> None:
    query = load("rebuild", LIVE)
    conn.execute(query["forget_heads"])
    for head in _rows(conn, load("rebuild", generation)["heads"], {}):
        conn.execute(query["take_head"], head)
    conn.execute(load("project", LIVE)["take_ledger_heads"], {"topic": topic, "partitions": partitions})


def _take_letters(conn: Connection, generation: str, topic: str) -> None:
    query = load("rebuild", LIVE)
    refused = list(_rows(conn, load("rebuild", generation)["letters"], {"topic": topic}))
    for letter in refused:
        conn.execute(query["take_letter"], letter | {"topic": topic})
    places: dict[str, Any] = {
        "topic": topic,
        "partitions": [letter["partition"] for letter in refused],
        "offsets": [letter["offset"] for letter in refused],
    }
    conn.execute(query["settle_letters"], places)


def _rows(conn: psycopg.Connection[Any], query: str, values: dict[str, Any]) -> Iterable[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def _name(table: str) -> str:
    return table.partition(".")[2]


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))
