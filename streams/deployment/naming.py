"""A deployment is given its name, once; and says on its topic what it consists of, whenever that is new.

First in the database, then on the topic, so that a migration that is cut off goes on where it was.
"""

import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from ft.config import Config
from ft.errors import BrokerUnavailable
from ft.schemas.codec import Codec
from ft.schemas.events import DeploymentSaid, to_record
from ft.sql.queries import LIVE, load
from ft.sql.session import looking
from ft.streams.deployment.comparing import RECORD, last_record, look, stored_deployment
from ft.streams.deployment.generations import Generations
from ft.streams.deployment.identity import judge
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Refusal, opened, settings
from ft.streams.kafka.topic_admin import create_topics, topic_ids
from ft.streams.kafka.topics import Topics

_TIMEOUT_S: Final = 15.0


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
    before = last_record(config, codec)[0]
    if before is None or {**before, "made_at": 0} != {**record, "made_at": 0}:
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
