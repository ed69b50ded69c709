"""What a deployment says of itself, in its database and on its topic; and whether what this process finds is of one.

Asked by whatever runs, before it does anything else. The rule is in ``identity``. `ft migrate` names a deployment that
has no name yet, also one of an earlier version: first in the database, then on the topic, so that a migration that is
cut off goes on where it was.
"""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg
import structlog

from ft.config import Config
from ft.errors import BrokerUnavailable, MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import DeploymentSaid, to_record
from ft.schemas.registered import Registered, contradictions, unkept
from ft.sql.queries import LIVE, load
from ft.streams.database import looking
from ft.streams.generations import ONLY_ONE, Generations
from ft.streams.identity import Deployment, Found, Verdict, judge
from ft.streams.producer import Refusal, opened, settings
from ft.streams.schema_ids import Schemas, holds
from ft.streams.topics import Topics, cluster_id, create_topics, end_of, topic_identities, topic_names
from ft.streams.whole import WholeTopic

log = structlog.get_logger(__name__)

_TIMEOUT_S: Final = 15.0
_RECORD: Final = "deployment"
_RECORDS: Final = 100


def require_one(config: Config) -> Verdict:
    """Compare what the settings point at, and change nothing. Blocking.

    Raises OtherDeployment, DatabaseUnavailable, BrokerUnavailable, RegistryUnavailable where its topic can be read with
    the registry's help only.
    """
    return judge(look(config))


def settle(config: Config) -> None:
    """As :func:`require_one`; and what was lost is given back. Blocking. For whoever writes.

    1. to the database the schemas that its topic names
    2. to the registry the ids that the database keeps
    """
    found = look(config)
    verdict = judge(found)
    if found.unkept or verdict == "restore":
        with Schemas(config) as schemas:
            schemas.keep(found.unkept)  # 1
            if verdict == "restore":
                schemas.restore()  # 2


class Same:
    """Whether what a process finds is what it found before; only what changed is read anew."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._seen: object = None
        self._turn = 0
        """Which of the registry's ids is looked at: the next one, once it is right."""

    def look(self) -> None:
        """Raises as :func:`settle`. Blocking."""
        place = self._place()
        if place != self._seen:
            settle(self._config)
            self._seen = place
        if not holds(self._config, self._turn):
            settle(self._config)
        self._turn += 1

    def _place(self) -> object:
        topic = Topics(self._config.topic_prefix).deployment
        row = _stored(self._config)[1]
        if topic not in topic_names(self._config):
            return row, cluster_id(self._config), None
        return row, topic_identities(self._config, [topic])[topic], end_of(self._config, topic, 0)


def name_it(config: Config, networks: Sequence[str], partitions: int, schemas: Schemas) -> None:
    """Name a deployment that has no name yet, and say on its topic what it consists of, where that is new. Blocking.

    Raises as :func:`require_one`, and BrokerError.
    """
    if judge(found := look(config)) == "new":
        with looking(config) as conn:
            values = {"id": str(uuid.uuid4()), "topic_prefix": config.topic_prefix, "cluster_id": found.cluster_id}
            conn.execute(load("deployment", LIVE)["put"], values)
        judge(look(config))  # another one may have been quicker
    say_it(config, networks, partitions, schemas)


def say_it(config: Config, networks: Sequence[str], partitions: int, schemas: Schemas) -> None:
    """Say on its topic what the database's deployment consists of, where that is new; nothing is compared. Blocking.

    Raises DatabaseUnavailable, BrokerError, BrokerUnavailable.
    """
    row = _stored(config)[1]
    assert row is not None
    stored = _of_row(row)
    codec = schemas.codec(_RECORD, Topics(config.topic_prefix).deployment)
    latest = {row.subject: row.id for row in sorted(schemas.kept, key=lambda row: row.version)}
    said = DeploymentSaid(
        id=stored.id, epoch=stored.epoch, topic_prefix=stored.topic_prefix, cluster_id=stored.cluster_id,
        partitions=partitions, made_at=int(time.time()), networks=sorted(networks), schema_ids=latest,
        schemas=list(schemas.kept), generations=Generations.stored(config).to_say(),
    )  # fmt: skip
    record = to_record(said)
    before = _last(config, codec)[0]
    if before is None or {**before, "made_at": 0} != {**record, "made_at": 0}:
        create_topics(config, (), partitions)
        _say(config, codec, record)
    with looking(config) as conn:
        conn.execute(load("deployment", LIVE)["announced"])


