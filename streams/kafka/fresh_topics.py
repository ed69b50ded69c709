"""Questions about a topic that was made just now: brokers learn of it, and elect its leaders, a moment later."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from ft.errors import BrokerUnavailable

T = TypeVar("T")
_WITHIN_S: Final = 10.0
_AGAIN_S: Final = 0.2
_ELECTING: Final = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


def once_spread(ask: Callable[[], T]) -> T:
    """What ``ask`` returns; while a topic is not known to the broker, it is asked again, for ten seconds. Raises
    KafkaException, and what ``ask`` raises. Blocking, here and below."""
    return _again(ask, lambda exc: _code(exc) == KafkaError.UNKNOWN_TOPIC_OR_PART)


def once_elected(ask: Callable[[], T]) -> T:
    """The same while a partition's leader is yet to be elected."""
    return _again(ask, lambda exc: _code(exc) in _ELECTING)


def once_led(work: Callable[[], T]) -> T:
    """The same of work that tells of either as BrokerUnavailable."""
    return _again(work, lambda exc: isinstance(exc, BrokerUnavailable))


def _again(ask: Callable[[], T], is_early: Callable[[Exception], bool]) -> T:
    deadline = time.monotonic() + _WITHIN_S
    while True:
        try:
            return ask()
        except (KafkaException, BrokerUnavailable) as exc:
            if not is_early(exc) or time.monotonic() > deadline:
                raise
        time.sleep(_AGAIN_S)


def _code(exc: Exception) -> int | None:
    return exc.args[0].code() if isinstance(exc, KafkaException) else None
