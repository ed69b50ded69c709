"""What must stand before the first record flows: the database, the topics, the schemas."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from ft.config import Config
from ft.errors import DatabaseError
from ft.networks import Network, load_networks
from ft.sql.migrate import ensure_network, ensure_roles, migrate, stored_partitions
from ft.sql.queries import load
from ft.sql.session import looking
from ft.streams.deployment.comparing import require_one, settle, whose_topics
from ft.streams.deployment.identity_check import require_same_cluster
from ft.streams.deployment.naming import name_it
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.retention import keep_for_a_day
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What :func:`prepare` did now; empty lists where all stood already."""

    partitions: int
    migrations: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    """Those of ``subjects`` whose ids are those that the database keeps: the registry did not answer."""


def prepare(config: Config) -> Prepared:
    """Migrate the database, create the topics, register the schemas and name the deployment. Safe to run again, and by
    two at once.

    Raises OtherDeployment where database, Kafka and prefix are not of one, OffsetMismatch where the database was filled
    from another Kafka, and what :func:`ft.sql.migrate.migrate`, :func:`ft.streams.kafka.topic_admin.create_topics` and
    :meth:`ft.streams.deployment.schema_ids.Schemas.codec` raise.
    """
    networks = load_networks(config.networks_file)
    _require_one(config)
    with Schemas(config) as schemas:
        schemas.require_registry(f"{Topics(config.topic_prefix).deployment}-value")
    migrations = migrate(config.postgres, config)
    partitions = partitions_of(config)
    settle(config)
    require_same_cluster(config)
    topics = create_topics(config, networks, partitions)
    keep_for_a_day(config, Topics(config.topic_prefix).finality)
    subjects, unasked = _register(config, networks, partitions)
    return Prepared(partitions=partitions, migrations=migrations, topics=topics, subjects=subjects, unasked=unasked)


def _require_one(config: Config) -> None:
    """Before anything is made: what is refused leaves an empty database empty."""
    try:
        with psycopg.connect(config.postgres, autocommit=True) as conn:
            ensure_roles(conn, config)  # who looks is one of them
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc) from exc
    except psycopg.Error as exc:
        raise DatabaseError(f"Postgres: expected the roles of ft, or to make them, got: {exc}") from exc
    require_one(config)


def _register(config: Config, networks: Mapping[str, Network], partitions: int) -> tuple[list[str], list[str]]:
    """Register and keep the schemas, those of networks that are configured no more too, and name the deployment. Their
    subjects; and those of them about which the registry could not be asked."""
    names = Topics(config.topic_prefix)
    records = names.records(networks)
    with Schemas(config) as schemas:
        schemas.register(records)
        with looking(config) as conn:
            known = [row[0] for row in conn.execute(load("fence")["networks"]).fetchall()]
        schemas.fill([names.raw(network) for network in known])
        name_it(config, list(networks), partitions, schemas)
        subjects = [f"{topic}-value" for topic in records]
        return subjects, [subject for subject in subjects if subject in schemas.unasked]


def admit(config: Config, network: Network) -> None:
    """Make one network known to a migrated deployment: its reference row, its raw topic and the schema of that topic.

    Safe to run again. Raises ConfigError where the database is not migrated, and what :func:`prepare` raises.
    """
    with whose_topics(config):
        partitions = partitions_of(config)
    settle(config)
    create_topics(config, [network.slug], partitions)
    ensure_network(config.postgres, network)
    with Schemas(config) as schemas:
        schemas.codec("raw_block", Topics(config.topic_prefix).raw(network.slug))


def partitions_of(config: Config) -> int:
    """The stored number of partitions. Raises ConfigError where the database is not migrated."""
    try:
        with psycopg.connect(config.postgres) as conn:
            return stored_partitions(conn)
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc) from exc
