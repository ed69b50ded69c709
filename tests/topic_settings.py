"""Settings of a topic, changed by a test; the broker is told of a change a moment after the controller."""

import time
from typing import Final

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from ft.config import Config

_WITHIN_S: Final = 30.0


def change(config: Config, topic: str, name: str, value: str) -> None:
    """Returns once the broker knows it."""
    admin = AdminClient(config.kafka_client)
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(_WITHIN_S)
    deadline = time.monotonic() + _WITHIN_S
    while setting(config, topic, name, admin) != value:
        assert time.monotonic() < deadline, f"{topic}: the broker does not hear of {name}"
        time.sleep(0.02)


def setting(config: Config, topic: str, name: str, admin: AdminClient | None = None) -> str:
    """What the broker says it is."""
    admin = AdminClient(config.kafka_client) if admin is None else admin  # it has a length, and is false
    (found,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return str(found.result(_WITHIN_S)[name].value)
