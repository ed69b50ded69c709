"""The loop that hands batches to a hop: what it drops, where it stops, what it tries again, what it acknowledges."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ft.errors import DatabaseError, DatabaseUnavailable, Fenced, OffsetMismatch
from ft.streams.kafka.message import Message
from ft.streams.worker import hop as hops
from ft.streams.worker.fence import Claim, Superseded
from ft.streams.worker.hop import Batch, handle, message_of, run_hop, select

TOPIC = "t"


class Held:
    """Claims of partitions by number."""

    def __init__(self, **next_offsets: int) -> None:
        self.claims = {
            int(name[1:]): Claim(
                consumer="c", topic=TOPIC, partition=int(name[1:]), epoch=1, next_offset=at, next_seq=1
            )
            for name, at in next_offsets.items()
        }

    def get(self, topic: str, partition: int) -> Claim | None:
        return self.claims.get(partition)


@dataclass
class Recorder:
    """A hop that remembers what it was given, and raises what it is told to, once each."""

    raises: list[Exception] = field(default_factory=list)
    seen: list[list[tuple[int, int]]] = field(default_factory=list)
    consumer: str = "c"

    async def start(self) -> None: ...

    async def process(self, batch: Batch) -> None:
        self.seen.append([(message.partition, message.offset) for message in batch.messages])
        if self.raises:
            raise self.raises.pop(0)
        for message in batch.messages:
            batch.claims[message.partition].next_offset = message.offset + 1

    async def stop(self) -> None: ...


class Stream:
    """What Faust's stream offers to the loop."""

    def __init__(self, *batches: Sequence[Any]) -> None:
        self.batches = batches
        self.acked: list[tuple[int, int]] = []

    async def noack_take(self, max_: int, within: float) -> Any:
        for batch in self.batches:
            yield batch

    async def ack(self, event: Any) -> None:
        self.acked.append((event.message.partition, event.message.offset))


def message(partition: int, offset: int) -> Message:
    return Message(topic=TOPIC, partition=partition, offset=offset, value=b"", headers={})


def event(partition: int, first: int, last: int | None = None) -> Any:
    """A record batch of the records from ``first`` to ``last``, as Faust hands it to an agent."""
    return of(*(record(partition, offset) for offset in range(first, (first if last is None else last) + 1)))


def record(partition: int, offset: int, value: bytes | None = b"v") -> Any:
    return SimpleNamespace(topic=TOPIC, partition=partition, offset=offset, value=value, headers=[("h", b"1")])


def of(*records: Any) -> Any:
    last = records[-1]
    message = SimpleNamespace(
        topic=TOPIC, partition=last.partition, offset=last.offset, messages=list(map(message_of, records))
    )
    return SimpleNamespace(message=message)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops, "RETRY_DELAYS_S", (0.0, 0.0, 0.0))


def test_a_batch_is_sorted_and_loses_repeats_old_offsets_and_partitions_of_others() -> None:
    mixed = [message(1, 6), message(0, 3), message(2, 9), message(1, 5), message(0, 2), message(0, 3), message(1, 4)]

    batch = select(mixed, Held(p0=3, p1=4))

    assert [(m.partition, m.offset) for m in batch.messages] == [(0, 3), (1, 4), (1, 5), (1, 6)]
    assert sorted(batch.claims) == [0, 1]
    assert [len(found) for found in batch.by_partition().values()] == [1, 3]


def test_a_gap_stops() -> None:
    with pytest.raises(OffsetMismatch, match="expected offset 4, got 5"):
        select([message(0, 3), message(0, 5)], Held(p0=3))


def test_a_batch_that_begins_after_the_next_offset_stops() -> None:
    with pytest.raises(OffsetMismatch):
        select([message(0, 4)], Held(p0=3))


async def test_a_passing_error_is_tried_again_with_what_is_left() -> None:
    claims, hop = Held(p0=0), Recorder(raises=[DatabaseUnavailable("away"), DatabaseUnavailable("away")])

    done, left = await handle([event(0, 0), event(0, 1)], hop, claims)

    assert hop.seen == [[(0, 0), (0, 1)]] * 3
    assert (len(done), left) == (2, [])


async def test_passing_errors_are_tried_so_often_and_no_more() -> None:
    hop = Recorder(raises=[DatabaseUnavailable("away")] * 9)

    with pytest.raises(DatabaseUnavailable):
        await handle([event(0, 0)], hop, Held(p0=0))

    assert len(hop.seen) == 4


async def test_a_superseded_batch_is_dropped_and_not_acknowledged() -> None:
    hop = Recorder(raises=[Superseded("newer")])

    assert await handle([event(0, 0)], hop, Held(p0=0)) == ([], [])


@pytest.mark.parametrize("error", [Fenced("taken"), DatabaseError("refused"), ValueError("a bug")])
async def test_anything_else_ends_the_process_and_acknowledges_nothing(error: Exception) -> None:
    failures: list[BaseException] = []
    stream = Stream([event(0, 0)], [event(0, 1)])
    hop = Recorder(raises=[error])

    async def fail(exc: BaseException) -> None:
        failures.append(exc)

    await run_hop(stream, hop, Held(p0=0), fail, batches_max=10, within_s=0.1)

    assert failures == [error]
    assert stream.acked == []
    assert len(hop.seen) == 1


