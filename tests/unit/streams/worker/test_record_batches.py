"""Record batches: however records are cut, repeated, mixed and taken away, the agents see what single records would
show."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import given, note, settings
from hypothesis import strategies as st

from ft.errors import OffsetMismatch
from ft.streams.worker.fence import Claim
from ft.streams.worker.hop import Batch, handle
from ft.streams.worker.record_batches import BYTES_MAX, FEWEST, WAITS_MAX, Cut, RecordBatch, cut, shares

TOPIC = "t"
PARTITIONS = 3


@dataclass
class Record:
    """As the driver fetches it."""

    partition: int
    offset: int
    value: bytes | None = b"v"
    topic: str = TOPIC
    timestamp: int = 1_700_000_000_000
    timestamp_type: int = 0
    headers: Sequence[tuple[str, bytes | None]] = (("traceparent", b"00"),)


def sizes(records: Sequence[Record], records_max: int, bytes_max: int = BYTES_MAX) -> list[int]:
    return [len(piece.records) for piece in cut(records, records_max, bytes_max)]


def test_a_record_batch_has_so_many_records_at_most() -> None:
    assert sizes([Record(0, n) for n in range(7)], 3) == [3, 3, 1]
    assert sizes([Record(0, n) for n in range(6)], 3) == [3, 3]
    assert sizes([], 3) == []


def test_a_record_batch_has_so_many_bytes_at_most() -> None:
    assert sizes([Record(0, n, b"x" * 4) for n in range(5)], 100, bytes_max=8) == [2, 2, 1]


def test_a_record_larger_than_a_record_batch_travels_alone() -> None:
    large = Record(0, 1, b"x" * (BYTES_MAX + 1))

    assert sizes([Record(0, 0), large, Record(0, 2), Record(0, 3)], 100) == [1, 1, 2]
    assert sizes([large, Record(0, 2)], 100) == [1, 1]


def test_records_without_a_value_have_no_size() -> None:
    assert sizes([Record(0, n, None) for n in range(4)], 100, bytes_max=1) == [4]


def test_a_record_batch_stands_where_its_last_record_stands() -> None:
    record_batch = RecordBatch(TP(TOPIC, 2), Cut([Record(2, 7), Record(2, 8)]), generation_id=4)

    assert (record_batch.topic, record_batch.partition, record_batch.offset, record_batch.generation_id) == (
        TOPIC,
        2,
        8,
        4,
    )
    assert (record_batch.value, record_batch.key, record_batch.timestamp) == (None, None, 1_700_000_000.0)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_any_cuts_repeats_and_revocations_give_what_single_records_give(seed: int) -> None:
    note(f"seed {seed}")
    random = Random(seed)
    takes = [_take(random) for _ in range(random.randrange(1, 6))]
    starts = [random.randrange(4) for _ in range(PARTITIONS)]
    revoked = [{p for p in range(PARTITIONS) if random.random() < 0.2} for _ in takes]

    record_batches = _run([_cut_up(random, take) for take in takes], starts, revoked)
    singles = _run([[[record] for record in take] for take in takes], starts, revoked)

    assert record_batches[0] == singles[0]
    assert record_batches[1] == singles[1]


def _take(random: Random) -> list[Record]:
    """Stretches of the partitions in any order, overlapping, sometimes with a hole before them."""
    found: list[Record] = []
    for _ in range(random.randrange(1, 7)):
        partition, first = random.randrange(PARTITIONS), random.randrange(12)
        found += [Record(partition, n) for n in range(first, first + random.randrange(1, 8))]
    return found


def _cut_up(random: Random, take: Sequence[Record]) -> list[Sequence[Record]]:
    """Record batches of records that follow each other in their partition."""
    record_batches: list[list[Record]] = []
    for record in take:
        last = record_batches[-1][-1] if record_batches else None
        follows = last is not None and (last.partition, last.offset + 1) == (record.partition, record.offset)
        if follows and random.random() < 0.8:
            record_batches[-1].append(record)
        else:
            record_batches.append([record])
    return [piece.records for record_batch in record_batches for piece in cut(record_batch, random.randrange(1, 6))]


def _run(takes: Sequence[Sequence[Sequence[Record]]], starts: list[int], revoked: Sequence[set[int]]) -> Any:
    """What a hop is given, take by take, until a gap stops it; and where the claims stand then."""
    claims = {
        p: Claim(consumer="c", topic=TOPIC, partition=p, epoch=1, next_offset=starts[p], next_seq=1)
        for p in range(PARTITIONS)
    }
    seen: list[Any] = []

    class Hop:
        consumer = "c"

        async def start(self) -> None: ...

        async def process(self, batch: Batch) -> None:
            seen.append(list(batch.messages))
            for message in batch.messages:
                assert message.offset == batch.claims[message.partition].next_offset
                batch.claims[message.partition].next_offset += 1

        async def stop(self) -> None: ...

    for take, gone in zip(takes, revoked, strict=True):
        held = SimpleNamespace(get=lambda topic, p, gone=gone: None if p in gone else claims[p])
        events = [SimpleNamespace(message=RecordBatch(TP(TOPIC, b[0].partition), Cut(b), 1)) for b in take]
        try:
            done, _ = _now(handle(events, Hop(), held))
        except OffsetMismatch as exc:
            seen.append(str(exc))
            break
        committed = [e for e in events if e.message.partition not in gone]
        assert done == [e for e in committed if e.message.offset < claims[e.message.partition].next_offset]
    return seen, {p: claim.next_offset for p, claim in claims.items()}


def _now(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


@given(records=st.integers(1, 10_000), partitions=st.integers(1, 500))
def test_every_partition_has_its_turn_within_eight_full_batches(records: int, partitions: int) -> None:
    record_batches, record_batch = shares(records, partitions)

    assert record_batches * WAITS_MAX >= partitions
    assert record_batches == FEWEST or (record_batches - 1) * WAITS_MAX < partitions  # no more than that takes
    assert record_batch == max(1, records // record_batches)
