"""Turns: whatever was fetched, every partition with records is read before another is read twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace

from aiokafka.consumer.fetcher import FetchError, FetchResult  # type: ignore[import-untyped]
from faust.types import TP
from hypothesis import given, note, settings
from hypothesis import strategies as st

from ft.streams.worker.record_batches import BYTES_MAX, Cut
from ft.streams.worker.turns import PIECES_MAX, Turns, most_of_a_turn, take

_LARGE = memoryview(bytes(BYTES_MAX))


@dataclass
class Record:
    """As the driver fetches it."""

    offset: int
    value: bytes | memoryview | None = b"v"


class Fetched(FetchResult):  # type: ignore[misc]
    """What the driver fetched of one partition."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self._assignment = SimpleNamespace(state_value=lambda _: self)
        self.has_valid_position = True

    @property
    def position(self) -> int:
        """Where the partition is read."""
        return self.records[0].offset if self.records else 0

    @property
    def highwater(self) -> int:
        """Where it ends."""
        return self.position + len(self.records)

    def has_more(self) -> bool:
        """As the driver's."""
        return bool(self.records)

    def getall(self, max_records: int) -> list[Record]:
        """As the driver's: asked where nothing is left, it raises."""
        assert self.records
        found, self.records = self.records[:max_records], self.records[max_records:]
        return found


class Fetcher:
    """The driver's buffers, in the order in which they were fetched."""

    def __init__(self, **sizes: int) -> None:
        self._records: dict[TP, object] = {}
        self._wait_consume_future = None
        self.asked_again = 0
        for name, size in sizes.items():
            self.fetched(name, [Record(n) for n in range(size)])

    def fetched(self, name: str, records: Sequence[Record]) -> None:
        """Something came for the partition ``<topic><number>``."""
        self._records[tp(name)] = Fetched(records)

    def _notify(self, future: object) -> None:
        self.asked_again += 1


def tp(name: str) -> TP:
    return TP(name[0], int(name[1:]))


def taken(
    fetcher: Fetcher, turns: Turns | None = None, *, room: int = 100, most: int = 10, without: Sequence[str] = ()
) -> list[tuple[str, int]]:
    """What is taken in the order in which partitions come first: partition, records."""
    active = {at for at in fetcher._records if f"{at.topic}{at.partition}" not in without}
    found = take(fetcher, active, turns or Turns(), lambda _: room, lambda _: most)
    return [(f"{at.topic}{at.partition}", records_of(pieces)) for at, pieces in found.items()]


def records_of(pieces: Sequence[Cut]) -> int:
    return sum(len(piece.records) for piece in pieces)


def test_a_partition_with_a_large_buffer_leaves_the_others_their_turn() -> None:
    assert taken(Fetcher(t0=1000, t1=5, t2=1000), room=3) == [("t0", 10), ("t1", 5), ("t2", 10)]


def test_whoever_was_served_comes_last_the_next_time() -> None:
    fetcher, turns = Fetcher(t0=100, t1=100, t2=100), Turns()

    assert [taken(fetcher, turns, room=2) for _ in range(3)] == [
        [("t0", 10), ("t1", 10)],
        [("t2", 10), ("t0", 10)],
        [("t1", 10), ("t2", 10)],
    ]


def test_a_partition_that_had_nothing_comes_before_those_that_were_served() -> None:
    fetcher, turns = Fetcher(t0=100, t1=100), Turns()
    taken(fetcher, turns, room=2)
    fetcher.fetched("t2", [Record(0)])

    assert taken(fetcher, turns, room=1) == [("t2", 1)]


def test_a_topic_whose_queue_is_full_keeps_no_other_from_being_read() -> None:
    fetcher = Fetcher(t0=100, u0=100)

    found = take(fetcher, set(fetcher._records), Turns(), lambda at: 0 if at.topic == "t" else 2, lambda _: 10)

    assert {at.topic: records_of(pieces) for at, pieces in found.items()} == {"u": 20}


def test_a_buffer_that_a_seek_made_worthless_is_dropped() -> None:
    fetcher = Fetcher(t0=0)

    assert take(fetcher, {tp("t0")}, Turns(), lambda _: 4, lambda _: 10) == {}
    assert (fetcher._records, fetcher.asked_again) == ({}, 1)


def test_one_partition_alone_fills_the_queue() -> None:
    assert taken(Fetcher(t0=1000), room=8) == [("t0", 80)]