async def test_what_is_committed_is_acknowledged_also_repeats() -> None:
    stream = Stream([event(0, 1), event(0, 2), event(1, 7)])

    async def fail(exc: BaseException) -> None:
        raise exc

    await run_hop(stream, Recorder(), Held(p0=2), fail, batches_max=10, within_s=0.1)

    assert stream.acked == [(0, 1), (0, 2)]


async def test_what_was_taken_before_a_rebalance_is_dropped_after_it() -> None:
    claims, hop = Held(p0=1), Recorder()
    stream = Stream([event(0, 2, 8)], [event(0, 1), event(0, 2)])
    before = stream.batches[0][0]

    async def fail(exc: BaseException) -> None:
        raise exc

    await run_hop(
        stream, hop, claims, fail, batches_max=10, within_s=0.1, current=lambda each: each is not before
    )  # fmt: skip

    assert hop.seen == [[(0, 1), (0, 2)]]
    assert stream.acked == [(0, 1), (0, 2)]


async def test_a_record_batch_is_acknowledged_once_its_last_record_is_committed() -> None:
    claims, hop = Held(p0=2, p1=0), Recorder()
    stream = Stream([event(0, 0, 4), event(1, 0, 1)], [event(0, 5, 9), event(2, 0, 3)])

    async def fail(exc: BaseException) -> None:
        raise exc

    await run_hop(stream, hop, claims, fail, batches_max=10, within_s=0.1)

    assert hop.seen == [[(0, 2), (0, 3), (0, 4), (1, 0), (1, 1)], [(0, n) for n in range(5, 10)]]
    assert stream.acked == [(0, 4), (1, 1), (0, 9)]


async def test_a_record_batch_of_which_something_is_left_is_not_acknowledged() -> None:
    class Half(Recorder):
        async def process(self, batch: Batch) -> None:
            batch.claims[0].next_offset = 3
            raise Superseded("newer")

    whole, part = event(0, 0, 1), event(0, 2, 4)

    assert await handle([whole, part], Half(), Held(p0=0)) == ([whole], [])


class Pairs(Recorder):
    """Takes two records at a time, and a single one only if it comes alone."""

    async def process(self, batch: Batch) -> None:
        messages = list(batch.messages)
        self.seen.append([(message.partition, message.offset) for message in messages])
        taken = len(messages) if len(messages) == 1 else len(messages) // 2 * 2
        batch.claims[0].next_offset = messages[taken - 1].offset + 1


async def test_what_a_hop_leaves_over_comes_again_with_what_follows() -> None:
    stream, hop = Stream([event(0, 0, 2)], [event(0, 3)]), Pairs()

    async def fail(exc: BaseException) -> None:
        raise exc

    await run_hop(stream, hop, Held(p0=0), fail, batches_max=10, within_s=0.1)

    assert hop.seen == [[(0, 0), (0, 1), (0, 2)], [(0, 2), (0, 3)]]
    assert stream.acked == [(0, 2), (0, 3)]


async def test_what_a_hop_leaves_over_comes_alone_where_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops, "LEFT_S", 0.01)
    acknowledged = asyncio.Event()

    class Endless(Stream):
        async def noack_take(self, max_: int, within: float) -> Any:
            yield [event(0, 0, 2)]
            await acknowledged.wait()

        async def ack(self, event: Any) -> None:
            await super().ack(event)
            acknowledged.set()

    stream, hop = Endless(), Pairs()

    async def fail(exc: BaseException) -> None:
        raise exc

    await run_hop(stream, hop, Held(p0=0), fail, batches_max=10, within_s=0.1)

    assert hop.seen == [[(0, 0), (0, 1), (0, 2)], [(0, 2)]]
    assert stream.acked == [(0, 2)]


async def test_what_is_left_over_of_a_partition_that_went_is_forgotten() -> None:
    claims = Held(p0=0)

    class Leaves(Pairs):
        async def process(self, batch: Batch) -> None:
            await super().process(batch)
            del claims.claims[0]

    assert await handle([event(0, 0, 2)], Leaves(), claims) == ([], [])


async def test_a_gap_inside_a_record_batch_stops() -> None:
    hop = Recorder()

    with pytest.raises(OffsetMismatch, match="expected offset 2, got 3"):
        await handle([of(record(0, 0), record(0, 1), record(0, 3))], hop, Held(p0=0))

    assert hop.seen == []


async def test_records_keep_their_headers_and_their_missing_values() -> None:
    found: list[Message] = []

    class Keeper(Recorder):
        async def process(self, batch: Batch) -> None:
            found.extend(batch.messages)

    bare = SimpleNamespace(topic=TOPIC, partition=0, offset=1, value=None, headers=(("gone", None), ("k", b"w")))

    await handle([of(record(0, 0), bare)], Keeper(), Held(p0=0))

    assert [(m.value, m.headers) for m in found] == [(b"v", {"h": b"1"}), (None, {"k": b"w"})]
