"""Where a partition ends, asked by a test's own consumer."""

import time
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

_WITHIN_S: Final = 15.0
_AGAIN_S: Final = 0.1


def end_of(consumer: Consumer, topic: str, partition: int = 0) -> int:
    """The offset behind the last record. Brokers may not lead a topic yet that they have just made: asked again."""
    deadline = time.monotonic() + _WITHIN_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_WITHIN_S)[1])
        except KafkaException as exc:
            if time.monotonic() > deadline or not exc.args[0].retriable():
                raise
            time.sleep(_AGAIN_S)
