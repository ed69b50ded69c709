"""The ledger's topics made anew from the journal, while raw and normalized topics stand: a new generation.

1. the old records go, as far as there are any; missing topics are made
2. one transaction: where the new records begin, the publisher's cursors at 0, the new generation

So it is for a database that is older than such topics, too (``older``): what stands in them was announced from the
journal's first row on after the database's moment, and its cursors are those of records that are gone.
"""

from ft.agents.publish.announcements import TOPICS
from ft.config import Config
from ft.ops.anew.announce import Ends, ends_of_ledger, from_the_first_row
from ft.ops.rebuild.progress import Report
from ft.ops.recovery.positions import PROJECT, Position
from ft.ops.recovery.session import Begun, Connection, begin_generation, networks, note_stored
from ft.ops.verify.subscriber import FINALITY
from ft.sql.queries import LIVE, load
from ft.streams.deployment.comparing import told_generations
from ft.streams.deployment.generations import Generations
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.topic_admin import cluster_id, create_topics, delete_records, partition_counts, topic_identities
from ft.streams.kafka.topics import Topics


def store(config: Config, conn: Connection, state: Begun, partitions: int, report: Report) -> None:
    """Both steps. Raises psycopg.Error, BrokerError, BrokerUnavailable."""
    told = told_generations(config)[1]
    ends = cleared(config, conn, partitions, report)  # 1
    with conn.transaction():  # 2
        conn.execute(load("recovery", LIVE)["nobody_claims"])
        begin(config, conn, ends)
        end(conn, begin_generation(conn, told, partitions, cluster_id(config)))
        note_stored(conn, state)


def records_of_ledger(config: Config) -> int:
    """How many records the ledger's topics have, as far as they are there. Raises BrokerError, BrokerUnavailable."""
    topics, counts, found = Topics(config.topic_prefix), partition_counts(config), 0
    for name in (getattr(topics, topic) for topic in TOPICS):
        if name in counts:
            with BoundedReader(config, name, range(counts[name])) as whole:
                found += sum(end - first for first, end in whole.bounds().values())
    return found


def cleared(config: Config, conn: Connection, partitions: int, report: Report) -> Ends:
    """Step 1: where each partition ended. Raises BrokerError, BrokerUnavailable."""
    create_topics(config, networks(conn), partitions)
    ends = ends_of_ledger(config, partitions)
    if old := sum(ends.values()):
        report(f"topics: {old:,} old records are deleted")
    delete_records(config, ends)
    return ends


def begin(config: Config, conn: Connection, ends: Ends) -> None:
    """In the open transaction, before the generation: who reads the topics begins where the new records do."""
    sql, topics = load("recovery", LIVE), Topics(config.topic_prefix)
    from_the_first_row(config, conn, ends)
    conn.execute(sql["read_again"], {"topics": [topics.ownership_changed]})
    conn.execute(sql["heads_again"], {"finality": topics.finality})


def end(conn: Connection, made: Generations) -> None:
    """In the open transaction, after it."""
    conn.execute(load("recovery", LIVE)["age_letters"], {"epoch": made.present, "consumers": ["project"]})


def since(config: Config, conn: Connection, read: list[Position], partitions: int) -> bool:
    """Whether the ledger's topics were made anew after the database's moment: they are others, or begin elsewhere.

    Records of heads go by themselves, and tell nothing. Raises BrokerError, BrokerUnavailable.
    """
    topics = Topics(config.topic_prefix)
    names = [getattr(topics, topic) for topic in TOPICS if topic != FINALITY]
    if not set(names) <= partition_counts(config).keys():
        return True
    known = {each.topic: each.topic_id for each in read if each.consumer == PROJECT}
    identities = topic_identities(config, known) if known else {}
    if any(identities[name].topic_id != topic_id for name, topic_id in known.items()):
        return True
    begins = {tuple(row[:2]): row[2] for row in conn.execute(load("recovery", LIVE)["begins"], {"topics": names})}
    for name in names:
        with BoundedReader(config, name, range(partitions)) as whole:
            found = whole.bounds()
        if any(first != begins.get((name, partition), 0) for partition, (first, _) in found.items()):
            return True
    return False
