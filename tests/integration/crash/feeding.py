"""What stands around a hop: a stream that offers what Faust's offers, tables that are emptied, topics that are read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import psycopg
from confluent_kafka import Consumer, TopicPartition
from psycopg import sql

from ft.config import Config
from ft.streams.worker.claims import HeldBy
from ft.streams.worker.hop import message_of
from tests.topic_ends import end_of

Place = tuple[str, int]
"""topic, partition"""

_KEPT: Final = ("system.settings", "ledger.months", "system.migrations")
_TABLES: Final = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('system', 'ingest', 'ledger', 'market', 'catalog', 'projection', 'sample')
      AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


class Record:
    """A Kafka message as Faust hands it out."""

    def __init__(self, topic: str, partition: int, offset: int, value: bytes | None, headers: Any = ()) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.value = value
        self.headers = headers


class RecordBatch:
    """Records of a partition that follow each other, as one message; its offset is that of the last."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.messages = [message_of(record) for record in records]
        self.topic = records[-1].topic
        self.partition = records[-1].partition
        self.offset = records[-1].offset


class Event:
    """A record batch in a stream."""

    def __init__(self, message: RecordBatch) -> None:
        self.message = message


class Stream:
    """The records of the claimed partitions from the claims' next offsets on, in record batches of ``size``, and no
    more."""

    def __init__(
        self, records: Sequence[Record], claims: HeldBy, end: Callable[[], Awaitable[None]], *, size: int
    ) -> None:
        self._records = records
        self._claims = claims
        self._end = end
        self._size = size
        self.acknowledged: dict[Place, int] = {}

    async def noack_take(self, max_: int, within: float) -> AsyncIterator[list[Event]]:
        """Batches of ``max_`` record batches, the partitions by turns; ends once ``end`` returns."""
        batches_max = self._record_batches()
        while batch := [Event(batch_size) for batch_size in islice(batches_max, max_)]:
            yield batch
        await self._end()

    async def ack(self, event: Event) -> None:
        """Only reports progress."""
        message = event.message
        self.acknowledged[message.topic, message.partition] = message.offset
        await asyncio.sleep(0)

    def _record_batches(self) -> Iterator[RecordBatch]:
        waiting: dict[Place, list[Record]] = {}
        for record in self._records:
            claim = self._claims.get(record.topic, record.partition)
            if claim is None or record.offset < claim.next_offset:
                continue
            found = waiting.setdefault((record.topic, record.partition), [])
            found.append(record)
            if len(found) == self._size:
                yield RecordBatch(found.copy())
                found.clear()
        yield from (RecordBatch(found) for found in waiting.values() if found)


def round_robin(records: Iterable[Record]) -> list[Record]:
    """The partitions' records by turns: a batch has some of each."""
    return sorted(records, key=lambda record: (record.offset, record.partition))


def empty(url: str) -> None:
    """Every table as a migration leaves it."""
    with psycopg.connect(url) as conn:
        names = [sql.Identifier(*row) for row in conn.execute(_TABLES).fetchall() if ".".join(row) not in _KEPT]
        conn.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(names)))


def rows(url: str, queries: Mapping[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """What each query answers."""
    with psycopg.connect(url, options="-c timezone=UTC") as conn:
        return {name: conn.execute(query.encode()).fetchall() for name, query in queries.items()}


class Topics:
    """Reads topics from where they stood at the last :meth:`mark`."""

    def __init__(self, config: Config, places: Iterable[Place]) -> None:
        self._consumer = Consumer({**config.kafka_client, "group.id": "crash", "fetch.wait.max.ms": 20, "log_level": 2})
        self._starts = dict.fromkeys(places, 0)

    def mark(self) -> None:
        """What is there now is not read any more."""
        self._starts = {place: self._end(place) for place in self._starts}

    def read(self) -> dict[Place, list[Record]]:
        """Everything since, by topic and partition."""
        ends = {place: self._end(place) for place in self._starts}
        left = sum(end - self._starts[place] for place, end in ends.items())
        found: dict[Place, list[Record]] = {place: [] for place in ends}
        self._consumer.assign([TopicPartition(*place, self._starts[place]) for place in ends])
        while left:
            message = self._consumer.poll(10)
            assert message is not None, "a record that the broker has does not come"
            assert message.error() is None, message.error()
            place = (str(message.topic()), int(message.partition() or 0))
            record = Record(*place, int(message.offset() or 0), message.value(), message.headers() or ())
            if record.offset < ends[place]:
                found[place].append(record)
                left -= 1
        self._consumer.unassign()
        return found

    def close(self) -> None:
        self._consumer.close()

    def _end(self, place: Place) -> int:
        return end_of(self._consumer, *place)
