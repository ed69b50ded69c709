"""Step 3. The ledger's topics without their old records, and the journal to be announced from its first row on.

What is deleted is all that stands in the topics: nobody writes them meanwhile. Then one transaction says where the new
records begin, sets the publisher's cursors back, and counts what ``project`` keeps.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ft.agents.columns import columns
from ft.agents.publish.announcements import TOPICS
from ft.config import Config
from ft.errors import ConfigError
from ft.ops.anew.projections import count_projections
from ft.ops.anew.state import SQL, Connection
from ft.sql.queries import LIVE, load
from ft.streams.kafka.fresh_topics import once_led
from ft.streams.kafka.topic_admin import delete_records, ends_of
from ft.streams.kafka.topics import Topics

Ends = Mapping[tuple[str, int], int]
"""(topic, partition) -> the offset that its next record will have."""
_BEGINS: Final = ("topic", "partition", "offset")


def announce(config: Config, conn: Connection, partitions: int, told: Callable[[str], None]) -> None:
    """1. the old records go; 2. everything of Postgres, in one transaction. Begins from anew wherever it was ended.

    Raises ConfigError where somebody writes to the topics, BrokerError, BrokerUnavailable, psycopg.Error.
    """
    ends = ends_of_ledger(config, partitions)
    told(f"topics: {sum(ends.values()):,} old records are deleted")
    delete_records(config, ends)  # 1
    with conn.transaction():  # 2
        _begin_at(config, conn, ends, told)
        _require_the_same(ends, ends_of_ledger(config, partitions))
        conn.execute(load(SQL, LIVE)["finish"])


def ends_of_ledger(config: Config, partitions: int) -> Ends:
    """Of the ledger's topics, those that were made just now too. Raises BrokerError, BrokerUnavailable."""
    names = [getattr(Topics(config.topic_prefix), topic) for topic in TOPICS]
    return once_led(lambda: ends_of(config, [(name, p) for name in names for p in range(partitions)]))


def from_the_first_row(config: Config, conn: Connection, ends: Ends) -> None:
    """In the open transaction: the records begin at ``ends``, and the journal is announced from its first row on."""
    sql, changed = load(SQL, LIVE), {"changed": Topics(config.topic_prefix).ownership_changed}
    conn.execute(sql["put_begins"], columns(_BEGINS, [(*place, offset) for place, offset in sorted(ends.items())]))
    conn.execute(sql["reset_cursors"])
    conn.execute(sql["settle_letters"], changed)


def _begin_at(config: Config, conn: Connection, ends: Ends, told: Callable[[str], None]) -> None:
    sql, changed = load(SQL, LIVE), {"changed": Topics(config.topic_prefix).ownership_changed}
    from_the_first_row(config, conn, ends)
    projected = conn.execute(sql["has_projections"], changed).fetchone() == (True,)
    conn.execute(sql["put_fences"], {**changed, "projected": projected})
    if projected:
        count_projections(conn, told)


def _require_the_same(before: Ends, now: Ends) -> None:
    if grown := sorted(place for place, end in now.items() if end != before[place]):
        topic, partition = grown[0]
        raise ConfigError(
            f"{topic}-{partition}: expected nobody to write while its records are announced anew, got "
            f"{now[grown[0]] - before[grown[0]]} records. Stop the workers of the earlier version, then `ft migrate` "
            "again: it goes on."
        )
