"""The connection that recovery works on, what it has begun, and who has to stand still meanwhile."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import psycopg
from psycopg import sql as composed

from ft.agents.columns import array, columns
from ft.config import Config
from ft.errors import ConfigError
from ft.sql.migrate import at_work, ensure_roles, require_stopped
from ft.sql.queries import LIVE, load, schemas
from ft.sql.session import session, translated
from ft.streams.deployment.comparing import named, told_generations
from ft.streams.deployment.generations import Generations
from ft.streams.deployment.identity import Deployment, OtherDeployment

Connection: TypeAlias = psycopg.Connection[Any]
Kind: TypeAlias = Literal["lost", "announce", "older", "reread", "reset"]
"""``lost``: Kafka has nothing any more. ``announce``: the ledger's topics are made anew, the others stand. ``older``:
the database is an older state than Kafka. ``reread``: it is, and normalized records that it has not read are gone.
``reset``: it was emptied on purpose."""
WITHOUT_DATABASE: Final = (
    "Point FT_POSTGRES at its database; or bring that back into this one with `ft restore --from DIR`; or, where there "
    "is no backup and the raw topics stand, `ft reset --keep raw` reads everything again."
)
"""What helps where topics have lost theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a recovery has begun: kept in the database until it is done, so that the same command goes on."""

    kind: Kind
    command: str
    """The command that goes on with it."""
    at_least: int = 0
    """Number of the generation that begins, where nobody knows which there were: Kafka is lost, the database older."""
    stored: bool = False
    """Whether Postgres has all of it, and the topics are left."""


def connected(config: Config, application: str) -> Connection:
    """By the login that owns the database, each statement a transaction. Raises DatabaseUnavailable."""
    try:
        return psycopg.connect(session(config.postgres, "", application_name=application), autocommit=True)
    except psycopg.Error as exc:
        raise config.no_connection(exc) from exc


@contextmanager
def only_one(config: Config) -> Iterator[Connection]:
    """A connection by the login that owns the database, while no other recovery is at work.

    Raises ConfigError, DatabaseUnavailable, DatabaseError.
    """
    conn = connected(config, "ft restore")
    try:
        require_only_one(conn)
        yield conn
    except psycopg.Error as exc:
        raise translated(exc) from exc
    finally:
        conn.close()


def require_only_one(conn: Connection) -> None:
    """Held from here on, as long as the connection. Raises ConfigError where another one has it."""
    if conn.execute(load("recovery", LIVE)["only_one"]).fetchone() != (True,):
        raise ConfigError(
            "the database is amid a restore: another `ft restore`, `ft reannounce` or `ft reset` is at work: wait "
            "for it."
        )


@contextmanager
def alone(config: Config, *, looks_only: bool = False) -> Iterator[Connection]:
    """The same in role ft_migrate, while no process of ft is at work; ``looks_only``: some may be. Raises StillRunning
    too."""
    with only_one(config) as conn:
        if looks_only:
            _take_role(config, conn)
        else:
            stand_still(config, conn)
        yield conn


def stand_still(config: Config, conn: Connection) -> None:
    """What :func:`alone` asks for, of a connection that is the only one."""
    _take_role(config, conn)
    if _knows_processes(conn):
        require_stopped(conn, "what was lost is made good", "the same command")


def running(conn: Connection) -> list[str]:
    """Which processes of ft are at work, by what the database knows."""
    return at_work(conn) if _knows_processes(conn) else []


def _take_role(config: Config, conn: Connection) -> None:
    ensure_roles(conn, config)  # grants on a database stay behind where it was copied
    conn.execute("SET ROLE ft_migrate")


def _knows_processes(conn: Connection) -> bool:
    """Else nobody can run."""
    return conn.execute(load("recovery", LIVE)["knows_processes"]).fetchone() == (True,)


def require_named(config: Config, conn: Connection) -> str:
    """The id of the deployment that the database names. Raises ConfigError where it names none, with what helps."""
    require_no_reset(conn)
    row = named(conn)
    if row is not None:
        return str(row[0])
    told = told_generations(config)[0]
    whose = f" The topics under FT_TOPIC_PREFIX {config.topic_prefix!r} are those of {told}." if told else ""
    raise ConfigError(
        f"the database names no deployment: expected the one that goes on.{whose} {WITHOUT_DATABASE} Nothing "
        "was changed."
    )


def is_half_reset(conn: Connection) -> bool:
    """Whether a reset emptied the database, and was ended before it had named it again."""
    return conn.execute(load("recovery", LIVE)["left_of_reset"]).fetchone() == (True,)


def require_no_reset(conn: Connection) -> None:
    """Raises ConfigError where a reset is to be gone on with first."""
    if is_half_reset(conn):
        raise ConfigError(
            "the database was emptied by a `ft reset --keep raw` that was ended before it was done: the same command "
            "goes on with it. Nothing was changed."
        )


def is_blank(conn: Connection) -> bool:
    """Whether a database has ft's schemas, and nothing in them: what a migration left that was refused or cut off."""
    sql = load("recovery", LIVE)
    if conn.execute(sql["was_migrated"]).fetchone() != (True,) or named(conn) is not None:
        return False
    knows = conn.execute(sql["knows_events"]).fetchone() == (True,)
    return not knows or conn.execute(sql["has_read"]).fetchone() == (False,)


