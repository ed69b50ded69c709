"""What the commands share that read blocks from nodes: the network, its nodes, and a progress line."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ft.config import Config
from ft.errors import ConfigError
from ft.networks import Network, load_networks
from ft.providers import require_known

if TYPE_CHECKING:
    from ft.streams.ingest.backfill import Progress
    from ft.streams.ingest.limiting import Limit

RPC_FILE = click.option(
    "--rpc-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Nodes, a URL a line, the preferred first; after those of --rpc. Every user of a machine can read a command "
    "line: URLs with keys belong here, or in FT_RPC_<NETWORK>.",
)
_RPC = click.option(
    "--rpc",
    "urls",
    multiple=True,
    metavar="URL",
    help="A node, in the order of preference; repeatable. Default: --rpc-file, else FT_RPC_<NETWORK> (FT_RPC_POLYGON: "
    "URLs with commas between), else rpc_urls of the network.",
)


def nodes(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name a network's nodes."""
    return _RPC(RPC_FILE(command))


_LINE_EVERY_S = 10.0


def readable_network(config: Config, slug: str) -> Network:
    """A network that can be read from nodes. Raises ConfigError."""
    from ft.streams.sources.families import require_source

    networks = load_networks(config.networks_file)
    require_known(config.rpc, networks)
    if slug not in networks:
        raise ConfigError(
            f"network: expected one of {', '.join(sorted(networks))}, got {slug!r}. "
            "Name a file with more of them in FT_NETWORKS."
        )
    require_source(networks[slug])
    return networks[slug]


@contextmanager
def progress_of(
    network: Network, first: int | None, last: int | None, held_s: Callable[[], float]
) -> Iterator["Progress"]:
    """A bar with rate and time left on a terminal; else a log line every ten seconds, with what limits the job.

    ``held_s``: seconds so far in which ``requests_per_s`` held requests back.
    """
    from ft.streams.ingest.backfill import Progress

    lines = Lines(network, last, held_s)
    if not sys.stderr.isatty() or first is None or last is None:
        yield Progress(report=lines)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[limit]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(network.slug, total=last - first + 1, rate="", limit="")
        began = time.monotonic()

        def report(progress: "Progress") -> None:
            rate = _rate(progress.blocks, progress.logs, time.monotonic() - began)
            done = max(progress.next_height - first, progress.blocks)
            bar.update(task, completed=min(done, last - first + 1), rate=rate)
            if (limit := lines.limit_now(progress)) is not None:
                bar.update(task, limit=f"limit: {limit}")

        yield Progress(report=report)


class Lines:
    """One structured line every ten seconds, about the time since the one before."""

    def __init__(
        self,
        network: Network,
        last: int | None,
        held_s: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._network = network
        self._last = last
        self._held_s = held_s
        self._clock = clock
        self._cpu_s = cpu_s
        self._said = clock()
        self._before = (0, 0)
        self._limit: Limit | None = None
        self._told = False

    def __call__(self, progress: "Progress") -> None:
        elapsed_s = self._clock() - self._said
        limit = self.limit_now(progress)
        if limit is None:
            return
        import structlog

        blocks, logs = progress.blocks - self._before[0], progress.logs - self._before[1]
        self._before = progress.blocks, progress.logs
        left_s = None
        if self._last is not None and blocks > 0:
            left_s = round((self._last + 1 - progress.next_height) * elapsed_s / blocks)
        structlog.get_logger(__name__).info(
            "ingested",
            network=self._network.slug,
            block=progress.next_height - 1 if progress.next_height > 0 else None,
            blocks=progress.blocks,
            logs=progress.logs,
            rate=_rate(blocks, logs, elapsed_s),
            limited_by=limit,
            seconds_left=left_s,
        )

    def limit_now(self, progress: "Progress") -> str | None:
        """What limited the job in the last ten seconds; None before they are over. The setting is named once."""
        from ft.streams.ingest.limiting import Limit

        if self._limit is None:
            self._limit = Limit(progress.waits, self._held_s, self._clock, self._cpu_s)
        if self._clock() - self._said < _LINE_EVERY_S:
            return None
        self._said = self._clock()
        limit = self._limit.look()
        if limit == "requests_per_s" and not self._told:
            self._told = True
            self._tell()
        return limit

    def _tell(self) -> None:
        import structlog

        from ft.streams.sources.limits import REQUESTS_PER_S

        now = self._network.requests_per_s
        structlog.get_logger(__name__).info(
            "requests_per_s limits this",
            network=self._network.slug,
            requests_per_s=REQUESTS_PER_S if now is None else now,
            remedy=f"where the nodes take more, raise requests_per_s of {self._network.slug} in the file that "
            "FT_NETWORKS names (0: no limit)",
        )


def _rate(blocks: int, logs: int, elapsed_s: float) -> str:
    elapsed_s = max(elapsed_s, 1e-6)
    return f"{blocks / elapsed_s:,.0f} blocks/s, {logs / elapsed_s:,.0f} logs/s"
