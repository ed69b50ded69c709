"""The database is older than Kafka, and normalized records that it has not read are gone: they are made again from raw.

What normalize keeps of a chain is emptied, and it reads the raw log from its first record. What follows from a raw
record is the same as the first time, and carries the same position: the ledger drops what is at or below the position
that a partition has applied, and takes what is above. So the ledger goes on where its topic ends now.

1. it is possible: every raw log begins at its beginning, and no contract was listed after blocks had been read, since
   what was read without it is noted at that moment only
2. one transaction: the chain is emptied, normalize goes back, the ledger goes to the end
"""

from collections.abc import Iterable

from ft.config import Config
from ft.errors import ConfigError
from ft.ops.recovery.session import Connection, networks
from ft.sql.queries import LIVE, load
from ft.streams.kafka.raw_beginnings import cut_short
from ft.streams.kafka.topic_admin import ends_of, topic_names
from ft.streams.kafka.topics import Topics


def is_possible(config: Config, known_networks: Iterable[str], read: Iterable[str]) -> bool:
    """``read``: raw topics that something was read from. Raises BrokerError, BrokerUnavailable."""
    return set(read) <= set(topic_names(config)) and not cut_short(config, known_networks)


def require_possible(conn: Connection) -> None:
    """What the database alone tells of it. Raises ConfigError."""
    found = [row[0] for row in conn.execute(load("recovery", LIVE)["listed_late"])]
    if found:
        raise ConfigError(
            "records of ledger.normalized that were not read are gone, and cannot be made again from the raw topics: "
            f"expected no contract that was listed after blocks had been read, got {', '.join(found)}. What came after "
            "the database's state is read again from the chain where the same command finds an empty Kafka: point "
            "FT_KAFKA at one. Nothing was changed."
        )


def store(config: Config, conn: Connection, partitions: int) -> None:
    """In the open transaction. Raises psycopg.Error, BrokerError, BrokerUnavailable."""
    sql, topics = load("recovery", LIVE), Topics(config.topic_prefix)
    ends = ends_of(config, [(topics.normalized, partition) for partition in range(partitions)])
    conn.execute(sql["empty_chain"])
    conn.execute(sql["read_raw_again"], {"topics": [topics.raw(network) for network in networks(conn)]})
    for (topic, partition), end in ends.items():
        conn.execute(sql["go_to_end"], {"topic": topic, "partition": partition, "end": end})
