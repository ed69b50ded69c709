"""Shadow tables -> the ones that are served, in one transaction that nobody can see half of.

The tables change places by name; what is bound to a table and not to its name follows: views are made again from their
own text, grants are given again, indexes and constraints come with the table. The live consumer keeps its claim: its
offset is set to where the new tables stand, and it goes on from there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from ft.agents.project.hop import Project
from ft.ops.rebuild.shadow import Connection
from ft.schemas.changes import Change
from ft.schemas.domains import Domain
from ft.sql.queries import LIVE, load, named
from ft.streams.worker.ledger_heads import names_of
from ft.streams.worker.subscriber import Subscriber

PROJECTED: Final = (
    "catalog.assets",
    "projection.asset_cards",
    "projection.collection_activity",
    "projection.collection_holders",
    "projection.collection_stats",
    "projection.holdings",
)
"""Everything that ``project`` writes."""
_KEPT_OUT: Final = "system.partition_head"
"""The first table that every transaction of a subscriber touches: with it and the others locked, none is under way."""
_KEEP_KNOWN: Final = (
    "UPDATE catalog.assets a SET is_stub = false FROM {}.assets o"
    " WHERE NOT o.is_stub AND (a.network, a.contract, a.token_id) = (o.network, o.contract, o.token_id)"
)
"""What came into the catalog from elsewhere is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is rebuilt together: some subscribers, and all that they write, their bookkeeping in ``system`` aside."""

    name: str
    """For people, and of the rebuild's schemas."""
    subscribers: Sequence[type[Subscriber[Change]]]
    tables: Sequence[str]
    keep: str = ""
    """SQL that is run once the tables have changed places; {} is the schema of those that were served."""


PROJECT: Final = Kept(name="project", subscribers=(Project,), tables=PROJECTED, keep=_KEEP_KNOWN)


def kept_by(domain: Domain) -> Kept:
    """The same of a domain."""
    tables = [f"{domain.name}.{table}" for table in domain.tables]
    return Kept(name=domain.name, subscribers=domain.subscribers, tables=tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A row of system.partition_owner of a subscriber."""

    partition: int
    next_offset: int
    next_seq: int
    cluster_id: str
    topic_id: str


def analyze(conn: Connection, kept: Kept, generation: str) -> None:
    """Tell the planner of the new tables before anybody reads them."""
    conn.execute(f"ANALYZE {', '.join(named(table, generation) for table in kept.tables)}".encode())


def keep_others_out(conn: Connection, kept: Kept, lock_timeout_s: float) -> None:
    """Lock the served tables until the transaction ends. Raises psycopg.errors.LockNotAvailable after the time."""
    conn.execute(f"SET LOCAL lock_timeout = {int(lock_timeout_s * 1000)}".encode())
    conn.execute("SET LOCAL search_path = pg_catalog")  # views' texts then name every schema
    conn.execute(f"LOCK TABLE {', '.join((_KEPT_OUT, *kept.tables))} IN ACCESS EXCLUSIVE MODE".encode())


def fences(conn: Connection, consumer: str, generation: str, topic: str) -> list[Fence]:
    """Where the subscriber of a generation stands; the rows are locked until the transaction ends."""
    with conn.cursor(row_factory=class_row(Fence)) as cursor:
        return cursor.execute(load("rebuild", generation)["fences"], {"consumer": consumer, "topic": topic}).fetchall()


def swap(conn: Connection, kept: Kept, generation: str, topic: str) -> None:
    """Serve the generation's tables and drop those that were served, in the open transaction.

    1. the tables change places, with views and grants
    2. what came into them from elsewhere is kept
    3. offsets, heads and dead letters become the generation's
    4. the old tables go; if something that nobody knows of depends on one, nothing happens at all
    Raises psycopg.Error.
    """
    attic = f"replaced_{generation}"
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(attic)))
    for table in kept.tables:  # 1
        _change_places(conn, table, generation, attic)
    if kept.keep:  # 2
        conn.execute(sql.SQL(kept.keep).format(sql.Identifier(attic)))
    for subscriber in kept.subscribers:  # 3
        partitions = _take_fences(conn, subscriber.consumer, generation, topic)
        _take_heads(conn, subscriber.consumer, generation, topic, partitions)
        _take_letters(conn, subscriber.consumer, generation, topic)
    for table in kept.tables:  # 4
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


def _take_fences(conn: Connection, consumer: str, generation: str, topic: str) -> list[int]:
    """Returns the partitions."""
    query, found = load("rebuild", LIVE)["take_fence"], fences(conn, consumer, generation, topic)
    for fence in found:
        conn.execute(query, asdict(fence) | {"consumer": consumer, "topic": topic})
    return [fence.partition for fence in found]


def _take_heads(conn: Connection, consumer: str, generation: str, topic: str, partitions: list[int]) -> None:
    query, own = load("rebuild", LIVE), {"consumer": consumer}
    conn.execute(query["forget_heads"], own)
    for head in _rows(conn, load("rebuild", generation)["heads"], own):
        conn.execute(query["take_head"], head | own)
    where = {"topic": topic, "partitions": partitions}
    conn.execute(load("subscriber", LIVE)["take_ledger_heads"], names_of(consumer) | where)


def _take_letters(conn: Connection, consumer: str, generation: str, topic: str) -> None:
    query, own = load("rebuild", LIVE), {"consumer": consumer, "topic": topic}
    refused = list(_rows(conn, load("rebuild", generation)["letters"], own))
    for letter in refused:
        conn.execute(query["take_letter"], letter | own)
    places: dict[str, Any] = {
        **own,
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
