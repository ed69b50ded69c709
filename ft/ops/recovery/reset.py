"""A deployment emptied on purpose: its database, and all its topics, or all but the raw ones.

What is deleted is this deployment's, and that is proven first (``whose``). With the raw topics kept it stays the same
deployment, of a new generation in which nothing of the old ones holds: workers read everything again. Without them, it
is gone. A database that is lost is no hindrance to the former: the topic says which deployment it was.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from ft.config import Config
from ft.errors import ConfigError
from ft.networks import load_networks
from ft.ops.rebuild.progress import Report
from ft.ops.recovery import whose
from ft.ops.recovery.session import (
    Connection,
    begin,
    drop_schemas,
    finish,
    is_blank,
    is_half_reset,
    networks,
    put_origins,
    running,
    schemas_there,
)
from ft.sql.migrate import migrate, stored_partitions
from ft.sql.queries import LIVE, load
from ft.streams.deployment.comparing import named, told_generations, told_whole
from ft.streams.deployment.generations import ONLY_ONE, Generations
from ft.streams.deployment.naming import say_it
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topic_admin import cluster_id, create_topics, delete_topics, topic_names
from ft.streams.kafka.topics import Topics

Keep: TypeAlias = Literal["nothing", "raw", "topics"]
COMMAND: Final = "ft reset --keep raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be deleted, and of whom."""

    deployment: str
    """Empty: the database names none, and no topic is deleted."""
    topics: Sequence[str] = ()
    """To be deleted."""
    kept: Sequence[str] = ()
    rows: int = 0
    """Of the journal."""
    letters: int = 0
    """Dead letters that nobody has settled."""
    bytes: int = 0
    """Of the database."""
    partitions: int = 0
    before: Generations = ONLY_ONE
    """All that are known; none of them holds afterwards."""
    followers: Sequence[Sequence[Any]] = ()
    """Of the networks that are followed: job, network, next height."""
    refused_while: Sequence[str] = ()
    """Processes of the deployment that are at work: nothing is deleted before they are stopped."""


def plan(config: Config, conn: Connection, keep: Keep, *, dry_run: bool = False, report: Report | None = None) -> Plan:
    """Change nothing. ``dry_run``: nobody will, so that the deployment's own processes may be at work. ``report``: told
    of workers that are waited for; None: none is.

    Raises ConfigError where there is nothing to be emptied, or no way to read it again; OtherDeployment where the
    topics are not proven to be this deployment's; BrokerUnavailable.
    """
    row = named(conn)
    if row is None:
        return _unnamed(config, conn, keep, None if dry_run else report)
    sql, there = load("recovery", LIVE), set(topic_names(config))
    rows, letters, size = conn.execute(sql["sizes"]).fetchone() or (0, 0, 0)
    found = Plan(
        deployment=row[0], rows=rows, letters=letters, bytes=size, partitions=stored_partitions(conn),
        refused_while=running(conn) if dry_run else (),
    )  # fmt: skip
    if keep == "topics":
        return found
    known = {*networks(conn), *load_networks(config.networks_file)}
    ours = _topics(config, known) & there
    whose.require_own(config, any_topics=bool(ours))
    if not found.refused_while:
        whose.require_nobody_reads(config, None if dry_run else report)
    if keep == "nothing":
        return replace(found, topics=sorted(ours))
    whose.require_whole_raw(config, known, there, conn)
    followers = [list(row) for row in conn.execute(sql["followers"])]
    before, told = Generations.of(conn), told_generations(config)[1]
    known_of = replace(before, origins={**before.origins, **told.origins}, present=max(before.present, told.present))
    return _but_raw(config, replace(found, followers=followers, before=known_of), ours)


def _unnamed(config: Config, conn: Connection, keep: Keep, report: Report | None) -> Plan:
    """Of a database that names no deployment: it is lost, or what a migration left that was refused."""
    schemas = schemas_there(conn)
    if schemas and not is_blank(conn):
        raise ConfigError(
            f"the database has {', '.join(schemas)} and names no deployment: expected an empty one, or one that does. "
            "`ft migrate` names one of an earlier version. Nothing was changed."
        )
    if keep == "topics":
        if not schemas:
            raise ConfigError(f"the database is empty: nothing to do. {afterwards(config, keep)}")
        return Plan(deployment="")
    found, told = whose.told_by_topics(config)
    if told is None:
        if schemas:
            return Plan(deployment="")
        raise ConfigError(
            "the database names no deployment, and no topic under FT_TOPIC_PREFIX "
            f"{found.prefix!r} does: expected one that is to be emptied. Nothing to do: `ft migrate` begins a new one."
        )
    if keep == "nothing":
        raise ConfigError(whose.without_database(told))
    said = told_whole(config)
    assert said is not None
    known, there = {*said["networks"], *load_networks(config.networks_file)}, set(topic_names(config))
    whose.require_nobody_reads(config, report)
    whose.require_whole_raw(config, known, there, None)
    before = Generations.said(said["epoch"], said["generations"])
    raw = Topics(config.topic_prefix).raw
    followers = [["", network, 0] for network in sorted(known) if raw(network) in there]
    made = Plan(deployment=told.id, partitions=said["partitions"], before=before, followers=followers)
    return _but_raw(config, made, _topics(config, known) & there)


