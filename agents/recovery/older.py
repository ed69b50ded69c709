"""The database is an older state than Kafka: it goes on from there, by reading the log again.

What Kafka has is the truth that the database lost: raw and normalized records from its own offsets on give the same
events. Not the same seq: the journal's control rows follow a clock. So a new generation begins at the journal's ends,
and what was announced beyond them never happened (``streams.generations``). The source's tails are older than the raw
logs; whoever follows makes them anew (``streams.tail``).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ft.agents.project.ledger_heads import CONSUMER as HEADS
from ft.agents.recovery.session import Begun, Connection, begin_generation, note_stored
from ft.config import Config
from ft.errors import OffsetMismatch
from ft.sql.queries import LIVE, load
from ft.streams.generations import Generations
from ft.streams.topics import cluster_id
from ft.streams.whole import WholeTopic


class Position(NamedTuple):
    """Where a consumer stands in one partition."""

    consumer: str
    topic: str
    partition: int
    next_offset: int
    next_seq: int
    topic_id: str


def store(config: Config, conn: Connection, state: Begun, told: Generations, partitions: int) -> None:
    """Raises psycopg.Error, BrokerUnavailable."""
    with conn.transaction():
        conn.execute(load("recovery", LIVE)["refill_later"])
        begin_generation(conn, told, partitions, cluster_id(config))
        note_stored(conn, state)


def positions(rows: Iterable[Sequence[Any]]) -> list[Position]:
    """Rows of the query ``positions``, or of a backup's manifest; places that nobody has read are none."""
    return [found for found in (Position(*row) for row in rows) if found.topic_id]


def require_in_log(config: Config, read: Iterable[Position]) -> None:
    """Kafka has every record that is to be read again. Raises OffsetMismatch, BrokerUnavailable."""
    by_topic: dict[str, list[Position]] = {}
    for position in read:
        if position.consumer == HEADS:
            continue  # whoever was away for long goes on where they begin
        by_topic.setdefault(position.topic, []).append(position)
    for topic, found in by_topic.items():
        with WholeTopic(config, topic, sorted({each.partition for each in found})) as whole:
            bounds = whole.bounds()
        for each in found:
            first, end = bounds[each.partition]
            if first <= each.next_offset <= end:
                continue
            where = f"{each.consumer} of {topic}-{each.partition} goes on at offset {each.next_offset}"
            if each.next_offset > end:
                raise OffsetMismatch(
                    f"{where}: expected at most {end}, where the log ends. Kafka is the older of the two: start it "
                    "with the data it had, or restore a backup that is older than it is. Nothing was changed."
                )
            raise OffsetMismatch(
                f"{where}: expected at least {first}, where the log begins: what lies between is deleted. Restore a "
                "newer backup; or, where the raw topics are whole, `ft reset --keep raw` and everything is read again. "
                "Nothing was changed."
            )
