"""A deployment emptied on purpose: its database, and all its topics, or all but the raw ones.

What is deleted is this deployment's: its database names it, and so does the topic under its prefix. With the raw topics
kept it stays the same deployment, of a new generation in which nothing of the old ones holds: workers read everything
again. Without them, it is gone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from psycopg import sql as composed

from ft.agents.rebuild.progress import Report
from ft.agents.recovery.session import SCHEMAS, Connection, networks, put_origins, require_topics_of
from ft.config import Config
from ft.errors import ConfigError
from ft.networks import load_networks
from ft.sql.migrate import migrate, stored_partitions
from ft.sql.queries import LIVE, load
from ft.streams.deployment import named, say_it, told_generations
from ft.streams.generations import ONLY_ONE, Generations
from ft.streams.schema_ids import Schemas
from ft.streams.topics import Topics, cluster_id, create_topics, delete_topics, topic_names

Keep: TypeAlias = Literal["nothing", "raw", "topics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be deleted, and of whom."""

    deployment: str
    topics: Sequence[str]
    """To be deleted."""
    kept: Sequence[str]
    rows: int
    """Of the journal."""
    letters: int
    """Dead letters that nobody has settled."""
    bytes: int
    """Of the database."""


def plan(config: Config, conn: Connection, keep: Keep) -> Plan:
    """Change nothing. Raises ConfigError for a database that is not migrated, OtherDeployment where the topics are not
    proven to be this deployment's, BrokerUnavailable."""
    sql = load("recovery", LIVE)
    row = named(conn)
    if row is None:
        raise ConfigError("the database names no deployment: expected the one that is to be emptied. Nothing to do.")
    rows, letters, size = conn.execute(sql["sizes"]).fetchone() or (0, 0, 0)
    ours = _topics(config, conn) if keep != "topics" else []
    if ours:
        require_topics_of(config, row[0], told_generations(config)[0])
    raw = [name for name in ours if name.endswith(".raw")] if keep == "raw" else []
    kept = [*raw, Topics(config.topic_prefix).deployment] if keep == "raw" else []
    gone = [name for name in ours if name not in kept]
    return Plan(deployment=row[0], topics=gone, kept=kept, rows=rows, letters=letters, bytes=size)


def reset(config: Config, conn: Connection, keep: Keep, found: Plan, report: Report) -> None:
    """Delete what ``found`` names. Raises psycopg.Error, BrokerError, BrokerUnavailable.

    1. the topics; 2. the database; 3. with raw topics kept: what a migration makes, and the same name again (``go_on``)
    """
    partitions, before = stored_partitions(conn), Generations.of(conn)
    followers = [list(row) for row in conn.execute(load("recovery", LIVE)["followers"])]
    told = told_generations(config)[1] if keep == "raw" else ONLY_ONE
    report(f"topics: {len(found.topics)} are deleted")
    delete_topics(config, found.topics)  # 1
    report("database: emptied")
    with conn.transaction():  # 2
        for name in SCHEMAS:
            conn.execute(composed.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(composed.Identifier(name)))
        if keep == "raw":
            made = before.next(told, [0] * partitions)
            left = {
                "id": found.deployment, "cluster_id": cluster_id(config), "partitions": partitions,
                "followers": followers, "epoch": made.present, "generations": made.to_say(),
            }  # fmt: skip
            conn.execute("CREATE SCHEMA ft_reset")
            conn.execute("CREATE TABLE ft_reset.left_to_do AS SELECT %s::text AS value", (json.dumps(left),))
    if keep == "raw":
        go_on(config, conn)


def unfinished(conn: Connection) -> bool:
    """Whether an earlier run emptied the database, and was ended before it had named it again."""
    return conn.execute("SELECT to_regclass('ft_reset.left_to_do') IS NOT NULL").fetchone() == (True,)


def go_on(config: Config, conn: Connection) -> None:
    """Step 3. The next call goes on where it was ended. Raises as :func:`reset`."""
    sql = load("recovery", LIVE)
    row = conn.execute("SELECT value FROM ft_reset.left_to_do").fetchone()
    assert row is not None
    left = json.loads(row[0])
    partitions = left["partitions"]
    migrate(config.postgres, replace(config, partitions=partitions))
    configured = list(load_networks(config.networks_file))
    create_topics(config, configured, partitions)
    with conn.transaction():
        values = {"id": left["id"], "epoch": left["epoch"], "cluster_id": left["cluster_id"]}
        conn.execute(sql["put_deployment"], {**values, "topic_prefix": config.topic_prefix})
        put_origins(conn, Generations.said(left["epoch"], left["generations"]))
        for job, network, next_height in left["followers"]:
            conn.execute(sql["put_follower"], {"job": job, "network": network, "next_height": next_height})
            conn.execute(sql["put_lease"], {"network": network})
    with Schemas(config) as schemas:
        schemas.register(Topics(config.topic_prefix).records(configured))
        say_it(config, configured, partitions, schemas)
    conn.execute("DROP SCHEMA ft_reset CASCADE")


def _topics(config: Config, conn: Connection) -> list[str]:
    """Those of this deployment that the broker has: of networks that are configured, or were."""
    topics = Topics(config.topic_prefix)
    known = {*networks(conn), *load_networks(config.networks_file)}
    return sorted({*topics.records(known), topics.deployment} & set(topic_names(config)))