def test_an_agent_at_work_gets_whole_record_batches_and_what_is_small_gathers() -> None:
    fetcher = Fetcher(t0=9, t1=3, u0=9)

    def read(*hungry: str) -> dict[str, int]:
        found = take(fetcher, set(fetcher._records), Turns(), lambda _: 4, lambda _: 10, lambda topic: topic in hungry)
        return {f"{at.topic}{at.partition}": records_of(pieces) for at, pieces in found.items()}

    assert read("u") == {"u0": 9}
    fetcher.fetched("t0", [Record(n) for n in range(10)])
    assert read() == {"t0": 10, "t1": 3}
    fetcher.fetched("t1", [Record(n) for n in range(3, 6)])
    assert read() == {}
    assert read("t") == {"t1": 3}


def test_so_many_record_batches_are_handed_over_in_one_go_at_most() -> None:
    assert taken(Fetcher(t0=1000), room=1000, most=1) == [("t0", PIECES_MAX)]


def test_a_partition_read_to_its_end_is_fetched_again() -> None:
    fetcher = Fetcher(t0=3)

    assert taken(fetcher) == [("t0", 3)]
    assert (fetcher._records, fetcher.asked_again) == ({}, 1)


def test_partitions_that_are_not_asked_for_keep_their_records() -> None:
    fetcher = Fetcher(t0=3, t1=3)

    assert taken(fetcher, without=["t0"]) == [("t1", 3)]
    assert list(fetcher._records) == [tp("t0")]


def test_large_records_are_taken_no_further_than_a_record_batch_holds() -> None:
    fetcher = Fetcher()
    fetcher.fetched("t0", [Record(n, b"x" * (BYTES_MAX // 2)) for n in range(20)])
    fetcher.fetched("t1", [Record(0)])

    assert taken(fetcher, room=2) == [("t0", 2), ("t1", 1)]


def test_of_large_records_behind_small_ones_one_is_taken() -> None:
    fetcher = Fetcher()
    fetcher.fetched("t0", [Record(n, b"x" * (BYTES_MAX if n > 2 else 1)) for n in range(20)])

    assert taken(fetcher, room=2) == [("t0", 4)]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 500))
def test_more_record_batches_than_there_is_room_for_are_of_one_turn(seed: int, most: int) -> None:
    note(f"seed {seed}")
    random, room = Random(seed), 4
    fetcher = Fetcher()
    for partition in range(3):
        sizes = (random.choice((1, BYTES_MAX // 40, BYTES_MAX)) for _ in range(600))
        fetcher.fetched(f"t{partition}", [Record(n, _LARGE[:size]) for n, size in enumerate(sizes)])

    found = take(fetcher, set(fetcher._records), Turns(), lambda _: room, lambda _: most)

    assert sum(map(len, found.values())) < room + most_of_a_turn(most)


def test_an_error_in_the_place_of_records_is_left_to_the_driver() -> None:
    fetcher = Fetcher(t1=3)
    fetcher._records[tp("t0")] = FetchError(error=ValueError(), backoff=0)

    assert taken(fetcher) == [("t1", 3)]
    assert list(fetcher._records) == [tp("t0")]


def test_partitions_that_are_not_held_are_forgotten() -> None:
    turns = Turns()
    turns.served(tp("t0"))
    turns.served(tp("t1"))

    turns.keep({tp("t1")})

    assert turns.order([tp("t1"), tp("t0")]) == [tp("t0"), tp("t1")]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_nobody_is_read_twice_while_another_waits_and_every_record_comes_in_order(seed: int) -> None:
    note(f"seed {seed}")
    random, turns = Random(seed), Turns()
    sizes = {f"t{p}": random.randrange(60) for p in range(random.randrange(1, 9))}
    fetcher, room = Fetcher(**sizes), random.randrange(1, 12)
    read: dict[TP, list[int]] = {tp(name): [] for name in sizes}
    since = dict.fromkeys(read, 0)

    while any(len(read[at]) < sizes[f"t{at.partition}"] for at in read):
        found = take(fetcher, set(read), turns, lambda _: room, lambda _: 5)
        assert 0 < sum(map(len, found.values())) <= room
        for at in read:
            read[at] += [record.offset for piece in found.get(at, []) for record in piece.records]
            waits = len(read[at]) < sizes[f"t{at.partition}"] and at not in found
            since[at] = since[at] + 1 if waits else 0
            assert since[at] <= -(-len(read) // room)

    assert read == {at: list(range(sizes[f"t{at.partition}"])) for at in read}
