"""Whether this Kafka and this database are of one life, by offsets and by what was announced (``comparing`` asks).

1. the offsets in the database were counted in this cluster (each claim checks its own topic again, ``worker.fence``)
2. the journal has every row that was announced: it is committed first, so a topic that is ahead was announced from
   another database, or from a later state of this one. Its next rows would carry numbers that were given out already,
   and every reader would take them for repeats.
"""

import time
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ft.config import Config
from ft.errors import BrokerUnavailable, MalformedRecord, OffsetMismatch
from ft.schemas.codec import Codec
from ft.sql.queries import LIVE, load
from ft.sql.session import looking
from ft.streams.deployment.generations import Generations
from ft.streams.deployment.identity import Ahead
from ft.streams.kafka.admin import CLIENTS, Admin
from ft.streams.kafka.fresh_topics import once_elected
from ft.streams.kafka.topic_admin import cluster_id, partition_counts
from ft.streams.kafka.topics import Topics

_TAIL: Final = 50
"""Records of a partition that are looked at from its end, for one that can be read."""
_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.05


def require_same_cluster(config: Config) -> None:
    """Raises OffsetMismatch where the database was filled from another cluster; BrokerError, DatabaseUnavailable."""
    stored = {row[0] for row in _rows(config, "clusters", prefix=config.topic_prefix)}
    if not stored:
        return
    found = cluster_id(config)
    if stored != {found}:
        raise OffsetMismatch(
            f"Kafka at {config.kafka}: expected cluster {', '.join(sorted(stored))}, which the offsets in the database "
            f"belong to, got {found}. Point FT_KAFKA at the cluster that the database was filled from; if that lost "
            "its data, `ft reannounce` makes the topics anew."
        )


class Announced(NamedTuple):
    """What one of the last records of a partition announced."""

    offset: int
    generation: int
    seq: int


def last_announced(config: Config, codec: Codec, admin: Admin) -> dict[int, list[Announced]]:
    """Partition -> the last records of the topic of changes that can be read, newest first; none without the topic.

    ``codec``: of that topic. Blocking. Raises BrokerError.
    """
    topic = Topics(config.topic_prefix).ownership_changed
    partitions = partition_counts(config, admin).get(topic, 0)
    found: dict[int, list[Announced]] = {}
    for partition, records in _tails(config, topic, partitions).items() if partitions else ():
        found[partition] = []
        for offset, value in reversed(records):
            try:
                record = codec.decode(value)
            except MalformedRecord:
                continue
            found[partition].append(Announced(offset, record["generation"], record["seq"]))
    return found


def ahead(
    announced: Mapping[int, Sequence[Announced]],
    journal_ends: Mapping[int, int],
    put_aside: Container[tuple[int, int]],
    generations: Generations,
) -> Ahead | None:
    """The first partition in which more was announced than the journal has; None: there is none. Pure.

    ``put_aside``: partition and offset of what project took for nobody's announcement. What a restore has taken back is
    none either. ``journal_ends`` are read after the records: a worker may be announcing meanwhile.
    """
    for partition, records in sorted(announced.items()):
        for record in records:
            if (partition, record.offset) in put_aside or generations.is_void(record.generation, partition, record.seq):
                continue
            if record.seq > journal_ends.get(partition, 0):
                return Ahead(partition, record.offset, record.seq, journal_ends.get(partition, 0))
            break
    return None


def begins(config: Config, topic: str) -> dict[int, int]:
    """Partition -> offset of its first record, where that is not 0: what stood below was deleted, and announced anew.

    Raises DatabaseUnavailable.
    """
    return dict(_rows(config, "begins", LIVE, topic=topic))


def _tails(config: Config, topic: str, partitions: int) -> dict[int, list[tuple[int, bytes | None]]]:
    """Partition -> (offset, value) of its last records. Blocking."""
    settings = {
        **config.kafka_client,
        "group.id": f"{config.topic_prefix}tail",
        "enable.auto.commit": False,
    }
    consumer = Consumer({**settings, "enable.partition.eof": True, "log_level": 2, "logger": CLIENTS})
    tails: dict[int, list[tuple[int, bytes | None]]] = {partition: [] for partition in range(partitions)}
    try:
        bounds = once_elected(
            lambda: {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=_TIMEOUT_S) for p in tails}
        )
        open_ends = {p: end for p, (low, end) in bounds.items() if low < end}
        starts = {p: max(bounds[p][0], end - _TAIL) for p, end in open_ends.items()}
        consumer.assign([TopicPartition(topic, p, start) for p, start in starts.items()])
        deadline = time.monotonic() + _TIMEOUT_S
        while open_ends:
            # Asked for more than there are, the client would wait for them until its timeout.
            count = sum(end - starts[p] for p, end in open_ends.items())
            for message in consumer.consume(count, timeout=_POLL_S):
                partition, offset = message.partition() or 0, message.offset() or 0
                error = message.error()
                if error is None:
                    tails[partition].append((offset, message.value()))
                    starts[partition] = offset + 1
                    if offset + 1 >= bounds[partition][1]:
                        open_ends.pop(partition, None)
                elif error.code() == KafkaError._PARTITION_EOF:  # the last ones are nobody's records
                    open_ends.pop(partition, None)
                else:
                    raise KafkaException(error)
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: its last records did not come")
    except KafkaException as exc:
        raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: {exc.args[0].str()}") from exc
    finally:
        consumer.close()
    return tails


def _rows(config: Config, query: str, generation: str | None = None, **values: object) -> list[tuple[Any, ...]]:
    with looking(config) as conn:
        return conn.execute(load("identity_check", generation)[query], values).fetchall()
