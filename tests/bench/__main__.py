"""``make bench``: a synthetic chain through two worker processes; events a second, and what an event costs each hop.

The raw records are made before the clock starts and are written while the workers run. ``whole way`` ends when the
last ownership row is visible, ``caught up`` when the publisher and `project` are done too. Afterwards ownership is
compared with a plain model of the chain.
"""

import argparse
import os
import secrets
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ft import children, embedded
from ft.config import ADDRESSES, Config
from ft.streams.prepare import prepare
from tests.bench import rpc
from tests.bench.report import print_report
from tests.bench.whole_way import NETWORK, Figures, run

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Parse the command line, bring servers up, run, print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events of the synthetic chain (default 200000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic chain (default 1)")
    parser.add_argument("--rpc-logs", type=int, default=80_000, help="logs that ft ingest reads (default 80000)")
    parser.add_argument("--home", type=Path, help="keep the servers' data and all logs here (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ft-bench-") as temporary:
        home = arguments.home or Path(temporary)
        config = _servers(home)
        try:
            figures = _measure(config, arguments.events, arguments.seed)
            source = rpc.measure(config, home, logs=arguments.rpc_logs, seed=arguments.seed)
        finally:
            if config.addresses != _named():
                embedded.stop(config)
    print_report(figures)
    rpc.print_rpc(source)
    if figures.differences:
        sys.exit("bench: ownership differs from the model")


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


def _measure(config: Config, events: int, seed: int) -> Figures:
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
    spine = replace(config, agents=frozenset({"normalize", "ledger", "publisher"}))
    workers = [
        children.start(spine, "bench-spine", children.WORKER),
        children.start(replace(config, agents=frozenset({"project"})), "bench-project", children.WORKER),
    ]
    with children.running(workers):
        return run(config, workers, events=events, seed=seed)


if __name__ == "__main__":
    main()
