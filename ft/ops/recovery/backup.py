"""A deployment -> a folder that it can be restored from, while everything runs.

1. a snapshot of Postgres: what is dumped, and where the consumers stood, is of one moment
2. the dump, by Postgres' own pg_dump; the schemas with their ids; Kafka's ends
3. checksums, and the manifest that names them; then the folder gets its name
"""

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg

from ft import postgres_programs
from ft.config import Config
from ft.errors import ConfigError
from ft.ops.rebuild.progress import Progress, Report
from ft.ops.recovery import manifest as manifests
from ft.ops.recovery.manifest import DATABASE, SCHEMAS_FILE, VERSION, Manifest
from ft.ops.recovery.session import Connection, connected, journal_ends, networks, require_only_one
from ft.sql.migrate import stored_partitions
from ft.sql.queries import LIVE, load, schemas
from ft.sql.session import translated
from ft.streams.deployment.comparing import require_one
from ft.streams.deployment.preflight import require_migrated
from ft.streams.deployment.schema_files import exported
from ft.streams.kafka.topic_admin import ends_of, partition_counts
from ft.streams.kafka.topics import Topics

_DUMPED: Final = "pg_dump: dumping contents of table"


def back_up(config: Config, to: Path, report: Report) -> Manifest:
    """Write the backup. ``to``: a folder that is not there, or empty.

    Raises ConfigError, OtherDeployment, ServerError where pg_dump fails, DatabaseUnavailable, BrokerUnavailable.
    """
    with connected(config, "ft backup") as conn:
        require_only_one(conn)
    require_one(config)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError(f"--to {to}: expected a folder that is not there, or empty, got one that has something in it")
    partial = to.with_name(f"{to.name}.partial")
    if partial.exists():
        raise ConfigError(f"{partial}: another `ft backup` writes it, or was cut off. Delete it, and try again.")
    try:
        partial.mkdir(parents=True)
    except OSError as exc:
        raise ConfigError(f"--to {to}: expected a place where a folder can be made, got: {exc}") from exc
    try:
        with connected(config, "ft backup") as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            made = _write(config, conn, partial, report)
    except psycopg.Error as exc:
        raise translated(exc) from exc
    if to.exists():
        to.rmdir()
    partial.rename(to)
    return made


def _write(config: Config, conn: Connection, folder: Path, report: Report) -> Manifest:
    sql = load("recovery", LIVE)
    conn.execute("SET LOCAL ROLE ft_migrate")
    require_migrated(conn)
    snapshot = _one(conn, sql["snapshot"])
    row = conn.execute(load("deployment", LIVE)["stored"]).fetchone()
    assert row is not None  # it is of one
    partitions = stored_partitions(conn)
    positions = [list(each) for each in conn.execute(sql["positions"])]
    ends, known = journal_ends(conn, partitions), networks(conn)
    server = _one(conn, "SHOW server_version")
    report(f"snapshot: {sum(ends):,} rows of the journal")
    tables = _one(conn, sql["tables"], schemas=list(schemas()))
    _dump(config, folder / DATABASE, snapshot, Progress(what="pg_dump", unit="tables", total=tables), report)
    (folder / SCHEMAS_FILE).write_text(exported(config)[0])
    made = Manifest(
        version=VERSION, ft=version("ft-supply"), postgres=server, deployment=row[0], epoch=row[1], topic_prefix=row[2],
        cluster_id=row[3], partitions=partitions, networks=known, made_at=int(time.time()), tables=tables,
        journal_ends=list(ends), positions=positions, topic_ends=_topic_ends(config, known),
        files=manifests.summed(folder, report),
    )  # fmt: skip
    manifests.write(folder, made)
    return made


def _dump(config: Config, to: Path, snapshot: str, progress: Progress, report: Report) -> None:
    def heard(line: str) -> None:
        if line.startswith(_DUMPED):
            progress.done += 1
            report(progress)

    chosen = [f"--schema={name}" for name in schemas()]
    postgres_programs.run(
        "pg_dump", config.postgres,
        ["--format=directory", "--jobs=2", "--compress=gzip:1", "--role=ft_migrate", "--verbose", *chosen,
         f"--snapshot={snapshot}", f"--file={to}"],
        heard,
    )  # fmt: skip


def _topic_ends(config: Config, networks: Sequence[str]) -> dict[str, list[int]]:
    topics, counts = Topics(config.topic_prefix), partition_counts(config)
    names = sorted({*topics.records(networks), topics.deployment} & counts.keys())
    ends = ends_of(config, [(name, partition) for name in names for partition in range(counts[name])])
    return {name: [ends[name, partition] for partition in range(counts[name])] for name in names}


def _one(conn: Connection, statement: Any, **values: object) -> Any:
    row = conn.execute(statement, values or None).fetchone()
    assert row is not None
    return row[0]
