"""The ledger's topics made anew from the journal, while raw and normalized topics stand: a new generation.

1. the old records go, as far as there are any; missing topics are made
2. one transaction: where the new records begin, the publisher's cursors at 0, the new generation
"""

from ft.agents.anew.announce import ends_of_ledger, from_the_first_row
from ft.agents.rebuild.progress import Report
from ft.agents.recovery.session import Begun, Connection, begin_generation, networks, note_stored
from ft.config import Config
from ft.sql.queries import LIVE, load
from ft.streams.deployment import told_generations
from ft.streams.topics import cluster_id, create_topics, delete_records


def store(config: Config, conn: Connection, state: Begun, partitions: int, report: Report) -> None:
    """Both steps. Raises psycopg.Error, BrokerError, BrokerUnavailable."""
    sql = load("recovery", LIVE)
    create_topics(config, networks(conn), partitions)
    told = told_generations(config)[1]
    ends = ends_of_ledger(config, partitions)
    if old := sum(ends.values()):
        report(f"topics: {old:,} old records are deleted")
    delete_records(config, ends)  # 1
    with conn.transaction():  # 2
        from_the_first_row(config, conn, ends)
        conn.execute(sql["read_again"])
        conn.execute(sql["heads_again"])
        made = begin_generation(conn, told, partitions, cluster_id(config))
        conn.execute(sql["age_letters"], {"epoch": made.present, "consumers": ["project"]})
        note_stored(conn, state)
