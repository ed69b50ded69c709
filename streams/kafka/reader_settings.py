"""Records in, without a group: what a consumer is told that reads a log by itself and keeps no offsets in Kafka."""

from typing import Any

from ft.config import Config
from ft.streams.kafka.admin import CLIENTS
from ft.streams.kafka.topics import RECORD_BYTES_MAX


def settings(config: Config, name: str) -> dict[str, Any]:
    """What every such reader runs with; an offset that the log lacks is an error. ``name``: of a group that is never
    joined: librdkafka wants one."""
    return {
        **config.kafka_client,
        "group.id": name,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "fetch.message.max.bytes": RECORD_BYTES_MAX,
        "queued.max.messages.kbytes": 65_536,
        "log_level": 2,
        "logger": CLIENTS,
    }
