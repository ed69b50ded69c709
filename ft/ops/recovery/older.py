"""The database is an older state than Kafka: it goes on from there, by reading the log again.

What Kafka has is the truth that the database lost: raw and normalized records from its own offsets on give the same
events. Not the same seq: the journal's control rows follow a clock. So a new generation begins at the journal's ends,
and what was announced beyond them never happened (``streams.generations``). The source's tails are older than the raw
logs; whoever follows makes them anew (``streams.tail``).

Where the ledger's topics were made anew after the database's moment, its journal is announced from the first row on
once more (``announced``). Where normalized records that it has not read are gone, they are made again (``reread``).
"""

from ft.config import Config
from ft.ops.rebuild.progress import Report
from ft.ops.recovery import announced, reread
from ft.ops.recovery.positions import positions
from ft.ops.recovery.session import Begun, Connection, begin_generation, note_stored
from ft.sql.queries import LIVE, load
from ft.streams.deployment.generations import Generations
from ft.streams.kafka.topic_admin import cluster_id


def store(config: Config, conn: Connection, state: Begun, told: Generations, partitions: int, report: Report) -> None:
    """Raises psycopg.Error, BrokerError, BrokerUnavailable."""
    sql = load("recovery", LIVE)
    read = positions(conn.execute(sql["positions"]))
    anew = announced.since(config, conn, read, partitions)
    ends = announced.cleared(config, conn, partitions, report) if anew else None
    with conn.transaction():
        conn.execute(sql["nobody_claims"])
        conn.execute(sql["refill_later"])
        if state.kind == "reread":
            reread.store(config, conn, partitions)
        if ends is not None:
            announced.begin(config, conn, ends)
        made = begin_generation(conn, told, partitions, cluster_id(config))
        if ends is not None:
            announced.end(conn, made)
        note_stored(conn, state)
