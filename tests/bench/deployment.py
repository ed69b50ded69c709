"""Where a run takes place: servers, and on them a database and topics of the run's own."""

import gc
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from ft import embedded
from ft.config import ADDRESSES, Config
from ft.sql.databases import drop_database
from ft.streams.deployment.provision import prepare


@contextmanager
def servers(home: Path | None = None) -> Iterator[Config]:
    """Those that the environment names; otherwise servers of this process's own, stopped at the end.

    ``home``: a folder that keeps their data and all logs; None: a temporary one, deleted with all that they stored.
    """
    with tempfile.TemporaryDirectory(prefix="ft-bench-") as temporary:
        environment = {name: value for name, value in os.environ.items() if name.startswith("FT_")}
        place = {"FT_HOME": str(home or temporary)}
        config = replace(Config.from_env(environment | place), cache=Config.from_env().cache)
        if all(name in config.addresses for name in ADDRESSES):
            yield config
            return
        print("starting Kafka, Postgres and the registry ...", flush=True)
        config = embedded.start(config)
        try:
            yield config
        finally:
            gc.collect()  # producers are in a cycle, and would miss the broker aloud
            if home is None:
                embedded.remove(config)
            else:
                embedded.stop(config)


def separate(config: Config) -> Config:
    """The same servers, an empty database and a topic prefix that nothing else has."""
    name = f"ft_bench_{secrets.token_hex(4)}"
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = urlsplit(config.postgres)._replace(path=f"/{name}").geturl()
    return replace(config, addresses={**config.addresses, "FT_POSTGRES": url}, topic_prefix=f"{name}.")


def deployed(config: Config, networks: str) -> Config:
    """One by itself, prepared. ``networks``: what its file of networks says."""
    config = separate(config)
    config = replace(config, networks_file=config.home / f"{config.topic_prefix}networks.toml", log_format="json")
    assert config.networks_file is not None
    config.networks_file.parent.mkdir(parents=True, exist_ok=True)
    config.networks_file.write_text(networks)
    prepare(config)
    return config


def drop(config: Config, beside: Config) -> None:
    """Drop the database of ``config``, asking that of ``beside``."""
    drop_database(beside.postgres, urlsplit(config.postgres).path[1:])
