"""Where the raw logs begin: reading them again gives everything only where that is at offset 0."""

from collections.abc import Iterable

from ft.config import Config
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.topic_admin import topic_names
from ft.streams.kafka.topics import Topics


def cut_short(config: Config, networks: Iterable[str]) -> dict[str, int]:
    """Raw topic -> the offset at which it begins, of those whose first records are gone. Blocking.

    Raises BrokerUnavailable, BrokerError.
    """
    topics, there, found = Topics(config.topic_prefix), set(topic_names(config)), {}
    for name in sorted(topics.raw(network) for network in networks):
        if name in there:
            found[name] = beginning(config, name)
    return {name: first for name, first in found.items() if first > 0}


def beginning(config: Config, topic: str) -> int:
    """The offset at which a raw topic begins. Blocking. Raises BrokerUnavailable, BrokerError."""
    with BoundedReader(config, topic, [0]) as raw:
        return raw.bounds()[0][0]


def in_words(cut: dict[str, int]) -> str:
    """Which begins where."""
    return ", ".join(f"{name} begins at offset {first:,}" for name, first in cut.items())


def reading_again(config: Config, networks: Iterable[str], otherwise: str) -> str:
    """An advice: what reads everything again; where raw topics lack their first records that would not help, and
    ``otherwise`` is said. Raises as :func:`cut_short`."""
    cut = cut_short(config, networks)
    if not cut:
        return "`ft reset --keep raw` reads everything again from the raw topics"
    return f"the raw topics lack their first records ({in_words(cut)}), so {otherwise}"
