"""``make bench``: a synthetic chain through two worker processes; events a second, and what an event costs each hop.

The raw records are made before the clock starts and are written while the workers run. ``whole way`` ends when the
last ownership row is visible, ``caught up`` when the publisher and `project` are done too. Afterwards ownership is
compared with a plain model of the chain. ``bulk`` is a run of its own, as `ft ingest --bulk` fills the log: two
workers, no `project`, announcing held back, until the indexes are built.
"""

import argparse
import gc
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ft import children, embedded
from ft.config import ADDRESSES, Config
from ft.streams.prepare import prepare
from tests.bench import rpc
from tests.bench.bulk import run_bulk
from tests.bench.report import print_bulk, print_report
from tests.bench.whole_way import NETWORK, run

CHECKOUT = Path(__file__).resolve().parents[2]


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
    with tempfile.TemporaryDirectory(prefix="ft-bench-") as temporary:
        home = arguments.home or Path(temporary)
        config = _servers(home)
        try:
            sound = [_RUN[name](config, home, arguments) for name in chosen]
        finally:
            gc.collect()  # producers are in a cycle, and would miss the broker aloud
            if config.addresses != _named():
                embedded.stop(config)
    if not all(sound):
        sys.exit("bench: what came out differs from what was put in")


def _named() -> dict[str, str]:
    return {k: v for k, v in Config.from_env().addresses.items() if k in ADDRESSES}


def _servers(home: Path) -> Config:
    """Servers of this run's own, or those that the environment names."""
    from_env = Config.from_env({**_environment(), "FT_HOME": str(home)})
    cache = Config.from_env().cache
    config = replace(from_env, cache=cache)
    if all(name in config.addresses for name in ADDRESSES):
        return config
    print("starting Kafka, Postgres and the registry ...", flush=True)
    return embedded.start(config)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("FT_")}


def _whole_way(config: Config, _: Path, arguments: argparse.Namespace) -> bool:
    config = _deployment(config)
    spine = replace(config, agents=frozenset({"normalize", "ledger", "publisher"}))
    workers = [
        children.start(spine, "bench-spine", children.WORKER),
        children.start(replace(config, agents=frozenset({"project"})), "bench-project", children.WORKER),
    ]
    with children.running(workers):
        figures = run(config, workers, events=arguments.events, seed=arguments.seed)
    print_report(figures)
    return not figures.differences


def _bulk(config: Config, _: Path, arguments: argparse.Namespace) -> bool:
    config = _deployment(config)
    spine = replace(config, agents=frozenset({"normalize", "ledger", "publisher"}))
    workers = [
        children.start(replace(spine, home=spine.home / name), name, children.WORKER)
        for name in ("bench-bulk-1", "bench-bulk-2")
    ]
    with children.running(workers):
        figures = run_bulk(config, workers, events=arguments.events, seed=arguments.seed)
    print_bulk(figures)
    return not figures.differences


def _rpc(config: Config, home: Path, arguments: argparse.Namespace) -> bool:
    rpc.print_rpc(rpc.measure(config, home, logs=arguments.rpc_logs, seed=arguments.seed))
    return True


def _deployment(config: Config) -> Config:
    """A database and topics of a run's own."""
    database = f"ft_bench_{secrets.token_hex(4)}"
    networks = config.home / "bench-networks.toml"
    networks.parent.mkdir(parents=True, exist_ok=True)
    networks.write_text(f"[{NETWORK}]\nchain_id = 31337\nfinality = {{ confirmed = 1, finalized = 2 }}\n")
    admin = config.postgres
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    config = replace(
        config,
        addresses={**config.addresses, "FT_POSTGRES": urlsplit(admin)._replace(path=f"/{database}").geturl()},
        topic_prefix=f"bench-{secrets.token_hex(3)}.",
        networks_file=networks,
        log_format="json",
    )
    prepare(config)
    return config


_RUN: Final[dict[str, Callable[[Config, Path, argparse.Namespace], bool]]] = {
    "whole-way": _whole_way, "bulk": _bulk, "rpc": _rpc,
}  # fmt: skip
_RUNS: Final = tuple(_RUN)

if __name__ == "__main__":
    main()
