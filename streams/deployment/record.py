"""What the topic of a deployment says: the last of its records that can be read. Blocking."""

from dataclasses import dataclass
from typing import Any, Final

import structlog

from ft.config import Config
from ft.errors import BrokerUnavailable, MalformedRecord
from ft.schemas.codec import Codec
from ft.streams.kafka.admin import Admin
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.producer import Refusal, opened, settings
from ft.streams.kafka.topic_admin import topic_names
from ft.streams.kafka.topics import Topics

log = structlog.get_logger(__name__)

RECORD: Final = "deployment"
_RECORDS: Final = 100
_TIMEOUT_S: Final = 15.0
_put_aside: set[tuple[str, int]] = set()
"""Records that this process has said are put aside: the topic is read on and on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last record of the topic that can be read."""

    record: dict[str, Any] | None = None
    """None: there is none, or no topic."""
    value: bytes = b""
    """As it stands there."""
    records: int = 0
    """How many the topic has."""
    is_last: bool = True
    """Whether nothing follows it: a deletion, or what cannot be read. The next compaction would go by that."""


def last_record(config: Config, codec: Codec, admin: Admin | None = None) -> Told:
    """Raises BrokerError, BrokerUnavailable."""
    topic = Topics(config.topic_prefix).deployment
    told, records = Told(), 0
    if topic not in topic_names(config, admin):
        return told
    with BoundedReader(config, topic, [0]) as whole:
        first, end = whole.bounds()[0]
        for messages in whole.read({0: first}, {0: end}, _RECORDS):
            for message in messages:
                records += 1
                try:
                    told = Told(record=codec.decode(message.value), value=message.value or b"", records=records)
                except MalformedRecord as exc:
                    _tell(topic, message.offset, exc)
    return Told(record=told.record, value=told.value, records=records, is_last=told.records == records)


def say(config: Config, key: str, value: bytes) -> None:
    """Append a record. Raises BrokerError, BrokerUnavailable."""
    topic, refusal = Topics(config.topic_prefix).deployment, Refusal()
    producer = opened(settings(config) | {"on_delivery": refusal.delivered})
    producer.produce(topic, value, key.encode(), 0)
    if producer.flush(_TIMEOUT_S):
        raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: a record is not acknowledged")
    if refusal.error is not None:
        raise refusal.error


def _tell(topic: str, offset: int, exc: MalformedRecord) -> None:
    if (topic, offset) not in _put_aside:
        _put_aside.add((topic, offset))
        log.warning("record is put aside", topic=topic, offset=offset, error=str(exc))
