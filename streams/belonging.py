"""Whether this Kafka and this database are of one life: asked before a worker starts, and before topics are made.

1. the offsets in the database were counted in this cluster (each claim checks its own topic again, ``checkpoint``)
2. the journal has every row that was announced: it is committed first, so a topic that is ahead was announced from
   another database, or from a later state of this one. Its next rows would carry numbers that were given out already,
   and every reader would take them for repeats.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ft.config import Config
from ft.errors import BrokerUnavailable, MalformedRecord, OffsetMismatch
from ft.schemas.codec import Codec
from ft.sql.queries import LIVE, load
from ft.streams.admin import CLIENTS
from ft.streams.database import looking
from ft.streams.generations import Generations
from ft.streams.topics import Topics, cluster_id

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


def require_announced(config: Config, codec: Codec, partitions: int) -> None:
    """Raises OffsetMismatch where the topic of changes is ahead of the journal; BrokerError, DatabaseUnavailable.

    ``codec``: of that topic. What project has put aside is nobody's announcement, whatever it says; nor is what a
    restore has taken back.
    """
    topic, generations = Topics(config.topic_prefix).ownership_changed, Generations.stored(config)
    tails = _tails(config, topic, partitions)
    refused = {(row[0], row[1]) for row in _rows(config, "refused_by_project", topic=topic)}
    ends = dict(_rows(config, "journal_ends"))  # read after the tails: a worker may be announcing meanwhile
    for partition, records in tails.items():
        taken_back = partial(generations.is_void, partition=partition)
        last = _last_seq(codec, records, {offset for at, offset in refused if at == partition}, taken_back)
        if last is not None and last[1] > ends.get(partition, 0):
            raise OffsetMismatch(
                f"{topic}-{partition}: expected its last record to announce a row of this database's journal, which "
                f"ends at {ends.get(partition, 0)}, got row {last[1]} at offset {last[0]}. The database is not the one "
                "that the topics were announced from, or an older state of it. Point FT_POSTGRES at that one; if it is "
                "lost, `ft restore --as-it-stands` goes on from this state, and `ft reset --keep raw` reads everything "
                "again."
            )


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
        starts = {p: _start(consumer, topic, p) for p in tails}
        consumer.assign([TopicPartition(topic, p, start) for p, start in starts.items()])
        open_ends, deadline = set(tails), time.monotonic() + _TIMEOUT_S
        while open_ends:
            for message in consumer.consume(_TAIL, timeout=_POLL_S):
                partition = message.partition() or 0
                error = message.error()
                if error is None:
                    tails[partition].append((message.offset() or 0, message.value()))
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_ends.discard(partition)
                else:
                    raise KafkaException(error)
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: its last records did not come")
    except KafkaException as exc:
        raise BrokerUnavailable(f"Kafka at {config.kafka}: {topic}: {exc.args[0].str()}") from exc
    finally:
        consumer.close()
    return tails


def _start(consumer: Consumer, topic: str, partition: int) -> int:
    low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_TIMEOUT_S)
    return max(low, end - _TAIL)


def _last_seq(
    codec: Codec, records: list[tuple[int, bytes | None]], refused: set[int], taken_back: Callable[..., bool]
) -> tuple[int, int] | None:
    """Offset and seq of the last record that can be read, was not put aside and not taken back."""
    for offset, value in reversed(records):
        if offset in refused:
            continue
        try:
            record = codec.decode(value)
        except MalformedRecord:
            continue
        if not taken_back(record["generation"], seq=record["seq"]):
            return offset, record["seq"]
    return None


def _rows(config: Config, query: str, generation: str | None = None, **values: object) -> list[tuple[Any, ...]]:
    with looking(config) as conn:
        return conn.execute(load("belonging", generation)[query], values).fetchall()
