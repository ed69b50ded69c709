"""The ledger's topics made anew from the journal, while raw and normalized topics stand: a new generation.

1. the old records go, as far as there are any; missing topics are made
2. one transaction: where the new records begin, the publisher's cursors at 0, the new generation
"""

from collections.abc import Mapping

from ft.agents.columns import columns
from ft.agents.publish.announcements import TOPICS
from ft.agents.rebuild.progress import Report
from ft.agents.recovery.session import Begun, Connection, begin_generation, note_stored
from ft.config import Config
from ft.sql.queries import LIVE, load
from ft.streams.deployment import told_generations
from ft.streams.topics import Topics, cluster_id, create_topics, delete_records, ends_of, once_led


def store(config: Config, conn: Connection, state: Begun, partitions: int, report: Report) -> None:
    """Both steps. Raises psycopg.Error, BrokerError, BrokerUnavailable."""
    sql, anew, topics = load("recovery", LIVE), load("anew", LIVE), Topics(config.topic_prefix)
    networks = [row[0] for row in conn.execute(sql["networks"])]
    create_topics(config, networks, partitions)
    told = told_generations(config)[1]
    ends = _ends(config, topics, partitions)
    if old := sum(ends.values()):
        report(f"topics: {old:,} old records are deleted")
    delete_records(config, ends)  # 1
    with conn.transaction():  # 2
        rows = [(*place, offset) for place, offset in sorted(ends.items())]
        conn.execute(anew["put_begins"], columns(("topic", "partition", "offset"), rows))
        conn.execute(anew["reset_cursors"])
        conn.execute(anew["settle_letters"], {"changed": topics.ownership_changed})
        conn.execute(sql["read_again"])
        made = begin_generation(conn, told, partitions, cluster_id(config))
        conn.execute(sql["age_letters"], {"epoch": made.present, "consumers": ["project"]})
        note_stored(conn, state)


def _ends(config: Config, topics: Topics, partitions: int) -> Mapping[tuple[str, int], int]:
    names = [getattr(topics, name) for name in TOPICS]
    return once_led(lambda: ends_of(config, [(name, p) for name in names for p in range(partitions)]))
