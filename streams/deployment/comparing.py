"""What a deployment says of itself, in its database and on its topic; and whether what this process finds is of one.

Asked by whatever runs, before it does anything else. The rule is in ``identity``; ``naming`` names a deployment that
has no name yet.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg
import structlog

from ft.config import Config
from ft.errors import ConfigError, FtError
from ft.schemas.codec import Codec, Fetch
from ft.schemas.registered import Agreement, Registered, contradictions, unkept
from ft.sql.queries import LIVE, load
from ft.sql.session import looking
from ft.streams.deployment.generations import ONLY_ONE, Generations
from ft.streams.deployment.identity import Deployment, Found, OtherDeployment, Verdict, judge, lost_topics
from ft.streams.deployment.identity_check import Announced, ahead, last_announced
from ft.streams.deployment.record import RECORD, Told, last_record, say
from ft.streams.deployment.schema_ids import NO_ID, Schemas, holds
from ft.streams.kafka.admin import Admin
from ft.streams.kafka.topic_admin import cluster_id, ends_of, topic_identities, topic_ids, topic_names
from ft.streams.kafka.topics import Topics

log = structlog.get_logger(__name__)

Read: TypeAlias = frozenset[tuple[str, str]]
"""Topics with their ids."""


def require_one(config: Config) -> Verdict:
    """Compare what the settings point at, and change nothing. Blocking.

    Raises OtherDeployment, DatabaseUnavailable, BrokerUnavailable, RegistryUnavailable where its topic can be read with
    the registry's help only.
    """
    return judge(look(config))


@contextmanager
def whose_topics(config: Config) -> Iterator[None]:
    """What is refused inside because the database is not migrated is told as OtherDeployment where the topics under the
    prefix say that they are somebody's. Where Kafka does not answer, it is told as it is. Blocking."""
    try:
        yield
    except OtherDeployment:
        raise
    except ConfigError:
        refuse_somebodys(config)
        raise


def refuse_somebodys(config: Config) -> None:
    """Raises OtherDeployment as :func:`require_one`; what cannot be looked at says nothing."""
    try:
        require_one(config)
    except OtherDeployment:
        raise
    except FtError as exc:
        log.debug("whose the topics are cannot be said", error=str(exc))


def settle(config: Config) -> None:
    """As :func:`require_one`; and what was lost is given back. Blocking. For whoever writes.

    1. to the topic what it said before somebody deleted that
    2. to the database the schemas that its topic names
    3. to the registry the ids that the database keeps
    """
    found = look(config)
    verdict = judge(found)
    if found.told is not None and found.overwritten:
        say(config, found.told.id, found.overwritten)  # 1
        log.warning("what the deployment's topic said was deleted, and is said again", deployment=found.told.id)
    if found.unkept or verdict == "restore":
        with Schemas(config) as schemas:
            schemas.keep(found.unkept)  # 2
            if verdict == "restore":
                schemas.restore()  # 3


class Same:
    """Whether what a process finds is what it found before; only what changed is read anew."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen: object = None
        self._turn = 0
        """Which of the registry's ids is looked at: the next one, once it is right."""

    def look(self, conn: psycopg.Connection[Any]) -> None:
        """Raises as :func:`settle`. Blocking. ``conn``: one that is fresh, as the address is looked at too."""
        place = self._place(conn)
        if place != self._seen:
            settle(self._config)
            self._seen = place
        if not holds(conn, self._config, self._turn):
            settle(self._config)
        self._turn += 1

    def _place(self, conn: psycopg.Connection[Any]) -> object:
        row = named(conn)
        read = _topics_read(conn, self._config, row)
        return row, read, place_of(self._config, {topic for topic, _ in read})


def place_of(config: Config, read: Collection[str]) -> object:
    """What is equal as long as nothing was said anew on the topic of the same Kafka, and the topics that were ``read``
    are there, and those that nobody's claim keeps. Blocking. Raises BrokerError."""
    topics, admin = Topics(config.topic_prefix), Admin(config)
    topic = topics.deployment
    there = set(topic_names(config, admin))
    if topic not in there:
        return cluster_id(config, admin)
    identities = topic_identities(config, {topic, *read, *topics.unread} & there, admin)
    return identities, ends_of(config, [(topic, 0)], admin)[topic, 0]


def stored_id(config: Config) -> str | None:
    """The deployment's, as the database says; None: it names none yet. Raises DatabaseUnavailable."""
    found = stored_deployment(config)
    return None if found is None else found.id


