"""Figures -> lines for people; the last two are what the bench is for."""

from ft.schemas.domains import SPINE
from tests.bench.bulk import BulkFigures
from tests.bench.whole_way import Figures


def print_report(figures: Figures) -> None:
    """Print hops, CPU and the two rates."""
    events = figures.events
    print(
        f"\n{events} events in {figures.blocks} blocks, {figures.raw_bytes / events:.0f} bytes of raw record an event"
    )
    print(f"\n{'hop':<12}{'events/s':>10}{'us/event':>10}   (time at work, this hop alone)")
    for agent in SPINE:
        count, busy_s = figures.hops.get(agent, (0, 0.0))
        if count and busy_s:
            print(f"{agent:<12}{events / busy_s:>10.0f}{busy_s / events * 1e6:>10.1f}")
    print(f"\n{'process':<16}{'CPU us/event':>14}{'RSS MiB':>10}")
    for name, seconds in sorted(figures.cpu_s.items()):
        rss = figures.rss_mib.get(name)
        print(f"{name:<16}{seconds / events * 1e6:>14.1f}{f'{rss:.0f}' if rss else '':>10}")
    all_us = sum(figures.cpu_s.values()) / events * 1e6
    loops = f"{all_us / figures.loop_ms:.1f} a ms of the loop, which took {figures.loop_ms:.2f} ms"
    print(f"{'all':<16}{all_us:>14.1f}   ({loops})")
    for line in figures.differences[:10]:
        print(f"DIFFERENT {line}")
    if not figures.differences:
        print("\nownership equals the model of the chain")
    print(f"\nwhole way: {events / figures.whole_way_s:.0f} events/s")
    print(f"caught up: {events / figures.caught_up_s:.0f} events/s")


def print_bulk(figures: BulkFigures) -> None:
    """Print what a bulk backfill came to; the last line is what it is for."""
    events = figures.events
    print(f"\n{events} events in bulk: applied in {figures.applied_s:.1f} s, indexed {_after(figures):.1f} s later")
    for agent in SPINE:
        count, busy_s = figures.hops.get(agent, (0, 0.0))
        if count and busy_s:
            print(f"{agent:<12}{events / busy_s:>10.0f}{busy_s / events * 1e6:>10.1f}   (events/s, us/event at work)")
    for name, seconds in sorted(figures.cpu_s.items()):
        print(f"{name:<16}{seconds / events * 1e6:>14.1f}   (CPU us/event)")
    for line in figures.differences[:10]:
        print(f"DIFFERENT {line}")
    print(f"\nbulk: {events / figures.done_s:.0f} events/s")


def _after(figures: BulkFigures) -> float:
    return figures.done_s - figures.applied_s
