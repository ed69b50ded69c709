"""A deployment is given its name, once; and says on its topic what it consists of, whenever that is new.

First in the database, then on the topic, so that a migration that is cut off goes on where it was.
"""

import time
import uuid
from collections.abc import Sequence

from ft.config import Config
from ft.schemas.events import DeploymentSaid, to_record
from ft.sql.queries import LIVE, load
from ft.sql.session import looking
from ft.streams.deployment.comparing import look, stored_deployment
from ft.streams.deployment.generations import Generations
from ft.streams.deployment.identity import judge
from ft.streams.deployment.record import RECORD, last_record, say
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topic_admin import create_topics, topic_ids
from ft.streams.kafka.topics import Topics


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
    stored = stored_deployment(config)
    assert stored is not None
    codec = schemas.codec(RECORD, Topics(config.topic_prefix).deployment)
    create_topics(config, (), partitions)
    latest = {row.subject: row.id for row in sorted(schemas.kept, key=lambda row: row.version)}
    said = DeploymentSaid(
        id=stored.id, epoch=stored.epoch, topic_prefix=stored.topic_prefix, cluster_id=stored.cluster_id,
        partitions=partitions, made_at=int(time.time()), networks=sorted(networks), schema_ids=latest,
        topic_ids=topic_ids(config, Topics(config.topic_prefix).records(networks)), schemas=list(schemas.kept),
        generations=Generations.stored(config).to_say(),
    )  # fmt: skip
    record = to_record(said)
    told = last_record(config, codec)
    if not told.is_last or told.record is None or {**told.record, "made_at": 0} != {**record, "made_at": 0}:
        say(config, stored.id, codec.encode(record))
    with looking(config) as conn:
        conn.execute(load("deployment", LIVE)["announced"])
