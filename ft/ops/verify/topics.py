"""The four topics, and how far the publisher was -> what is missing in them, and a subscriber's holdings in a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from ft.config import Config
from ft.ops.verify.subscriber import FINALITY, TOPICS, Holdings, OnRecords, Problem, Subscriber, Told, counted
from ft.sql.queries import load

_CURSORS: Final = {"ownership_changed": 1, "finality": 2, "reorg_detected": 3, "asset_created": 4}
"""Topic -> its column of the query ``cursors``; of ``announceable`` too."""


@dataclass(slots=True)
class Read:
    """What came of reading."""

    records: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_topics(
    conn: psycopg.Connection[Any], config: Config, values: Mapping[str, Any], on_records: OnRecords
) -> Read:
    """Read every topic up to the publisher's cursors in the open snapshot; the holdings go to the table ``subscribed``.

    Raises BrokerUnavailable, BrokerError, ServerError.
    """
    sql, result = load("verify_topics"), Read()
    conn.execute(sql["make_subscribed"])
    conn.execute(sql["forget_subscribed"])
    cursors = conn.execute(sql["cursors"]).fetchall()
    announceable = {row[0]: row for row in conn.execute(sql["announceable"], values).fetchall()}
    with Subscriber(config, on_records) as subscriber:
        for topic in TOPICS:
            column = _CURSORS[topic]

            def take(partition: int, told: Told, holdings: Holdings, topic: str = topic, column: int = column) -> None:
                expected = announceable[partition][column] if partition in announceable else 0
                result.records += told.records
                result.problems += told.problems
                if topic != FINALITY:
                    result.problems += counted(topic, partition, told, expected)
                if told.strays:
                    result.notes.append(f"{told.strays:,} records of {topic}-{partition} are not the publisher's")
                _put(conn, sql["put_subscribed"], holdings)

            subscriber.read(topic, {row[0]: row[column] for row in cursors}, take)
    (unannounced,) = conn.execute(sql["unannounced"]).fetchone() or (0,)
    if unannounced:
        result.notes.append(f"{unannounced:,} rows of the journal are not announced yet: their tokens are not compared")
    return result


def _put(conn: psycopg.Connection[Any], query: str, holdings: Holdings) -> None:
    with conn.cursor() as cursor, cursor.copy(query.encode()) as copy:
        for row in holdings.rows():
            copy.write_row(row)
