"""What the commands share that read blocks from nodes: the network, its nodes, signals, and a progress line."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ft.config import Config
from ft.errors import ConfigError
from ft.networks import Network, load_networks

if TYPE_CHECKING:
    from ft.streams.backfill import Progress

RPC = click.option(
    "--rpc",
    "urls",
    multiple=True,
    metavar="URL",
    help="A node, in the order of preference; repeatable. Default: rpc_urls of the network.",
)
_LINE_EVERY_S = 10.0


def evm_network(config: Config, slug: str) -> Network:
    """A network that can be read from nodes. Raises ConfigError."""
    networks = load_networks(config.networks_file)
    if slug not in networks:
        raise ConfigError(
            f"network: expected one of {', '.join(sorted(networks))}, got {slug!r}. "
            "Name a file with more of them in FT_NETWORKS."
        )
    if networks[slug].family != "evm":
        raise ConfigError(f"{slug}: expected a network of family evm, got one of family {networks[slug].family}")
    return networks[slug]


def stop_on_signals(stop: Callable[[int | None], None]) -> None:
    """The first signal drains, the second ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
        stop(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, asked, each)


@contextmanager
def progress_of(network: str, first: int | None, last: int | None) -> Iterator["Progress"]:
    """A bar with rate and time left on a terminal; else a log line every ten seconds."""
    from ft.streams.backfill import Progress

    if not sys.stderr.isatty() or first is None or last is None:
        yield Progress(report=_Lines(network, last))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(network, total=last - first + 1, rate="")
        began = time.monotonic()

        def report(progress: "Progress") -> None:
            rate = _rate(progress, time.monotonic() - began)
            done = max(progress.next_height - first, progress.blocks)
            bar.update(task, completed=min(done, last - first + 1), rate=rate)

        yield Progress(report=report)


class _Lines:
    """One structured line now and then."""

    def __init__(self, network: str, last: int | None) -> None:
        self._network = network
        self._last = last
        self._began = self._said = time.monotonic()

    def __call__(self, progress: "Progress") -> None:
        now = time.monotonic()
        if now - self._said < _LINE_EVERY_S:
            return
        self._said = now
        import structlog

        per_s = progress.blocks / max(now - self._began, 1e-6)
        left = None if self._last is None or per_s == 0 else round((self._last + 1 - progress.next_height) / per_s)
        structlog.get_logger(__name__).info(
            "ingested",
            network=self._network,
            block=progress.next_height - 1,
            blocks=progress.blocks,
            logs=progress.logs,
            rate=_rate(progress, now - self._began),
            seconds_left=left,
        )


def _rate(progress: "Progress", elapsed_s: float) -> str:
    elapsed_s = max(elapsed_s, 1e-6)
    return f"{progress.blocks / elapsed_s:,.0f} blocks/s, {progress.logs / elapsed_s:,.0f} logs/s"
