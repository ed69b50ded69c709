"""What a worker must find before it starts: a migrated database, the topics as they were chosen, the schemas."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from ft.config import Config
from ft.errors import ConfigError, DatabaseError
from ft.schemas.codec import Codec
from ft.sql.migrate import stored_partitions
from ft.sql.queries import load, named, schemas
from ft.sql.session import looking
from ft.streams.deployment.comparing import named_deployment, settle, whose_topics
from ft.streams.deployment.generations import Generations
from ft.streams.deployment.identity import Deployment
from ft.streams.deployment.identity_check import require_same_cluster
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.retention import tell_changed_settings
from ft.streams.kafka.topic_admin import verify_topics
from ft.streams.kafka.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What the agents of one worker work with."""

    topics: Topics
    partitions: int
    """Of the normalized and the ledger's topics."""
    networks: Mapping[str, str]
    """Slug -> family, of ref.networks."""
    schemas: Schemas
    codecs: Mapping[str, Codec]
    """Topic -> codec, of every topic but the raw ones."""
    deployment: Deployment | None
    """The one that this process begins in; None: it has no name yet."""
    generations: Generations


def verify(config: Config) -> Preflight:
    """Look at everything once. Blocking.

    Raises ConfigError, OtherDeployment, OffsetMismatch or ServerError with the remedy, DatabaseUnavailable,
    BrokerUnavailable.
    """
    config.schema_registry  # noqa: B018 - a missing address is told before anything else is tried
    with whose_topics(config):
        partitions, networks = _read(config)
    settle(config)
    require_same_cluster(config)
    verify_topics(config, networks, partitions)
    topics, schemas = Topics(config.topic_prefix, config.generation), Schemas(config)
    with looking(config) as conn:  # in this order: of a restore amid it the claims of this process know nothing
        deployment, generations = named_deployment(conn), Generations.of(conn)
    try:
        codecs = _codecs(config, topics, schemas)
        tell_changed_settings(config, topics, networks)
    except BaseException:
        schemas.close()
        raise
    return Preflight(
        topics=topics, partitions=partitions, networks=networks, schemas=schemas, codecs=codecs,
        deployment=deployment, generations=generations,
    )  # fmt: skip


def _codecs(config: Config, topics: Topics, schemas: Schemas) -> dict[str, Codec]:
    served = Topics(config.topic_prefix).records(())  # a generation's records have the schemas of those
    subjects = zip(topics.records(()), served.items(), strict=True)
    return {topic: schemas.codec(record, subject) for topic, (subject, record) in subjects}


def known_networks(config: Config) -> dict[str, str]:
    """Slug -> family, as ref.networks has them now. Blocking. Raises as :func:`verify`."""
    return _read(config)[1]


def require_migrated(conn: psycopg.Connection[Any]) -> None:
    """Raises ConfigError where `ft migrate` has not run, or not to its end."""
    row = conn.execute(load("fence")["migrated"]).fetchone()
    if row is None or not row[0]:
        raise ConfigError("the database is not migrated: expected ft's tables, found none. Run `ft migrate`.")
    wanted = {"schemas": [named(name) for name in schemas()]}
    if lacking := [row[0] for row in conn.execute(load("fence")["schemas_lacking"], wanted).fetchall()]:
        raise ConfigError(
            f"the database is not migrated for every domain of FT_DOMAINS: expected the schemas {', '.join(lacking)}. "
            "Run `ft migrate` with the same FT_DOMAINS."
        )
    if conn.execute(load("fence")["half_migrated"]).fetchone() == (True,):
        raise ConfigError(
            "the database is of an earlier version and half migrated: its journal does not say yet who holds what. Run "
            "`ft migrate`: it goes on where it was."
        )


def _read(config: Config) -> tuple[int, dict[str, str]]:
    try:
        with psycopg.connect(config.postgres_as("ft_writer"), connect_timeout=5, autocommit=True) as conn:
            require_migrated(conn)
            return stored_partitions(conn), dict(conn.execute(load("fence")["networks"]).fetchall())
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc, "ft_writer") from exc
    except psycopg.Error as exc:
        raise DatabaseError(f"Postgres: expected ft's tables, got: {str(exc).strip()}. Run `ft migrate`.") from exc
