"""A raw topic made anew, brought to the offset at which the lost one ended.

A raw offset is more than a place in Kafka: it is the order in which everything was read, and stands in the journal's
positions, in coverage, in leases. So the new topic goes on where the old one ended: it is filled with empty records up
to there, which are deleted at once. A million takes a few seconds.
"""

from collections.abc import Callable
from typing import Final

from ft.agents.rebuild.progress import Progress, Report
from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable
from ft.streams.producer import Refusal, opened, settings
from ft.streams.topics import delete_records, end_of, once_led

_AT_ONCE: Final = 500_000
_POLL_S: Final = 0.02
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
    refusal = Refusal()
    producer = opened(
        settings(config)
        | {"delivery.report.only.error": True, "on_delivery": refusal.delivered, "error_cb": refusal.fatal}
    )
    for at in range(count):
        while True:
            try:
                producer.produce(topic, None, None, 0)
                break
            except BufferError:
                producer.poll(_POLL_S)
        if at % 10_000 == 0:
            producer.poll(0)
            done(10_000)
    if left := producer.flush(_TIMEOUT_S):
        raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: {left} records are not acknowledged")
    if refusal.error is not None:
        raise refusal.error
    return once_led(lambda: end_of(config, topic, 0))


def _delete(config: Config, topic: str, end: int) -> None:
    once_led(lambda: delete_records(config, {(topic, 0): end}))


def _told(progress: Progress, done: int, report: Report) -> None:
    progress.done = min(progress.done + done, progress.total)
    report(progress)
