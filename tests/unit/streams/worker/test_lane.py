"""Lanes: whatever their pace, each gets every record of its partitions once and in order, and holds up nobody."""

import asyncio
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import pytest

from ft.streams.worker.fence import Claim
from ft.streams.worker.lane import Lane, start_of
from ft.streams.worker.lanes import Apart, Lanes

TOPIC: Final = "t"
SEEDS: Final = 300


def event(partition: int, first: int, last: int, assignment: int = 1, size: int = 1) -> Any:
    """A record batch of the records from ``first`` to ``last``."""
    records = [SimpleNamespace(offset=offset, value=b"x" * size) for offset in range(first, last + 1)]
    return SimpleNamespace(message=SimpleNamespace(partition=partition, offset=last, records=records, taken=assignment))


def claim(consumer: str, next_offset: int, partition: int = 0) -> Claim:
    return Claim(consumer=consumer, topic=TOPIC, partition=partition, epoch=1, next_offset=next_offset, next_seq=1)


def two(apart_bytes: int = 4, *, near: int = 0) -> tuple[Lanes, Lane, Lane]:
    """Two lanes whose hops have started, and that have room for two record batches."""
    lanes = Lanes()
    made = [Lane(name, TOPIC, queue_max=2, apart_bytes=apart_bytes) for name in ("quick", "slow")]
    for lane in made:
        lane.unfed = lambda: 0
        lanes.add(lane)
    lanes.begin(1, [claim("quick", 0), claim("slow", near)])
    return lanes, made[0], made[1]


async def offsets(lane: Lane, most: int = 100) -> list[int]:
    return [record.offset for each in await lane.take(most, 0.001) for record in each.message.records]


async def test_what_is_read_once_comes_to_each() -> None:
    lanes, quick, slow = two()

    assert all(lanes.offer(lane, event(0, 0, 2)) for lane in (quick, slow))

    assert await offsets(quick) == await offsets(slow) == [0, 1, 2]


async def test_who_has_too_much_lets_it_pass_and_reads_that_itself() -> None:
    lanes, quick, slow = two(apart_bytes=4)
    for first in (0, 3):
        assert lanes.offer(quick, event(0, first, first + 2))
        await quick.take(9, 0.001)

    taken = [lanes.offer(slow, event(0, first, first + 2)) for first in (0, 3)]

    assert taken == [True, False]
    assert slow.apart == {0: 3}
    slow.offer_own(Apart(event(0, 3, 5).message))
    assert slow.apart == {}
    assert await offsets(slow) == [0, 1, 2, 3, 4, 5]
    assert lanes.offer(slow, event(0, 6, 6))


async def test_the_last_one_that_reads_a_partition_never_lets_it_pass() -> None:
    lanes, quick, slow = two(apart_bytes=1)
    lanes.begin(1, [claim("quick", 9_000), claim("slow", 0)])

    assert slow.apart == {0: 0}
    assert all(lanes.offer(quick, event(0, first, first + 9)) for first in range(9_000, 9_100, 10))


async def test_there_is_as_much_room_as_the_one_has_that_has_most() -> None:
    lanes, quick, slow = two(apart_bytes=100)
    for first in (0, 1):
        for lane in (quick, slow):
            lanes.offer(lane, event(0, first, first))
    assert lanes.room(TOPIC, 0) == 0

    await quick.take(1, 0.001)

    assert (lanes.room(TOPIC, 0), slow.free) == (1, 0)


async def test_a_hop_that_has_not_started_has_no_room_and_is_not_hungry() -> None:
    lanes, quick, slow = two()
    quick.unfed = slow.unfed = None

    assert (lanes.room(TOPIC, 0), lanes.is_hungry(TOPIC)) == (0, False)


async def test_what_was_read_for_an_assignment_before_is_dropped() -> None:
    lanes, quick, _ = two()
    lanes.offer(quick, event(0, 0, 1))

    lanes.begin(2, [claim("quick", 0), claim("slow", 0)])

    assert (len(quick), lanes.offer(quick, event(0, 2, 3, assignment=1))) == (0, False)
    assert lanes.offer(quick, event(0, 0, 1, assignment=2))


async def test_what_is_on_its_way_does_not_keep_a_lane_from_its_own_reading() -> None:
    """It passes by, and nobody would tell the reading that it has."""
    _, _, slow = two()
    slow.unfed = lambda: 9

    assert (slow.free, slow.has_room) == (-7, True)


async def test_a_hop_that_failed_reads_again_by_itself_what_was_taken_out() -> None:
    lanes, quick, slow = two(apart_bytes=100)
    for lane in (quick, slow):
        lanes.offer(lane, event(0, 0, 4))
    assert await offsets(slow) == [0, 1, 2, 3, 4]

    slow.restart({0: 2})

    assert slow.apart == {0: 2}
    assert [record.offset for record in slow.wanted(0, 1, event(0, 2, 9).message.records)] == [2, 3, 4]
    slow.offer_own(Apart(event(0, 2, 4).message))
    assert (slow.apart, await offsets(slow)) == ({}, [2, 3, 4])


async def test_a_batch_waits_for_more_until_the_next_beat_only() -> None:
    lanes, quick, _ = two()
    taking = asyncio.create_task(quick.take(2, 0.2))
    await asyncio.sleep(0)
    lanes.offer(quick, event(0, 0, 0))
    await asyncio.sleep(0)
    assert not taking.done()

    lanes.offer(quick, event(0, 1, 1))

    assert len(await asyncio.wait_for(taking, 0.15)) == 2


