"""Deployments as `ft migrate` leaves them, for tests that are about something else.

The first one of a process is made by the migration itself. The others get the schema ids that it was given: what is
registered again under another prefix has the same ids, and asking for each of them is most of a migration.
"""

from dataclasses import replace
from typing import Final

from ft.config import Config
from ft.networks import load_networks
from ft.schemas.registered import Registered
from ft.sql.migrate import migrate
from ft.streams.deployment.naming import name_it
from ft.streams.deployment.provision import partitions_of, prepare
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.retention import keep_for_a_day
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics

_given: Final[dict[tuple[str, str], Registered]] = {}
"""By the registry's address and a record's name."""


def provision(config: Config) -> None:
    """As :func:`ft.streams.deployment.provision.prepare`, for a database that is migrated and has no name yet."""
    names, networks = Topics(config.topic_prefix), load_networks(config.networks_file)
    records = {**names.records(networks), names.deployment: "deployment"}
    registry = config.schema_registry
    if any((registry, record) not in _given for record in records.values()):
        prepare(config)
        with Schemas(config) as schemas:
            kept = {row.subject: row for row in schemas.kept}
        _given.update({(registry, record): kept[f"{topic}-value"] for topic, record in records.items()})
        return
    migrate(config.postgres, config)
    partitions = partitions_of(config)
    create_topics(config, networks, partitions)
    keep_for_a_day(config, names.finality)
    with Schemas(config) as schemas:
        schemas.keep([replace(_given[registry, record], subject=f"{topic}-value") for topic, record in records.items()])
        name_it(config, list(networks), partitions, schemas)
