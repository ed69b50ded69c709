"""How long topics are kept: what differs from the settings that ft gives them is told or mended, never refused."""

from collections.abc import Iterable, Mapping
from typing import Final

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from ft.config import Config
from ft.errors import BrokerUnavailable
from ft.streams.kafka.admin import Admin
from ft.streams.kafka.fresh_topics import once_spread
from ft.streams.kafka.topics import Topics, wanted_settings

log = structlog.get_logger(__name__)

_TIMEOUT_S: Final = 15.0
_FOR_EVER: Final = "-1"


def tell_changed_settings(config: Config, topics: Topics, networks: Iterable[str]) -> None:
    """Log what somebody changed by hand that would lose records. Raises BrokerUnavailable."""
    wanted = wanted_settings(topics, networks)
    for topic, found in _settings(config, wanted).items():
        for name in ("retention.ms", "retention.bytes", "cleanup.policy"):
            expected = wanted[topic].get(name, _FOR_EVER)
            if _forgets_earlier(name, expected, found.get(name, expected)):
                remedy = f"kafka-configs --alter --topic {topic} --add-config {name}={expected}"
                log.warning(
                    "topic setting differs",
                    topic=topic, setting=name, expected=expected, got=found[name], remedy=remedy,
                )  # fmt: skip


def _forgets_earlier(name: str, expected: str, got: str) -> bool:
    if name == "cleanup.policy":
        return got != expected
    return got != _FOR_EVER and (expected == _FOR_EVER or int(got) < int(expected))


def keep_for_a_day(config: Config, topic: str) -> None:
    """Let an existing topic of which earlier versions kept every record forget as a new one does. Who may not change
    that is told how. Raises BrokerUnavailable."""
    wanted = wanted_settings(Topics(config.topic_prefix), ())[topic]
    if _settings(config, [topic])[topic]["retention.ms"] != _FOR_EVER:
        return
    resource, admin = ConfigResource(ResourceType.TOPIC, topic), Admin(config)
    for name in ("retention.ms", "segment.ms"):
        resource.add_incremental_config(ConfigEntry(name, wanted[name], incremental_operation=AlterConfigOpType.SET))
    try:
        [done] = admin.incremental_alter_configs([resource], request_timeout=_TIMEOUT_S).values()
        done.result(_TIMEOUT_S)
    except (KafkaException, TimeoutError) as exc:
        remedy = f"kafka-configs --alter --topic {topic} --add-config retention.ms={wanted['retention.ms']}"
        log.warning("topic is kept for ever, a day is enough", topic=topic, error=str(exc), remedy=remedy)


def _settings(config: Config, topics: Iterable[str]) -> dict[str, Mapping[str, str]]:
    names, admin = list(topics), Admin(config)
    try:
        return once_spread(lambda: _ask(admin, names))
    except (KafkaException, TimeoutError) as exc:
        raise BrokerUnavailable(f"Kafka at {config.kafka}: expected its topics' settings, got: {exc}") from exc


def _ask(admin: Admin, topics: Iterable[str]) -> dict[str, Mapping[str, str]]:
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, t) for t in topics], request_timeout=_TIMEOUT_S)
    return {
        resource.name: {name: str(entry.value) for name, entry in future.result(_TIMEOUT_S).items()}
        for resource, future in asked.items()
    }
