"""Ceilings: a backlog keeps two seconds of work ahead of those who follow, and a head is never held back."""

from dataclasses import dataclass, replace

from ft.streams.ceilings import ALIVE_S, HEAD_RECORDS, HEADS_S, UNBOUNDED, Ceilings, Heads, Raw, Stages, has_backlog

BACKLOG = Raw(network="busy", next_offset=0, end=1_000_000)
STAGES = Stages(applied={}, ledger=True)


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A ledger and a project that work at so many records a second."""

    def __init__(self, *, applied: int = -1, projected: int = 0) -> None:
        self.clock = Clock()
        self.ceilings = Ceilings(self.clock)
        self.raw, self.stages = BACKLOG, replace(STAGES, applied={"busy": applied}, projected=projected)

    def pass_s(self, seconds: float, *, applied: int = 0, projected: int = 0, unprojected: int = 0) -> int:
        """Time passes, records are applied and projected; the ceiling then."""
        self.clock.now += seconds
        self.stages = replace(
            self.stages,
            applied={"busy": self.stages.applied["busy"] + applied},
            projected=self.stages.projected + projected,
            unprojected=unprojected,
        )
        return self.ceiling()

    def ceiling(self) -> int:
        behind = self.ceilings.is_project_behind(self.stages)
        found = self.ceilings.of_backlog(self.raw, self.stages, is_project_behind=behind)
        self.raw = replace(self.raw, next_offset=max(self.raw.next_offset, min(found, self.raw.end)))
        return found


def test_what_no_head_can_have_unread_is_a_backlog() -> None:
    assert not has_backlog(replace(BACKLOG, end=HEAD_RECORDS))
    assert has_backlog(replace(BACKLOG, end=HEAD_RECORDS + 1))


def test_a_network_at_its_head_may_be_read_further_than_its_head_goes() -> None:
    at_head = Raw(network="quiet", next_offset=500, end=503)

    assert Ceilings(Clock()).at_head(at_head) == 500 + HEAD_RECORDS


def test_a_backlog_whose_rate_is_unknown_is_read_a_little() -> None:
    assert World(applied=99).ceiling() == 100 + HEAD_RECORDS


def test_a_backlog_is_read_two_seconds_ahead_of_the_ledger() -> None:
    world = World()
    world.ceiling()

    assert world.pass_s(1.0, applied=50) == 50 + 100
    assert world.pass_s(1.0, applied=50) == 100 + 100


def test_a_ledger_that_stands_still_stops_a_backlog() -> None:
    world = World()
    world.ceiling()
    reached = world.pass_s(1.0, applied=50)

    for _ in range(60):
        assert world.pass_s(1.0) <= reached


def test_a_ceiling_rises_in_steps() -> None:
    world = World()
    world.ceiling()
    world.pass_s(1.0, applied=100)

    seen = [world.pass_s(0.1, applied=10) for _ in range(20)]

    assert len(set(seen)) <= 5
    assert seen[-1] >= 300 + 150


def test_without_a_ledger_there_is_nobody_to_wait_for() -> None:
    assert Ceilings(Clock()).of_backlog(BACKLOG, replace(STAGES, ledger=False), is_project_behind=False) == UNBOUNDED


def test_a_project_with_more_than_two_seconds_of_work_stops_a_backlog_until_it_has_less() -> None:
    world = World()
    world.ceiling()
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