def _but_raw(config: Config, found: Plan, ours: set[str]) -> Plan:
    kept = {name for name in ours if name.endswith(".raw")} | {Topics(config.topic_prefix).deployment}
    return replace(found, topics=sorted(ours - kept), kept=sorted(kept & ours))


def reset(config: Config, conn: Connection, keep: Keep, found: Plan, report: Report) -> None:
    """Delete what ``found`` names. Raises psycopg.Error, BrokerError, BrokerUnavailable.

    1. the topics, and last of them the one that says whose they are; 2. the database; 3. with raw topics kept: what a
    migration makes, and the same name again (``go_on``)
    """
    says = Topics(config.topic_prefix).deployment
    if found.topics:
        report(f"topics: {len(found.topics)} are deleted")
    delete_topics(config, [name for name in found.topics if name != says])  # 1
    delete_topics(config, [name for name in found.topics if name == says])
    with conn.transaction():  # 2
        drop_schemas(conn)
        if keep == "raw":
            made = found.before.next(ONLY_ONE, [0] * found.partitions)
            left = {
                "id": found.deployment, "topic_prefix": config.topic_prefix, "cluster_id": cluster_id(config),
                "partitions": found.partitions, "followers": found.followers, "epoch": made.present,
                "generations": made.to_say(),
            }  # fmt: skip
            conn.execute("CREATE SCHEMA ft_reset")
            conn.execute("CREATE TABLE ft_reset.left_to_do AS SELECT %s::text AS value", (json.dumps(left),))
    report("database: emptied")
    if keep == "raw":
        go_on(config, conn)


def unfinished(config: Config, conn: Connection, keep: Keep) -> bool:
    """Whether an earlier run emptied the database, and was ended before it had named it again.

    Raises ConfigError where that one is to be gone on with by another command, or with other settings.
    """
    if not is_half_reset(conn):
        return False
    left, row = _left(conn), named(conn)
    if keep != "raw":
        raise ConfigError(
            "a `ft reset --keep raw` emptied this database, and was ended before it was done: expected that command, "
            "which goes on with it. Nothing was changed."
        )
    expected = (left["topic_prefix"], left["cluster_id"], left["id"])
    got = (config.topic_prefix, cluster_id(config), left["id"] if row is None else str(row[0]))
    if got != expected:
        raise ConfigError(
            "a `ft reset --keep raw` that was ended goes on where it was: expected prefix {!r}, Kafka cluster {} and "
            "deployment {}, got {!r}, {} and {}. ".format(*expected, *got)
            + "FT_TOPIC_PREFIX, FT_KAFKA or FT_POSTGRES is likely wrong. Nothing was changed."
        )
    return True


def go_on(config: Config, conn: Connection) -> None:
    """Step 3. The next call goes on where it was ended. Raises as :func:`reset`."""
    sql, left = load("recovery", LIVE), _left(conn)
    partitions = left["partitions"]
    migrate(config.postgres, replace(config, partitions=partitions))
    configured = list(load_networks(config.networks_file))
    create_topics(config, configured, partitions)
    with conn.transaction():
        values = {"id": left["id"], "epoch": left["epoch"], "cluster_id": left["cluster_id"]}
        conn.execute(sql["put_deployment"], {**values, "topic_prefix": config.topic_prefix})
        put_origins(conn, Generations.said(left["epoch"], left["generations"]))
        for job, network, next_height in left["followers"]:
            if job:
                conn.execute(sql["put_follower"], {"job": job, "network": network, "next_height": next_height})
            conn.execute(sql["put_lease"], {"network": network})
        begin(conn, "reset", COMMAND)
    with Schemas(config) as schemas:
        schemas.register(Topics(config.topic_prefix).records(configured))
        say_it(config, configured, partitions, schemas)
    with conn.transaction():
        finish(conn)
        conn.execute("DROP SCHEMA ft_reset CASCADE")


def afterwards(config: Config, keep: Keep) -> str:
    """What comes next."""
    if keep == "raw":
        return "Workers read the raw topics again."
    told = None if keep == "nothing" else told_generations(config)[0]
    if told is None:
        return "`ft migrate` begins a new deployment."
    return (
        f"The topics are those of {told}: `ft restore --from DIR` brings its database back, or, without a backup, "
        "`ft reset --keep raw` reads the raw topics again. `ft migrate` begins another one, under another "
        "FT_TOPIC_PREFIX."
    )


def _left(conn: Connection) -> dict[str, Any]:
    row = conn.execute("SELECT value FROM ft_reset.left_to_do").fetchone()
    assert row is not None
    found: dict[str, Any] = json.loads(row[0])
    return found


def _topics(config: Config, known: set[str]) -> set[str]:
    """Those that a deployment of these networks has."""
    topics = Topics(config.topic_prefix)
    return {*topics.records(known), topics.deployment}
