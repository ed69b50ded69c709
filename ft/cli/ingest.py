"""Read a network's blocks from its nodes into the raw log: a range of them, or on and on."""

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

_GIVE_UP_S = 300.0
_LINE_EVERY_S = 10.0


@click.command()
@click.argument("network")
@click.option(
    "--rpc",
    "urls",
    multiple=True,
    metavar="URL",
    help="A node, in the order of preference; repeatable. Default: rpc_urls of the network.",
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(min=0),
    help="First block. Default: the network's start block; with --follow where it stopped, else the finalized block.",
)
@click.option("--to", "last", type=click.IntRange(min=0), help="Last block. Default: the node's head.")
@click.option("--follow", is_flag=True, help="Go on with every new block, and with reorgs, until stopped.")
def command(network: str, urls: tuple[str, ...], first: int | None, last: int | None, follow: bool) -> None:
    """Read NETWORK's blocks, prove them, and append them to its raw log.

    A range exits 0 once Kafka has acknowledged all of it. What lies above finality (and every --follow) is written
    under a claim: the newest one writes, older ones stop. Stopped by SIGTERM or Ctrl-C, what was sent is acknowledged;
    a range that was interrupted exits 130 or 143 and goes on where it stopped when asked for again.

    \b
    Reads: FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_NETWORKS, FT_TOPIC_PREFIX
    """
    if follow and last is not None:
        raise click.UsageError("--follow goes on for ever: leave out --to")
    if first is not None and last is not None and last < first:
        raise click.UsageError(f"--to: expected {first} (--from) or more, got {last}")
    config = Config.from_env()
    from ft.streams.log import configure

    configure(config)
    chosen = _network(config, network)
    code = asyncio.run(_run(config, chosen, urls, first, last, follow))
    sys.exit(code)


def _network(config: Config, slug: str) -> Network:
    networks = load_networks(config.networks_file)
    if slug not in networks:
        raise ConfigError(
            f"network: expected one of {', '.join(sorted(networks))}, got {slug!r}. "
            "Name a file with more of them in FT_NETWORKS."
        )
    if networks[slug].family != "evm":
        raise ConfigError(f"{slug}: `ft ingest` reads evm networks, this one is of family {networks[slug].family}")
    return networks[slug]


async def _run(
    config: Config, network: Network, urls: tuple[str, ...], first: int | None, last: int | None, follow: bool
) -> int:
    from ft.streams.checkpoint import process_name
    from ft.streams.ingest import Ingest
    from ft.streams.prepare import admit
    from ft.streams.raw import RawLog
    from ft.streams.sources.evm.source import open_evm
    from ft.streams.stopping import Stopped, Stopping
    from ft.streams.tail import Tail

    await asyncio.to_thread(admit, config, network)
    stopping, owner = Stopping(), process_name()
    _stop_on_signals(stopping.stop)
    raw = await RawLog.open(config, network.slug)
    tail = Tail(config, network.slug, raw.topic_id, owner)
    try:
        async with open_evm(network, urls, give_up_s=None if follow else _GIVE_UP_S) as source:
            with _progress(network.slug, first, last) as progress:
                job = Ingest(network, source, raw, tail, owner, stopping, progress)
                if follow:
                    await job.follow(first)
                start = network.start_block if first is None else first
                end = await job.range(start, last)
            click.echo(f"{network.slug}: blocks {start} to {end} are in {raw.topic}", err=True)
    except Stopped:
        return 0 if follow else 128 + (stopping.signal or signal.SIGINT)
    finally:
        await tail.close()
        raw.close()
    return 0


def _stop_on_signals(stop: Callable[[int | None], None]) -> None:
    """The first signal drains, the second ends the process as if nobody listened."""
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
        stop(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, asked, each)


@contextmanager
def _progress(network: str, first: int | None, last: int | None) -> Iterator["Progress"]:
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
