"""Ceilings: a backlog keeps two seconds of work ahead of those who follow, and a head is never held back."""

from dataclasses import dataclass, replace

from ft.streams.worker.ceilings import (
    ALIVE_S,
    HEAD_RECORDS,
    HEADS_S,
    UNBOUNDED,
    Ceilings,
    Heads,
    Raw,
    Stages,
    has_backlog,
    is_behind,
)
from ft.streams.worker.room import EVENTS_MIN, Room

AT_HEAD = Raw(network="busy", topic="raw", next_offset=500, end=500 + HEAD_RECORDS)
STAGES = Stages(applied={}, ledger=True)


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A ledger and a project that work at so many events a second; a normalizer that fills all the room there is."""

    def __init__(self, *, record: int = 1_000, projected: int = 0) -> None:
        """``record``: events of each raw record."""
        self.clock = Clock()
        self.ceilings, self.room = Ceilings(self.clock), Room()
        self.stages = replace(STAGES, projected=projected)
        self._record, self._position = record, -1
        self._applied = 0.0

    def pass_s(self, seconds: float, *, applied: int = 0, projected: int = 0, unprojected: int = 0) -> int:
        """Time passes, events are applied and projected; how many may lie before the ledger then."""
        self.clock.now += seconds
        self._applied += applied
        self.room.apply(int(self._applied) // self._record - 1)
        self.stages = replace(self.stages, projected=self.stages.projected + projected, unprojected=unprojected)
        return self.most()

    def most(self) -> int:
        behind = self.ceilings.is_project_behind(self.stages)
        self.room.most = self.ceilings.of_backlog("busy", self.room, self.stages, is_project_behind=behind)
        while self.room.is_open():
            assert self.room.before_ledger < 1_000_000, "there is no end to the room"
            self._position += 1
            self.room.send(self._position, self._record)
        return self.room.most


def test_what_no_head_can_have_unread_is_a_backlog() -> None:
    behind = replace(AT_HEAD, end=AT_HEAD.end + 1)

    assert not is_behind(AT_HEAD)
    assert not has_backlog(AT_HEAD, Room())
    assert is_behind(behind)
    assert has_backlog(behind, Room())


def test_a_few_records_of_many_events_are_a_backlog_too() -> None:
    light, heavy = Room(), Room()
    for position in range(500):
        light.send(position, 10)
        heavy.send(position, 5_000)
        light.apply(position)
        heavy.apply(position)

    assert not has_backlog(AT_HEAD, light)
    assert has_backlog(replace(AT_HEAD, end=502), heavy)
    assert not has_backlog(replace(AT_HEAD, end=500), heavy)


def test_many_events_before_the_ledger_are_a_backlog() -> None:
    caught_up, room = replace(AT_HEAD, end=500), Room()

    room.send(498, EVENTS_MIN - 1)
    assert not has_backlog(caught_up, room)
    room.send(499, 1)
    assert has_backlog(caught_up, room)


def test_a_network_at_its_head_has_room_for_more_than_a_head_holds() -> None:
    assert Ceilings(Clock()).at_head("quiet") == EVENTS_MIN


def test_a_backlog_whose_rate_is_unknown_has_little_room() -> None:
    assert World().most() == EVENTS_MIN


def test_a_backlog_has_room_for_two_seconds_of_the_ledgers_work_whatever_its_records_hold() -> None:
    for record in (10, 100, 1_000, 5_000):
        world = World(record=record)
        world.most()

        for _ in range(20):
            world.pass_s(1.0, applied=min(10_000, world.room.before_ledger))

        assert 18_000 <= world.room.most <= 20_000, record
        assert world.room.before_ledger < 20_000 + record


def test_a_ledger_that_stands_still_stops_a_backlog() -> None:
    world = World()
    world.most()
    world.pass_s(1.0, applied=2_000)
    before = world.room.before_ledger

    for _ in range(60):
        world.pass_s(1.0)

    assert world.room.before_ledger == before


def test_a_ledger_that_works_on_one_record_at_a_time_is_given_the_next() -> None:
    world = World(record=5_000)
    for _ in range(50):
        world.pass_s(1.0, applied=1_000)  # what it does in two seconds is less than a record

    assert world.room.before_ledger > 5_000


def test_without_a_ledger_there_is_nobody_to_wait_for() -> None:
    none = replace(STAGES, ledger=False)

    assert Ceilings(Clock()).of_backlog("busy", Room(), none, is_project_behind=False) == UNBOUNDED


def test_a_project_with_more_than_two_seconds_of_work_stops_a_backlog_until_it_has_less() -> None:
    world = World()
    world.most()
    world.pass_s(1.0, applied=10, projected=1_000, unprojected=500)

    assert world.pass_s(1.0, applied=10, projected=1_000, unprojected=1_999) > 0
    assert world.pass_s(1.0, applied=10, projected=1_000, unprojected=2_500) == 0
    assert world.pass_s(1.0, applied=10, projected=1_000, unprojected=1_500) > 0


def test_a_project_that_moves_nothing_stops_no_backlog_for_long() -> None:
    world = World(projected=5_000)

    assert world.pass_s(1.0, applied=10, unprojected=9_000_000) > 0
    world.pass_s(1.0, applied=10, projected=1_000, unprojected=9_000_000)
    assert world.pass_s(1.0, applied=10, projected=1_000, unprojected=9_000_000) == 0
    assert world.pass_s(ALIVE_S / 2, applied=10, unprojected=9_000_000) == 0
    assert world.pass_s(ALIVE_S, applied=10, unprojected=9_000_000) > 0


def test_a_network_moves_from_its_second_block_on_and_for_a_minute_after_its_last() -> None:
    clock = Clock()
    heads = Heads(clock)
    heads.observe({"quiet": 5, "old": 7})
    assert heads.moving() == frozenset()

    heads.observe({"quiet": 6, "old": 7})
    assert heads.moving() == {"quiet"}

    clock.now += HEADS_S - 1
    heads.observe({"quiet": 6})
    assert heads.moving() == {"quiet"}

    clock.now += 1
    assert heads.moving() == frozenset()
