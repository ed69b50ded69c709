"""``make bench``: a synthetic chain through two worker processes; events a second, and what an event costs each hop.

The raw records are made before the clock starts and are written while the workers run. ``whole way`` ends when the
last ownership row is visible, ``caught up`` when the publisher and `project` are done too. Afterwards ownership is
compared with a plain model of the chain. ``bulk`` is a run of its own, as `ft ingest --bulk` fills the log: two
workers, no `project`, announcing held back, until the indexes are built. ``subscriber`` is what a domain that does
nothing costs its worker a record.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ft import children
from ft.cli.ending import at_once
from ft.config import Config
from tests.bench import rpc, subscriber
from tests.bench.bulk import run_bulk
from tests.bench.deployment import deployed, servers
from tests.bench.feed import TABLE
from tests.bench.report import print_bulk, print_report
from tests.bench.whole_way import run


def main() -> None:
    """Parse the command line, bring servers up, run, print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events of the synthetic chain (default 200000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic chain (default 1)")
    parser.add_argument("--rpc-logs", type=int, default=80_000, help="logs that ft ingest reads (default 80000)")
    parser.add_argument("--only", choices=_RUNS, help="one of the runs (default: all of them)")
    parser.add_argument("--home", type=Path, help="keep the servers' data and all logs here (default: a temporary one)")
    arguments = parser.parse_args()
    chosen = (arguments.only,) if arguments.only else _RUNS
    with servers(arguments.home) as config:
        sound = [_RUN[name](config, arguments) for name in chosen]
    if not all(sound):
        sys.exit("bench: what came out differs from what was put in")


def _whole_way(config: Config, arguments: argparse.Namespace) -> bool:
    config = deployed(config, TABLE)
    spine = replace(config, agents=frozenset({"normalize", "ledger", "publisher"}))
    workers = [
        children.start(spine, "bench-spine", children.WORKER),
        children.start(replace(config, agents=frozenset({"project"})), "bench-project", children.WORKER),
    ]
    with children.running(workers):
        figures = run(config, workers, events=arguments.events, seed=arguments.seed)
    print_report(figures)
    return not figures.differences


def _bulk(config: Config, arguments: argparse.Namespace) -> bool:
    config = deployed(config, TABLE)
    spine = replace(config, agents=frozenset({"normalize", "ledger", "publisher"}))
    workers = [
        children.start(replace(spine, home=spine.home / name), name, children.WORKER)
        for name in ("bench-bulk-1", "bench-bulk-2")
    ]
    with children.running(workers):
        figures = run_bulk(config, workers, events=arguments.events, seed=arguments.seed)
    print_bulk(figures)
    return not figures.differences


def _rpc(config: Config, arguments: argparse.Namespace) -> bool:
    rpc.print_rpc(rpc.measure(config, logs=arguments.rpc_logs, seed=arguments.seed))
    return True


def _subscriber(config: Config, arguments: argparse.Namespace) -> bool:
    subscriber.print_cost(subscriber.measure(config, events=arguments.events))
    return True


_RUN: Final[dict[str, Callable[[Config, argparse.Namespace], bool]]] = {
    "whole-way": _whole_way, "bulk": _bulk, "rpc": _rpc, "subscriber": _subscriber,
}  # fmt: skip
_RUNS: Final = tuple(_RUN)

if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # servers and processes are gone by now
        at_once()
