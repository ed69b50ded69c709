"""A backup, or a database that was restored by other means -> a deployment that goes on.

1. the backup is whole, and of the deployment whose topics Kafka has, if it has any; nobody reads those for another
   database, which would be taken out of service
2. the database is empty, and gets what was dumped, in one transaction; older ones are migrated
3. what Kafka has left decides how it goes on (``continued``)
"""

import time
from pathlib import Path
from typing import Final

from psycopg import sql as composed

from ft import postgres_programs
from ft.config import Config
from ft.errors import ConfigError
from ft.ops.rebuild.progress import Progress, Report
from ft.ops.recovery import manifest as manifests
from ft.ops.recovery import reread, whose
from ft.ops.recovery.continued import Done, go_on, left_of
from ft.ops.recovery.manifest import DATABASE, Manifest
from ft.ops.recovery.positions import positions, require_in_log
from ft.ops.recovery.session import (
    Begun,
    Connection,
    Kind,
    alone,
    begin,
    begun,
    drop_schemas,
    is_blank,
    journal_ends,
    networks,
    only_one,
    require_named,
    require_no_reset,
    require_topics_of,
    schemas_there,
    stand_still,
)
from ft.sql.migrate import ensure_roles, migrate, stored_partitions
from ft.sql.queries import LIVE, load
from ft.streams.deployment.comparing import named, told_generations

_RESTORING: Final = "ft_restoring"
_RESTORED: Final = "pg_restore: processing data for table"


def restore(config: Config, folder: Path, report: Report) -> Done:
    """`ft restore --from`. Goes on where it was ended.

    Raises ConfigError, OtherDeployment, OffsetMismatch, ServerError where pg_restore fails, StillRunning,
    DatabaseUnavailable, BrokerUnavailable, RegistryUnavailable.
    """
    made = manifests.read(folder)
    manifests.require_whole(folder, made, report)
    if config.topic_prefix != made.topic_prefix:
        raise ConfigError(
            f"{folder}: a backup of topics under FT_TOPIC_PREFIX {made.topic_prefix!r}: expected that setting, got "
            f"{config.topic_prefix!r}. Nothing was changed."
        )
    command = f"ft restore --from {folder}"
    with only_one(config) as conn:
        if not _is_there(conn, made):
            kind = _kind(config, made)
            whose.require_nobody_reads(config, report)
            mark(config, conn, command)
            _load(config, conn, folder, made, report)
            if kind == "reread":
                _require_possible(conn)
            _begin(conn, kind, command)
            migrate(config.postgres, config)
        stand_still(config, conn)
        state = begun(conn) or _begin(conn, _kind(config, made), command)
        with conn.transaction():
            conn.execute("SET LOCAL ROLE ft_migrate")
            conn.execute(f"DROP SCHEMA IF EXISTS {_RESTORING}")
        return go_on(config, conn, state, report)


def mark(config: Config, conn: Connection, command: str) -> None:
    """While the dump is put into the database, which then says nothing: from here on nobody starts."""
    ensure_roles(conn, config)
    said = composed.SQL("COMMENT ON SCHEMA {} IS {}").format(composed.Identifier(_RESTORING), composed.Literal(command))
    with conn.transaction():
        conn.execute("SET LOCAL ROLE ft_migrate")
        conn.execute(f"CREATE SCHEMA IF NOT EXISTS {_RESTORING}")
        conn.execute(said)


def continue_as_it_stands(config: Config, report: Report) -> Done:
    """`ft restore --as-it-stands`: the database was brought to an older state by other means.

    Raises as :func:`restore`.
    """
    with alone(config) as conn:
        deployment = require_named(config, conn)
        state = begun(conn)
        if state is None:
            read = positions(conn.execute(load("recovery", LIVE)["positions"]))
            if left_of(config, read, networks(conn)) == "lost":
                raise ConfigError(
                    f"Kafka at {config.kafka} has none of the deployment's topics: expected them. `ft reannounce` "
                    "makes them anew from the journal. Nothing was changed."
                )
            require_topics_of(config, deployment, told_generations(config)[0])
            whose.require_nobody_reads(config, report)
            kind = require_in_log(config, read, networks(conn))
            if kind == "reread":
                reread.require_possible(conn)
            state = begin(conn, kind, "ft restore --as-it-stands")
        return go_on(config, conn, state, report)


def _begin(conn: Connection, kind: Kind, command: str) -> Begun:
    """Where Kafka is lost with the database, nobody knows which generations came after the backup: the new one gets a
    number that none of them had, the minutes since 1970."""
    return begin(conn, kind, command, at_least=int(time.time()) // 60 if kind == "lost" else 0)


def _kind(config: Config, made: Manifest) -> Kind:
    """How it goes on: Kafka has nothing, or what the backup has read, and more. Raises as :func:`restore`."""
    read = positions(made.positions)
    if left_of(config, read, made.networks) == "lost":
        return "lost"
    told = told_generations(config)[0]
    if told is not None:  # else it cannot be read yet: its schema is in the backup
        require_topics_of(config, made.deployment, told)
    return require_in_log(config, read, made.networks)


def _require_possible(conn: Connection) -> None:
    """Raises as :func:`reread.require_possible`; what was restored just now goes again."""
    try:
        reread.require_possible(conn)
    except ConfigError:
        with conn.transaction():
            drop_schemas(conn)
        raise


def _is_there(conn: Connection, made: Manifest) -> bool:
    """Whether the database has what was dumped, from a run that was ended. Raises ConfigError where it has else."""
    require_no_reset(conn)
    there = schemas_there(conn)
    if not there or is_blank(conn):
        return False
    row = named(conn)
    of_it = row is not None and row[0] == made.deployment
    if row is not None and of_it and row[1] > made.epoch and begun(conn) is None:
        raise ConfigError(
            f"the database is that of deployment {row[0]} in generation {row[1]}, and the backup is of generation "
            f"{made.epoch}: expected an empty one; this backup was restored here already, and is done. To restore it "
            "once more, empty the database with `ft reset --keep topics`, which asks before it does. Nothing was "
            "changed."
        )
    if of_it and (begun(conn) or list(journal_ends(conn, stored_partitions(conn))) == made.journal_ends):
        return True
    emptied = "; or empty this one with `ft reset --keep topics`, which asks before it does" if row else ""
    raise ConfigError(
        f"the database has {', '.join(there)}{f' of deployment {row[0]}' if row else ''}: expected an empty one, into "
        f"which the backup is restored. Point FT_POSTGRES at an empty database{emptied}. Nothing was changed."
    )


def _load(config: Config, conn: Connection, folder: Path, made: Manifest, report: Report) -> None:
    progress = Progress(what="pg_restore", unit="tables", total=made.tables)

    def heard(line: str) -> None:
        if line.startswith(_RESTORED):
            progress.done += 1
            report(progress)

    ensure_roles(conn, config)
    if is_blank(conn):  # it would be in the way
        with conn.transaction():
            drop_schemas(conn)
    report(f"restoring {made.events:,} rows of the journal of {made.deployment}")
    postgres_programs.run(
        "pg_restore", config.postgres,
        ["--single-transaction", "--exit-on-error", "--role=ft_migrate", "--verbose", str(folder / DATABASE)], heard,
    )  # fmt: skip
    with conn.transaction():
        conn.execute("SET LOCAL ROLE ft_migrate")
        for name in ("forget_workers", "forget_followers", "forget_jobs"):  # they run on the database that was dumped
            conn.execute(load("recovery", LIVE)[name])
        conn.execute("ANALYZE (SKIP_LOCKED)")
