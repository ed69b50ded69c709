"""A topic that refuses large records."""

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from ft.config import Config


def limit(config: Config, topic: str, size: int) -> None:
    """Records, as compressed, of at most ``size`` bytes."""
    admin = AdminClient(config.kafka_client)
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)