async def test_a_rebalance_amid_a_batch_that_is_gathered_does_not_end_the_stream() -> None:
    lanes, quick, _ = two()
    taking = asyncio.create_task(quick.take(9, 0.1))
    await asyncio.sleep(0)
    lanes.offer(quick, event(0, 0, 0))
    await asyncio.sleep(0)

    lanes.forget()
    await asyncio.sleep(0.2)
    assert not taking.done()
    lanes.begin(2, [claim("quick", 0), claim("slow", 0)])
    lanes.offer(quick, event(0, 0, 1, assignment=2))

    assert [each.message.offset for each in await asyncio.wait_for(taking, 1)] == [1]


async def test_a_lane_that_is_closed_gives_what_it_has_and_then_nothing() -> None:
    lanes, quick, _ = two()
    lanes.offer(quick, event(0, 0, 1))

    quick.close()

    assert [await offsets(quick), await offsets(quick)] == [[0, 1], []]


@pytest.mark.parametrize(
    ("claimed", "start"),
    [([0], 0), ([5, 5], 5), ([0, 4_000], 0), ([0, 4_001], 4_001), ([0, 10_000, 9_000], 9_000), ([7, 7, 7], 7)],
)
def test_a_partition_is_read_from_where_the_last_of_those_is_that_are_near_to_each_other(
    claimed: list[int], start: int
) -> None:
    assert start_of(claimed) == start


@dataclass
class Hop:
    """Takes out of its lane at a pace of its own, and commits."""

    lane: Lane
    pace: float
    next_offset: dict[int, int]
    seen: list[tuple[int, int]] = field(default_factory=list)

    async def take(self, random: Random) -> None:
        if len(self.lane) and random.random() < self.pace:
            for each in await self.lane.take(random.randint(1, 3), 1e-9):
                partition = each.message.partition
                for record in each.message.records:
                    if record.offset < self.next_offset[partition]:
                        continue  # a repeat, as the loop of the hops drops it
                    assert record.offset == self.next_offset[partition], "a record is missing"
                    self.next_offset[partition] += 1
                    self.seen.append((partition, record.offset))

    def read_apart(self, log: dict[int, int], random: Random) -> None:
        for partition, first in self.lane.apart.items():
            if self.lane.has_room and random.random() < 0.5:
                end = min(log[partition], first + random.randint(1, 6))
                records = event(partition, first, end - 1).message.records
                fresh = self.lane.wanted(partition, self.lane.assignment, records)
                if fresh:
                    last = fresh[-1].offset
                    self.lane.offer_own(Apart(event(partition, first, last, self.lane.assignment).message))


class Story:
    """A log of two partitions that grows, some hops of it, and a group that now and then changes its mind."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.log = {0: self.random.randint(0, 40), 1: self.random.randint(0, 40)}
        self.lanes = Lanes()
        self.hops = []
        for number in range(self.random.randint(1, 4)):
            lane = Lane(
                f"c{number}", TOPIC, queue_max=self.random.randint(1, 4), apart_bytes=self.random.randint(1, 12)
            )
            lane.unfed = lambda: 0
            self.lanes.add(lane)
            begins = {p: self.random.randint(0, end) for p, end in self.log.items()}
            self.hops.append(Hop(lane, self.random.choice((0.05, 0.3, 0.9)), begins))
        self.assignment = 0
        self.shared: dict[int, int] = {}
        self.assign()

    def assign(self) -> None:
        self.assignment += 1
        claims = [
            claim(hop.lane.consumer, offset, partition)
            for hop in self.hops
            for partition, offset in hop.next_offset.items()
        ]
        self.shared = {place[1]: start for place, start in self.lanes.begin(self.assignment, claims).items()}

    async def step(self) -> None:
        random = self.random
        if random.random() < 0.02:
            self.assign()
        for partition, position in self.shared.items():
            if position < self.log[partition] and self.lanes.room(TOPIC, partition) > 0:
                end = min(self.log[partition], position + random.randint(1, 5))
                for hop in self.hops:
                    self.lanes.offer(hop.lane, event(partition, position, end - 1, self.assignment))
                self.shared[partition] = end
            assert any(hop.lane.shares(partition) for hop in self.hops), "nobody reads with the others"
        for hop in self.hops:
            hop.read_apart(self.log, random)
            await hop.take(random)

    async def tell(self) -> None:
        begins = [dict(hop.next_offset) for hop in self.hops]
        for _ in range(60):
            if self.random.random() < 0.4:
                self.log[self.random.randint(0, 1)] += self.random.randint(1, 9)
            await self.step()
        for _ in range(3_000):
            if all(hop.next_offset == self.log and not hop.lane.apart for hop in self.hops):
                break
            await self.step()
        for hop, first in zip(self.hops, begins, strict=True):
            expected = {p: list(range(first[p], end)) for p, end in self.log.items()}
            assert {p: [o for q, o in hop.seen if q == p] for p in self.log} == expected
            assert hop.lane.apart == {}


async def test_every_hop_has_every_record_once_and_in_order_whatever_the_others_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ft.streams.worker.lanes.start_of", lambda claimed: start_of(claimed, near=3))
    for seed in range(SEEDS):
        try:
            await Story(seed).tell()
        except AssertionError as exc:
            raise AssertionError(f"seed {seed}: {exc}") from exc
