"""What limits a job, on clocks that only the test moves."""

from collections.abc import AsyncIterator

import pytest

from ft.streams.ingest.limiting import LIMITS, Limit, Waits, limit_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("cpu_s", "held_s", "waited_s", "limit"),
    [
        (9.0, 9.0, {"provider": 9.0}, "cpu"),
        (1.0, 6.0, {"provider": 9.0}, "requests_per_s"),
        (1.0, 4.0, {"provider": 5.0, "kafka": 4.0}, "provider"),
        (1.0, 0.0, {"provider": 4.0, "kafka": 5.0}, "kafka"),
        (1.0, 0.0, {"provider": 1.0, "head": 8.0}, "head"),
        (5.0, 0.0, {}, "cpu"),
    ],
)
def test_the_limit_is_what_most_of_the_time_went_to(
    cpu_s: float, held_s: float, waited_s: dict[str, float], limit: str
) -> None:
    assert limit_of(10.0, cpu_s, held_s, waited_s) == limit
    assert limit in LIMITS


async def test_waiting_for_items_counts_and_what_is_done_with_them_does_not() -> None:
    clock = Clock()
    waits = Waits(clock)

    async def items() -> AsyncIterator[int]:
        for number in range(3):
            clock.now += 2
            yield number

    async for _ in waits.each("provider", items()):
        clock.now += 50
        with waits.on("kafka"):
            clock.now += 1

    assert waits.seconds == {"provider": 6.0, "kafka": 3.0}


async def test_time_counts_also_where_waiting_ends_in_an_error() -> None:
    clock = Clock()
    waits = Waits(clock)

    async def items() -> AsyncIterator[int]:
        yield 0
        clock.now += 2
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        [item async for item in waits.each("provider", items())]

    assert waits.seconds == {"provider": 2.0}


def test_a_look_is_about_the_time_since_the_one_before() -> None:
    clock, cpu, held, waits = Clock(), Clock(), Clock(), Waits()
    limit = Limit(waits, held, clock, cpu)
    waits.seconds["provider"] = 100.0
    clock.now += 110
    first = limit.look()

    waits.seconds["provider"] += 4
    waits.seconds["head"] = 6.0
    clock.now += 10
    second = limit.look()
    held.now += 7
    clock.now += 10
    third = limit.look()
    cpu.now += 10
    clock.now += 10

    assert (first, second, third, limit.look()) == ("provider", "head", "requests_per_s", "cpu")
