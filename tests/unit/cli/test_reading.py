"""The line of a job that reads blocks: every ten seconds, on a clock that only the test moves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from ft.cli.reading import Lines
from ft.networks import Network, load_networks
from ft.streams.ingest.backfill import Progress

POLYGON = load_networks()["polygon"]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def job(clock: Clock, network: Network = POLYGON, held_s: Callable[[], float] = lambda: 0.0) -> Progress:
    """One that nothing occupies but waiting."""
    return Progress(report=Lines(network, None, held_s, clock, cpu_s=lambda: 0.0))


def said(lines: list[Any], event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]


def test_a_line_says_the_block_last_written_and_what_limits(clock: Clock) -> None:
    progress = job(clock)

    with capture_logs() as lines:
        progress.report(progress)
        progress.waits.seconds["provider"] = 8.0
        progress.blocks, progress.logs, progress.next_height = 100, 700, 5_101
        clock.now += 10
        progress.report(progress)
        progress.waits.seconds["head"] = 9.0
        clock.now += 10
        progress.blocks, progress.logs, progress.next_height = 110, 770, 5_111
        progress.report(progress)

    told = [(line["block"], line["limited_by"], line["rate"]) for line in said(lines, "ingested")]
    assert told == [(5_100, "provider", "10 blocks/s, 70 logs/s"), (5_110, "head", "1 blocks/s, 7 logs/s")]


def test_a_line_before_anything_was_written_names_no_block(clock: Clock) -> None:
    progress = job(clock)

    with capture_logs() as lines:
        progress.report(progress)
        clock.now += 10
        progress.report(progress)

    assert [(line["block"], line["seconds_left"]) for line in said(lines, "ingested")] == [(None, None)]


@pytest.mark.parametrize(("stated", "named"), [(None, 50.0), (5.0, 5.0)])
def test_the_setting_is_named_once_where_it_is_the_limit(clock: Clock, stated: float | None, named: float) -> None:
    progress = job(clock, replace(POLYGON, requests_per_s=stated), held_s=clock)

    with capture_logs() as lines:
        for _ in range(4):
            progress.report(progress)
            clock.now += 10

    told = said(lines, "requests_per_s limits this")
    assert [line["limited_by"] for line in said(lines, "ingested")] == ["requests_per_s"] * 3
    assert [line["requests_per_s"] for line in told] == [named]
    assert "raise requests_per_s of polygon in the file that FT_NETWORKS names" in told[0]["remedy"]


def test_the_setting_is_not_named_where_it_is_not_the_limit(clock: Clock) -> None:
    progress = job(clock)

    with capture_logs() as lines:
        for _ in range(3):
            progress.waits.seconds["provider"] = clock.now
            progress.report(progress)
            clock.now += 10

    assert said(lines, "requests_per_s limits this") == []