def stored_deployment(config: Config) -> Deployment | None:
    """The same, whole."""
    with looking(config) as conn:
        return named_deployment(conn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a database says of its deployment."""

    deployment: Deployment | None
    """None: it names none yet, or was never migrated."""
    announced: bool = False
    """Whether it knows that its topic has said so."""
    unfinished: str = ""
    """The command that goes on with a restore which has begun."""
    ledger_topic: str | None = None
    """What the ledger of one that names no deployment has read."""
    read: Read = frozenset()
    """Topics that it has read or written."""
    kept: Sequence[Registered] = ()
    """The schemas that it keeps."""
    journal_ends: Mapping[int, int] = field(default_factory=dict)
    put_aside: frozenset[tuple[int, int]] = frozenset()
    """Partition and offset of records of the topic of changes that project took for nobody's announcement."""
    generations: Generations = ONLY_ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What Kafka and the registry say."""

    cluster_id: str
    told: Told
    topic_ids: Mapping[str, str]
    """Topic -> id, of those that exist of the topics that were read, and that the record names."""
    announced: Mapping[int, Sequence[Announced]]
    registry: Agreement | None


def look(config: Config) -> Found:
    """Where the settings point, and what is there. Blocking. Raises as :func:`require_one`."""
    with looking(config) as conn:
        # Before Kafka is asked: another worker may just read its first record.
        read = _topics_read(conn, config, named(conn))
    with Schemas(config) as schemas:
        asked = ask(config, schemas.schema, schemas.agreement(), {topic for topic, _ in read})
        kept = schemas.kept
    return found_by(config, asked, _stored(config, kept, read))  # the journal after the records: it may go on meanwhile


def ask(config: Config, schema: Fetch, registry: Agreement | None, read: Collection[str]) -> Asked:
    """Kafka's part of a look. ``schema``: the writer's schema of an id; ``read``: topics that were read or written.
    Blocking. Raises BrokerError."""
    admin = Admin(config)
    told = last_record(config, Codec(RECORD, NO_ID, schema), admin)
    return Asked(
        cluster_id=cluster_id(config, admin),
        told=told,
        topic_ids=topic_ids(config, {*read, *(topic for topic, _ in _unread(config, told.record))}, admin),
        announced=last_announced(config, Codec("ownership_changed", NO_ID, schema), admin),
        registry=registry,
    )


def found_by(config: Config, asked: Asked, stored: Stored) -> Found:
    """Both parts together. Pure."""
    told = asked.told.record
    said = [] if told is None else [Registered(**row) for row in told["schemas"]]
    return Found(
        prefix=config.topic_prefix,
        cluster_id=asked.cluster_id,
        stored=stored.deployment,
        unfinished=stored.unfinished,
        announced=stored.announced,
        told=None if told is None else _deployment(told),
        unreadable=told is None and asked.told.records > 0,
        overwritten=asked.told.value if told is not None and not asked.told.is_last else b"",
        ledger_topic=stored.ledger_topic,
        normalized=Topics(config.topic_prefix).normalized,
        unkept=tuple(unkept(stored.kept, said)),
        contradicted=tuple(contradictions([*stored.kept, *said])),
        lost=lost_topics(config.topic_prefix, {*stored.read, *_unread(config, told)}, asked.topic_ids),
        ahead=ahead(asked.announced, stored.journal_ends, stored.put_aside, stored.generations),
        registry=asked.registry,
    )


def _unread(config: Config, told: Mapping[str, Any] | None) -> set[tuple[str, str]]:
    """Of topics whose ids no claim keeps, those that the deployment's record names, with their ids."""
    unread = Topics(config.topic_prefix).unread
    return set() if told is None else {(topic, known) for topic, known in told["topic_ids"].items() if topic in unread}


def _stored(config: Config, kept: Sequence[Registered], read: Read) -> Stored:
    sql, of_topics, topics = load("deployment", LIVE), load("identity_check", LIVE), Topics(config.topic_prefix)
    with looking(config) as conn:
        row = named(conn)
        restoring = conn.execute(sql["restoring"]).fetchone()
        if conn.execute(sql["has_ledger"]).fetchone() != (True,):
            return Stored(deployment=None, kept=kept, unfinished=restoring[0] if restoring else "")
        by_ledger = None if row is not None else conn.execute(sql["ledger_topic"]).fetchone()
        begun = None if row is None else conn.execute(load("recovery", LIVE)["unfinished"]).fetchone()
        changed = {"topic": topics.ownership_changed}
        return Stored(
            deployment=Deployment.of_row(row),
            announced=row is not None and row[4],
            unfinished="" if begun is None else str(json.loads(begun[0])["command"]),
            ledger_topic=None if by_ledger is None else by_ledger[0],
            read=read,
            kept=kept,
            journal_ends=dict(conn.execute(of_topics["journal_ends"]).fetchall()),
            put_aside=frozenset(conn.execute(of_topics["refused_by_project"], changed).fetchall()),
            generations=Generations.of(conn),
        )


def _topics_read(conn: psycopg.Connection[Any], config: Config, row: Sequence[Any] | None) -> Read:
    """Topics that the deployment of that ``row`` has read or written, with their ids; none of one without a name."""
    if row is None:
        return frozenset()
    return read_of(config, conn.execute(load("deployment", LIVE)["topics_read"]).fetchall())


def read_of(config: Config, rows: Iterable[Sequence[Any]]) -> Read:
    """Of rows that name a topic, or the network whose raw topic it is."""
    topics = Topics(config.topic_prefix)
    return frozenset((topic or topics.raw(network), topic_id) for topic, network, topic_id in rows)


def named(conn: psycopg.Connection[Any]) -> tuple[Any, ...] | None:
    """The row of the deployment that a database is of; None: it names none yet, or was never migrated."""
    sql = load("deployment", LIVE)
    knows = conn.execute(sql["knows_deployments"]).fetchone() == (True,)
    return conn.execute(sql["stored"]).fetchone() if knows else None


def named_deployment(conn: psycopg.Connection[Any]) -> Deployment | None:
    """The same, as what it says."""
    return Deployment.of_row(named(conn))


def told_generations(config: Config) -> tuple[Deployment | None, Generations]:
    """Whose topics those under the prefix are (None: no record says so), and which generations they name. Blocking."""
    told = told_whole(config)
    if told is None:
        return None, ONLY_ONE
    return _deployment(told), Generations.said(told["epoch"], told["generations"])


def told_whole(config: Config) -> dict[str, Any] | None:
    """The last record of its topic that can be read, whole (schemas/deployment.avsc). Blocking."""
    with Schemas(config) as schemas:
        return last_record(config, schemas.reader(RECORD)).record


def _deployment(record: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=record["id"], epoch=record["epoch"], topic_prefix=record["topic_prefix"], cluster_id=record["cluster_id"]
    )
