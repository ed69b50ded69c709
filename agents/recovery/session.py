"""The connection that recovery works on, what it has begun, and who has to stand still meanwhile."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import psycopg

from ft.agents.columns import columns
from ft.config import Config
from ft.errors import ConfigError, DatabaseUnavailable
from ft.sql.migrate import ensure_roles, require_stopped
from ft.sql.queries import LIVE, load
from ft.streams.checkpoint import session, translated
from ft.streams.generations import Generations

Connection: TypeAlias = psycopg.Connection[Any]
Kind: TypeAlias = Literal["lost", "announce", "older"]
"""``lost``: Kafka has nothing any more. ``announce``: the ledger's topics are made anew, the others stand. ``older``:
the database is an older state than Kafka."""
SCHEMAS: Final = ("ref", "ingest", "ledger", "catalog", "market", "projection", "system")
"""All that ft has in a database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a recovery has begun: kept in the database until it is done, so that the same command goes on."""

    kind: Kind
    command: str
    """The command that goes on with it."""
    stored: bool = False
    """Whether Postgres has all of it, and the topics are left."""


@contextmanager
def alone(config: Config) -> Iterator[Connection]:
    """A connection in role ft_migrate, while no other recovery and no process of ft is at work.

    Raises StillRunning, ConfigError, DatabaseUnavailable, DatabaseError.
    """
    try:
        conn = psycopg.connect(session(config.postgres, "", application_name="ft restore"), autocommit=True)
    except psycopg.Error as exc:
        raise DatabaseUnavailable(f"Postgres: expected a connection, got: {str(exc).strip()}") from exc
    try:
        if conn.execute(load("recovery", LIVE)["only_one"]).fetchone() != (True,):
            raise ConfigError("another `ft restore`, `ft reannounce` or `ft reset` is at work: wait for it.")
        ensure_roles(conn, config)  # grants on a database stay behind where it was copied
        conn.execute("SET ROLE ft_migrate")
        require_stopped(conn, "what was lost is made good")
        yield conn
    except psycopg.Error as exc:
        raise translated(exc) from exc
    finally:
        conn.close()


def begun(conn: Connection) -> Begun | None:
    """What an earlier run has not ended."""
    row = conn.execute(load("recovery", LIVE)["unfinished"]).fetchone()
    return None if row is None else Begun(**json.loads(row[0]))


def begin(conn: Connection, kind: Kind, command: str) -> Begun:
    """From here on nobody starts; in a transaction of its own."""
    return _put(conn, Begun(kind=kind, command=command))


def note_stored(conn: Connection, state: Begun) -> Begun:
    """In the transaction of what is stored."""
    return _put(conn, replace(state, stored=True))


def finish(conn: Connection) -> None:
    """Workers may start."""
    conn.execute(load("recovery", LIVE)["finish"])


def _put(conn: Connection, state: Begun) -> Begun:
    conn.execute(load("recovery", LIVE)["begin"], {"value": json.dumps(asdict(state))})
    return state


def begin_generation(conn: Connection, told: Generations, partitions: int, cluster_id: str) -> Generations:
    """In the open transaction: the journal as it is ends every generation before, and a new one begins. ``told``: what
    the topic says of them."""
    sql = load("recovery", LIVE)
    made = Generations.of(conn).next(told, journal_ends(conn, partitions))
    conn.execute(sql["raise_epoch"], {"epoch": made.present, "cluster_id": cluster_id})
    ends = [(*place, seq) for place, seq in sorted(made.ends.items())]
    conn.execute(sql["put_ends"], columns(("generation", "partition", "holds_to"), ends))
    conn.execute(sql["outlive"])
    return made


def journal_ends(conn: Connection, partitions: int) -> Sequence[int]:
    """The last seq of each partition's journal; 0: it has none."""
    ends = dict(conn.execute(load("recovery", LIVE)["journal_ends"]).fetchall())
    return [ends.get(partition, 0) for partition in range(partitions)]
