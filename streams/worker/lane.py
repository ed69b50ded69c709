"""What lies before one hop: record batches of its partitions, in order, from the reading that a topic's consumers
share.

A topic is read once for all of its consumers in a process, as fast as the fastest of them takes. A record batch is put
into each one's lane. A lane that has too much already lets it pass by, and from there on that partition is *apart*: it
gets its records from a reading of the lane's own (``apart``), until that has come to where the shared reading is. The
others never notice. Of the lanes before which a partition is not apart there is always one.

Pure, but for waiting: whoever feeds it and whoever takes out of it are in one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

APART_BYTES: Final = 64 << 20
"""Values of the records that lie before a hop at most, before it reads apart."""
NEAR: Final = 4_000
"""Records by which consumers may differ when a partition is assigned, and be read for together: from where the last of
them is; the others know what they have had."""


class Record(Protocol):
    """What is looked at of a record."""

    offset: int
    value: bytes | None


class RecordBatch(Protocol):
    """Consecutive records of one partition. ``offset``: of its last one; ``taken``: under which assignment."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def records(self) -> Sequence[Any]: ...
    @property
    def taken(self) -> int: ...


class Event(Protocol):
    """A record batch, as a stream hands it out."""

    @property
    def message(self) -> Any: ...


@dataclass(slots=True)
class _Place:
    """Of one partition: ``passed`` is the offset behind the last record that the shared reading came by with, ``own``
    the next one that the lane reads itself; None: it is not apart."""

    passed: int
    own: int | None = None


class Lane:
    """Record batches before one hop. One feeds it, one takes out of it."""

    def __init__(self, consumer: str, topic: str, *, queue_max: int, apart_bytes: int = APART_BYTES) -> None:
        """``queue_max``: record batches for which more is read; more than those only come because another lane had
        room."""
        self.consumer = consumer
        self.topic = topic
        self.queue_max = queue_max
        self._apart_bytes = apart_bytes
        self._places: dict[int, _Place] = {}
        self._assignment = 0
        self._waiting: deque[Event] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self.is_closed = False
        """Nothing comes any more."""
        self._news: asyncio.Future[None] | None = None
        self.unfed: Callable[[], int] | None = None
        """Record batches on their way here; None: the hop has not started."""
        self.is_busy = False
        """Whether the hop has a batch in hand."""
        self.moved = asyncio.Event()
        """Something was taken out, or put apart: whoever reads apart looks again."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def bytes_waiting(self) -> int:
        """Values of the records that wait."""
        return self._bytes

    @property
    def assignment(self) -> int:
        """Under which the lane's partitions are read now."""
        return self._assignment

    def begin(self, assignment: int, places: Mapping[int, tuple[int, int]]) -> None:
        """The group has assigned partitions: of each, the hop's next offset, and where the shared reading begins. What
        was before is read again."""
        self.forget()
        self._assignment = assignment
        for partition, (claimed, start) in places.items():
            self._places[partition] = _Place(passed=start, own=claimed if claimed < start else None)

    def restart(self, offsets: Mapping[int, int]) -> None:
        """What was taken out is lost to the hop: it reads again from ``offsets``, by partition, by itself."""
        self._clear()
        for partition, place in self._places.items():
            offset = offsets.get(partition, place.passed)
            place.own = offset if offset < place.passed else None
        self.moved.set()

    def forget(self) -> None:
        """The group takes the partitions away: nothing waits, nothing is apart."""
        self._clear()
        self._places.clear()
        self.moved.set()

    def _clear(self) -> None:
        self._waiting.clear()
        self._sizes.clear()
        self._bytes = 0

    def shares(self, partition: int) -> bool:
        """Whether the shared reading of the partition is for this lane."""
        place = self._places.get(partition)
        return place is not None and place.own is None

    @property
    def apart(self) -> dict[int, int]:
        """Partition -> the next offset that the lane reads itself."""
        return {partition: place.own for partition, place in self._places.items() if place.own is not None}

    def offer(self, event: Event, *, is_last: bool) -> bool:
        """A record batch of the shared reading; whether it was taken. ``is_last``: no other lane takes this
        partition's.

        1. one of an assignment before is read again
        2. one of a partition that is apart passes by
        3. where too much waits already, the partition is apart from here on
        4. it waits
        """
        record_batch = event.message
        place = self._places.get(record_batch.partition)
        if record_batch.taken != self._assignment or place is None:  # 1
            return False
        first, place.passed = record_batch.records[0].offset, record_batch.offset + 1
        if place.own is not None:  # 2
            return False
        size = 0 if is_last else sum(len(record.value or b"") for record in record_batch.records)
        if not is_last and self._waiting and self._bytes + size > self._apart_bytes:  # 3
            place.own = first
            self.moved.set()
            return False
        self._put(event, size)  # 4
        return True

    def offer_own(self, event: Event) -> None:
        """A record batch of the lane's own reading: the next one of a partition that is apart, none of whose records
        the shared reading is still to come by with. Where they meet, the partition is apart no more."""
        record_batch = event.message
        place = self._places[record_batch.partition]
        place.own = record_batch.offset + 1
        if place.own >= place.passed:
            place.own = None
        self._put(event, sum(len(record.value or b"") for record in record_batch.records))

    def wanted(self, partition: int, assignment: int, records: Sequence[Record]) -> Sequence[Record]:
        """Those of the records that were read apart that come next here; none where the group, or another reading, has
        made them worthless meanwhile."""
        place = self._places.get(partition)
        if assignment != self._assignment or place is None or place.own is None:
            return ()
        return [record for record in records if place.own <= record.offset < place.passed]

    @property
    def free(self) -> int:
        """Record batches for which there is room, with those on their way; 0 or less where there is none."""
        return 0 if self.unfed is None else self.queue_max - len(self._waiting) - self.unfed()

    @property
    def has_room(self) -> bool:
        """Whether the lane's own reading may go on. What is on its way does not count: it passes by, or has been let in
        before."""
        return len(self._waiting) < self.queue_max

    @property
    def is_hungry(self) -> bool:
        """Whether the hop has nothing in hand, and nothing waits or is on its way."""
        return self.unfed is not None and not self.is_busy and not self._waiting and not self.unfed()

    async def take(self, most: int, within_s: float) -> Sequence[Event]:
        """Up to ``most`` record batches in their order, at least one: once there are so many, or with the next beat of
        ``within_s``. None at all once the lane is closed."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting and not self.is_closed:
                await self._wait(None)
            beat = (loop.time() // within_s + 1) * within_s
            while 0 < len(self._waiting) < most and not self.is_closed and (left := beat - loop.time()) > 0:
                await self._wait(left)
            if self._waiting or self.is_closed:  # else a rebalance has taken away what came
                break
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        for _ in taken:
            self._bytes -= self._sizes.popleft()
        self.moved.set()
        return taken

    def close(self) -> None:
        """Nothing comes any more."""
        self.is_closed = True
        self._tell()

    def _put(self, event: Event, size: int) -> None:
        self._waiting.append(event)
        self._sizes.append(size)
        self._bytes += size
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _wait(self, timeout_s: float | None) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await asyncio.wait((self._news,), timeout=timeout_s)


def start_of(claimed: Sequence[int], near: int = NEAR) -> int:
    """Where the shared reading of a partition begins, given the next offset of each of its consumers: where the one is
    that is behind the others by ``near`` records at most. Who is further behind reads apart."""
    ahead = max(claimed)
    return min(offset for offset in claimed if ahead - offset <= near)
