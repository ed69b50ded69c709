"""How whatever runs starts, as far as it asks whether it is of one deployment."""

import asyncio

from ft.cli.index import build
from ft.config import Config
from ft.networks import load_networks
from ft.ops import dlq
from ft.ops.rebuild.domain import rebuild_project
from ft.ops.verify.run import Listener, Report
from ft.ops.verify.run import verify as prove
from ft.streams.deployment.provision import admit

NETWORK = "polygon"


def ingest(config: Config) -> None:
    admit(config, load_networks(config.networks_file)[NETWORK])


def verify(config: Config) -> Report:
    return prove(config, wait_s=0, listener=Listener())


def rebuild(config: Config) -> None:
    asyncio.run(rebuild_project(config, lambda said: None))


def dead_letters(config: Config) -> None:
    dlq.connect(config).close()


def index(config: Config) -> None:
    build(config)
