"""What a loss left, told from what Postgres and Kafka say; and what is done about it, to its end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ft.config import Config
from ft.errors import ConfigError
from ft.ops.rebuild.progress import Report
from ft.ops.recovery import announced, lost, older, whose
from ft.ops.recovery.positions import Position, positions
from ft.ops.recovery.session import (
    Begun,
    Connection,
    Kind,
    begin,
    begun,
    finish,
    journal_ends,
    networks,
    require_named,
    require_topics_of,
    running,
)
from ft.sql.migrate import stored_partitions
from ft.sql.queries import LIVE, load
from ft.streams.deployment.comparing import told_generations
from ft.streams.deployment.naming import say_it
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topic_admin import ends_of, partition_counts, topic_identities
from ft.streams.kafka.topics import Topics

_LOG: Final = ("normalize", "ledger")
"""Consumers whose topics are the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done. ``cut``: blocks that are read again from the chain; ``taken_back``: those that were applied in
    part."""

    kind: Kind
    generation: int
    cut: int = 0
    taken_back: int = 0


def left_of(config: Config, read: Iterable[Position], known_networks: Sequence[str]) -> Kind:
    """What Kafka still has of the topics that were read.

    Raises ConfigError where only a part of them is there, BrokerUnavailable.
    """
    topics, counts = Topics(config.topic_prefix), partition_counts(config)
    known = {each.topic: each.topic_id for each in read if each.consumer in _LOG}
    there = sorted(known.keys() & counts.keys())
    found = topic_identities(config, there) if there else {}
    whole = {topic for topic in there if found[topic].topic_id == known[topic]}
    if known and whole == set(known):
        return "announce"
    ours = sorted({*topics.records(known_networks), topics.deployment} & counts.keys())
    ends = ends_of(config, [(name, partition) for name in ours for partition in range(counts[name])]) if ours else {}
    filled = sorted({topic for (topic, _), end in ends.items() if end > 0})
    if not filled:
        return "lost"
    if not known:  # it has read nothing yet: nothing of it can be missing
        return "announce"
    gone = ", ".join(sorted(set(known) - whole))
    raise ConfigError(
        f"Kafka at {config.kafka}: expected all topics of the deployment, or none, got {', '.join(filled)} without "
        f"{gone}. FT_KAFKA is likely wrong, or a part of it was lost. Start Kafka with the data it had; or point "
        "FT_KAFKA at an empty cluster, where all of them are made anew. Nothing was changed."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a reannouncement would do."""

    deployment: str
    kind: Kind
    begun: bool
    """Whether it goes on with one that was ended before it was done."""
    rows: int
    """Of the journal: so many records are announced."""
    records: int
    """Of the ledger's topics, that are deleted before."""
    refused_while: Sequence[str] = ()
    """Processes of the deployment that are at work: nothing is done before they are stopped."""


def plan(config: Config, conn: Connection, report: Report | None = None) -> Planned:
    """Change nothing. ``report``: told of workers that are waited for; None: nobody will do it, so that they may run.

    Raises ConfigError where nothing is named, or Kafka has a part of the topics, or workers of another database read
    them; OtherDeployment where they are not this deployment's; BrokerError, BrokerUnavailable.
    """
    deployment, state = require_named(config, conn), begun(conn)
    rows = sum(journal_ends(conn, stored_partitions(conn)))
    if state is not None:
        return Planned(deployment=deployment, kind=state.kind, begun=True, rows=rows, records=0)
    kind = left_of(config, positions(conn.execute(load("recovery", LIVE)["positions"])), networks(conn))
    at_work = running(conn) if report is None else ()
    if kind == "announce":  # records are deleted
        require_topics_of(config, deployment, told_generations(config)[0])
        if not at_work:
            whose.require_nobody_reads(config, report)
    records = announced.records_of_ledger(config) if kind == "announce" else 0
    return Planned(deployment=deployment, kind=kind, begun=False, rows=rows, records=records, refused_while=at_work)


def reannounce(config: Config, conn: Connection, report: Report) -> Done:
    """`ft reannounce`: Kafka has lost the deployment's topics, or those of the ledger; Postgres stands. What
    :func:`plan` says is done. Raises as it does, and as :func:`go_on`."""
    planned = plan(config, conn, report)
    state = begun(conn) or begin(conn, planned.kind, "ft reannounce")
    return go_on(config, conn, state, report)


def go_on(config: Config, conn: Connection, state: Begun, report: Report) -> Done:
    """Do what is left of a recovery that has begun. The next call goes on where this one was ended.

    Raises psycopg.Error, BrokerError, BrokerUnavailable, RegistryUnavailable, OtherDeployment.
    """
    partitions, cut = stored_partitions(conn), lost.Cut(blocks=0, taken_back=0)
    if not state.stored:
        if state.kind == "lost":
            cut = lost.store(config, conn, state, partitions)
        elif state.kind == "announce":
            announced.store(config, conn, state, partitions, report)
        else:
            older.store(config, conn, state, told_generations(config)[1], partitions, report)
    if state.kind == "lost":
        lost.make_topics(config, conn, partitions, report)
    with Schemas(config) as schemas:
        say_it(config, networks(conn), partitions, schemas)
    finish(conn)
    row = conn.execute(load("generations", LIVE)["present"]).fetchone()
    return Done(kind=state.kind, generation=row[0] if row else 0, cut=cut.blocks, taken_back=cut.taken_back)
