"""Where each consumer stands, and whether Kafka has what comes after that."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ft.config import Config
from ft.errors import OffsetMismatch
from ft.ops.recovery import reread
from ft.ops.recovery.session import Kind
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.raw_beginnings import reading_again
from ft.streams.kafka.topic_admin import partition_counts, topic_identities
from ft.streams.worker.ledger_heads import heads_of

PROJECT: Final = "project"
"""It goes on by seq: topics that were made anew are read from where they begin."""
LEDGER: Final = "ledger"
NORMALIZE: Final = "normalize"


class Position(NamedTuple):
    """Where a consumer stands in one partition."""

    consumer: str
    topic: str
    partition: int
    next_offset: int
    next_seq: int
    topic_id: str


def positions(rows: Iterable[Sequence[Any]]) -> list[Position]:
    """Rows of the query ``positions``, or of a backup's manifest; places that nobody has read are none."""
    return [found for found in (Position(*row) for row in rows) if found.topic_id]


def require_in_log(config: Config, read: Iterable[Position], known_networks: Sequence[str]) -> Kind:
    """Whether Kafka has every record that is to be read again ("older"), or they come again from raw topics that are
    whole ("reread").

    Raises OffsetMismatch where it has not, BrokerUnavailable.
    """
    read = list(read)
    by_topic: dict[str, list[Position]] = {}
    for position in _needed(config, read):
        by_topic.setdefault(position.topic, []).append(position)
    gone: list[tuple[Position, int]] = []
    for topic, found in by_topic.items():
        with BoundedReader(config, topic, sorted({each.partition for each in found})) as whole:
            bounds = whole.bounds()
        for each in found:
            first, end = bounds[each.partition]
            if each.next_offset > end:
                raise OffsetMismatch(
                    f"{_where(each)}: expected at most {end}, where the log ends. Kafka is the older of the two: start "
                    "it with the data it had, or restore a backup that is older than it is. Nothing was changed."
                )
            if each.next_offset < first and each.consumer != PROJECT:
                gone.append((each, first))
    if not gone:
        return "older"
    normalized = {each.topic for each in read if each.consumer == NORMALIZE}
    if all(each.consumer == LEDGER for each, _ in gone) and reread.is_possible(config, known_networks, normalized):
        return "reread"
    each, first = next((found for found in gone if found[0].consumer != LEDGER), gone[0])
    otherwise = (
        "what came after it is read again from the chain where the same command finds an empty Kafka: point FT_KAFKA "
        "at one"
    )
    raise OffsetMismatch(
        f"{_where(each)}: expected at least {first}, where the log begins: what lies between is deleted. Restore a "
        f"newer backup. Else {reading_again(config, known_networks, otherwise)}. Nothing was changed."
    )


def _where(at: Position) -> str:
    return f"{at.consumer} of {at.topic}-{at.partition} goes on at offset {at.next_offset}"


def _needed(config: Config, read: list[Position]) -> list[Position]:
    """1. who reads heads and was away for long goes on where they begin; 2. what is announced is announced again where
    its topic was made anew."""
    announced = {each.topic for each in read if each.consumer == PROJECT}
    there = announced & partition_counts(config).keys()
    found = topic_identities(config, there) if there else {}
    return [
        each
        for each in read
        if each.consumer != heads_of("project")  # 1
        and (each.consumer != PROJECT or (each.topic in there and found[each.topic].topic_id == each.topic_id))  # 2
    ]