def schemas_there(conn: Connection) -> list[str]:
    """Which of ft's schemas the database has."""
    return [row[0] for row in conn.execute(load("recovery", LIVE)["schemas_there"], {"schemas": list(schemas())})]


def drop_schemas(conn: Connection) -> None:
    """In the open transaction: nothing of ft is left."""
    for name in schemas():
        conn.execute(composed.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(composed.Identifier(name)))


def begun(conn: Connection) -> Begun | None:
    """What an earlier run has not ended."""
    row = conn.execute(load("recovery", LIVE)["unfinished"]).fetchone()
    return None if row is None else Begun(**json.loads(row[0]))


def begin(conn: Connection, kind: Kind, command: str, at_least: int = 0) -> Begun:
    """From here on nobody starts; in a transaction of its own."""
    return _put(conn, Begun(kind=kind, command=command, at_least=at_least))


def note_stored(conn: Connection, state: Begun) -> Begun:
    """In the transaction of what is stored."""
    return _put(conn, replace(state, stored=True))


def finish(conn: Connection) -> None:
    """Workers may start."""
    conn.execute(load("recovery", LIVE)["finish"])


def _put(conn: Connection, state: Begun) -> Begun:
    conn.execute(load("recovery", LIVE)["begin"], {"value": json.dumps(asdict(state))})
    return state


def begin_generation(
    conn: Connection, told: Generations, partitions: int, cluster_id: str, at_least: int = 0
) -> Generations:
    """In the open transaction: a new generation goes on from the journal as it is. ``told``: what the topic says of
    those before. ``at_least``: its number."""
    made = Generations.of(conn).next(told, journal_ends(conn, partitions), at_least)
    conn.execute(load("recovery", LIVE)["raise_epoch"], {"epoch": made.present, "cluster_id": cluster_id})
    put_origins(conn, made)
    conn.execute(load("recovery", LIVE)["outlive"])
    return made


def put_origins(conn: Connection, generations: Generations) -> None:
    """In the open transaction: how every generation came to be."""
    rows = [(each, origin.parent, array(origin.began_at)) for each, origin in sorted(generations.origins.items())]
    conn.execute(load("recovery", LIVE)["put_origins"], columns(("generation", "parent", "began_at"), rows))


def journal_ends(conn: Connection, partitions: int) -> Sequence[int]:
    """The last seq of each partition's journal; 0: it has none."""
    ends = dict(conn.execute(load("anew", LIVE)["journal_ends"]).fetchall())
    return [ends.get(partition, 0) for partition in range(partitions)]


def networks(conn: Connection) -> list[str]:
    """Those that the database knows, in order."""
    return [row[0] for row in conn.execute(load("fence")["networks"])]


def require_topics_of(config: Config, deployment: str, told: Deployment | None) -> None:
    """``told``: whose topics those under the prefix are. Raises OtherDeployment."""
    if told is None or told.id != deployment:
        raise OtherDeployment(
            f"the topics under FT_TOPIC_PREFIX {config.topic_prefix!r} are those of {told or 'nobody'}: expected those "
            f"of deployment {deployment}. FT_POSTGRES or FT_KAFKA is likely wrong, or a backup another one's: whose "
            "they are is not proven, so they stay. Nothing was changed."
        )
