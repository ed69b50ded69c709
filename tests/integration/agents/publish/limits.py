"""A topic that refuses large records."""

from ft.config import Config
from tests.topic_settings import change


def limit(config: Config, topic: str, size: int) -> None:
    """Records, as compressed, of at most ``size`` bytes; returns once the broker keeps to it."""
    change(config, topic, "max.message.bytes", str(size))
