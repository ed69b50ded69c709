"""A raw topic made anew, brought to the offset at which the lost one ended.

A raw offset is more than a place in Kafka: it is the order in which everything was read, and stands in the journal's
positions, in coverage, in leases. So the new topic goes on where the old one ended: it is filled with empty records up
to there, which are deleted at once. A million takes a few seconds.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ft.config import Config
from ft.errors import BrokerError
from ft.ops.rebuild.progress import Progress, Report
from ft.streams.kafka.fresh_topics import once_led
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import delete_records, end_of

_AT_ONCE: Final = 500_000
_TELL_EVERY: Final = 10_000
_TIMEOUT_S: Final = 60.0


def fill(config: Config, topic: str, target: int, report: Report) -> None:
    """Let the next record of the topic have offset ``target``, and nothing stand below. Goes on where it was ended.

    Raises BrokerError where the topic is longer already, BrokerUnavailable. Blocking.
    """
    end = once_led(lambda: end_of(config, topic, 0))
    if end > target:
        raise BrokerError(f"{topic}: expected nothing beyond offset {target}, got records up to {end}")
    progress = Progress(what=topic, unit="offsets", done=end, total=target)
    while end < target:
        end = _send(config, topic, min(_AT_ONCE, target - end), lambda done: _told(progress, done, report))
        _delete(config, topic, end)
    _delete(config, topic, target)


def _send(config: Config, topic: str, count: int, done: Callable[[int], None]) -> int:
    producer = Producer(config)
    for at in range(count):
        producer.send(topic, 0, b"")
        if at % _TELL_EVERY == 0:
            done(_TELL_EVERY)
    asyncio.run(producer.flush_acknowledged(_TIMEOUT_S))
    return once_led(lambda: end_of(config, topic, 0))


def _delete(config: Config, topic: str, end: int) -> None:
    once_led(lambda: delete_records(config, {(topic, 0): end}))


def _told(progress: Progress, done: int, report: Report) -> None:
    progress.done = min(progress.done + done, progress.total)
    report(progress)