def _say(config: Config, codec: Codec, record: dict[str, Any]) -> None:
    topic, refusal = Topics(config.topic_prefix).deployment, Refusal()
    producer = opened(settings(config) | {"on_delivery": refusal.delivered})
    producer.produce(topic, codec.encode(record), record["id"].encode(), 0)
    if producer.flush(_TIMEOUT_S):
        raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: a record is not acknowledged")
    if refusal.error is not None:
        raise refusal.error


def stored_id(config: Config) -> str | None:
    """The deployment's, as the database says; None: it names none yet. Raises DatabaseUnavailable."""
    with looking(config) as conn:
        row = named(conn)
    return None if row is None else str(row[0])


def look(config: Config) -> Found:
    """Where the settings point, and what is there. Blocking. Raises as :func:`require_one`."""
    topics = Topics(config.topic_prefix)
    read, row, unfinished = _stored(config)
    with Schemas(config) as schemas:
        told, records = _last(config, schemas.reader(_RECORD))
        registry, kept = schemas.agreement(), schemas.kept
    named = [] if told is None else [Registered(**row) for row in told["schemas"]]
    return Found(
        prefix=config.topic_prefix,
        cluster_id=cluster_id(config),
        stored=None if row is None else _of_row(row),
        unfinished=unfinished,
        announced=row is not None and row[4],
        told=None if told is None else _deployment(told),
        unreadable=told is None and records > 0,
        ledger_topic=read,
        normalized=topics.normalized,
        unkept=tuple(unkept(kept, named)),
        contradicted=tuple(contradictions([*kept, *named])),
        registry=registry,
    )


def _stored(config: Config) -> tuple[str | None, tuple[Any, ...] | None, str]:
    """What the ledger has read, of a database that names no deployment; the row of one that does; and the command that
    goes on with a recovery of it, empty where none is begun."""
    sql = load("deployment", LIVE)
    with looking(config) as conn:
        row = named(conn)
        asked = row is None and conn.execute(sql["has_ledger"]).fetchone() == (True,)
        read = conn.execute(sql["ledger_topic"]).fetchone() if asked else None
        begun = conn.execute(load("recovery", LIVE)["unfinished"]).fetchone() if row is not None else None
    return None if read is None else read[0], row, "" if begun is None else str(json.loads(begun[0])["command"])


def named(conn: psycopg.Connection[Any]) -> tuple[Any, ...] | None:
    """The row of the deployment that a database is of; None: it names none yet, or was never migrated."""
    sql = load("deployment", LIVE)
    knows = conn.execute(sql["knows_deployments"]).fetchone() == (True,)
    return conn.execute(sql["stored"]).fetchone() if knows else None


def _of_row(row: Sequence[Any]) -> Deployment:
    return Deployment(id=row[0], epoch=row[1], topic_prefix=row[2], cluster_id=row[3])


def told_generations(config: Config) -> tuple[Deployment | None, Generations]:
    """Whose topics those under the prefix are (None: no record says so), and which generations they name. Blocking."""
    with Schemas(config) as schemas:
        told = _last(config, schemas.reader(_RECORD))[0]
    if told is None:
        return None, ONLY_ONE
    return _deployment(told), Generations.said(told["epoch"], told["generations"])


def _deployment(record: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=record["id"], epoch=record["epoch"], topic_prefix=record["topic_prefix"], cluster_id=record["cluster_id"]
    )


def _last(config: Config, codec: Codec) -> tuple[dict[str, Any] | None, int]:
    """The last record of the topic that can be read (None: there is none, or no topic), and how many it has."""
    topic = Topics(config.topic_prefix).deployment
    if topic not in topic_names(config):
        return None, 0
    last, records = None, 0
    with WholeTopic(config, topic, [0]) as whole:
        first, end = whole.bounds()[0]
        for messages in whole.read({0: first}, {0: end}, _RECORDS):
            for message in messages:
                records += 1
                try:
                    last = codec.decode(message.value)
                except MalformedRecord as exc:
                    log.warning("record is put aside", topic=topic, offset=message.offset, error=str(exc))
    return last, records
