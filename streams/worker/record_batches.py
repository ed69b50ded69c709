"""Kafka's records -> record batches: consecutive records of one partition that travel through Faust as one message.

Faust's work for a message is the same whatever is in it, and dearer than everything that `project` does with a record
(docs/decisions/0012-record batches.md). The loop of the agents takes a record batch apart before anything else looks at
it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from faust.types import TP
from faust.types.tuples import ConsumerMessage

from ft.streams.kafka.message import Message
from ft.streams.worker.hop import message_of

FEWEST: Final = 2
"""Record batches in a full batch, at least."""
WAITS_MAX: Final = 8
"""Full batches that a partition with records waits for its turn, at most."""
BYTES_MAX: Final = 1 << 20
"""Values of the records of one record batch; a record that is larger travels alone."""


class Record(Protocol):
    """What is looked at of the driver's record."""

    offset: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Cut:
    """Consecutive records of one partition, at least one. ``taken``: under which assignment of the group."""

    records: Sequence[Any]
    taken: int = 0


class RecordBatch(ConsumerMessage):
    """One message to Faust. Its offset is that of its last record: what is acknowledged with it ends there."""

    __slots__ = ("_messages", "records", "taken")

    def __init__(self, tp: TP, cut: Cut, generation_id: int) -> None:
        last = cut.records[-1]
        super().__init__(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            headers=None,
            key=None,
            value=None,
            checksum=None,
            tp=tp,
            generation_id=generation_id,
        )
        self.records = cut.records
        self.taken = cut.taken
        self._messages: list[Message] | None = None

    @property
    def messages(self) -> list[Message]:
        """The records as hops have them, the same ones for each."""
        if self._messages is None:
            self._messages = [message_of(record) for record in self.records]
        return self._messages

    def forget_decoded(self) -> None:
        """Nobody has a use for what was decoded any more: whoever does decodes again."""
        self._messages = None


def shares(records: int, partitions: int) -> tuple[int, int]:
    """Record batches in a full batch of so many records, and records in a record batch.

    As few record batches as let each partition have its turn in time: what one partition moves in a row is written
    once, and to pages near to each other, so that a batch of long pieces costs less than one of many short ones.
    """
    batches_max = max(FEWEST, -(-partitions // WAITS_MAX))
    return batches_max, max(1, records // batches_max)


def cut(records: Sequence[Record], records_max: int, bytes_max: int = BYTES_MAX) -> Iterator[Cut]:
    """A partition's records in order, in pieces of at most so many records and so many bytes."""
    start = size = 0
    for at, record in enumerate(records):
        more = len(record.value or b"")
        if at > start and (at - start >= records_max or size + more > bytes_max):
            yield Cut(records[start:at])
            start, size = at, 0
        size += more
    if records:
        yield Cut(records[start:])
