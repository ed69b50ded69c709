"""Read a network's blocks from its nodes into the raw log: a range of them, or on and on."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ft.cli.configured import configured
from ft.cli.ending import as_ended_by, run, stop_on_signals
from ft.cli.reading import nodes, progress_of, readable_network
from ft.config import Config
from ft.networks import Network
from ft.providers import providers_of
from ft.telemetry.takeover import tell

if TYPE_CHECKING:
    from ft.streams.ingest.bulk import Job

_GIVE_UP_S = 300.0


@click.command()
@click.argument("network")
@nodes
@click.option(
    "--from",
    "first",
    type=click.IntRange(min=0),
    help="First block. Default: the network's start block; with --follow where it stopped, else the finalized block.",
)
@click.option("--to", "last", type=click.IntRange(min=0), help="Last block. Default: the node's head.")
@click.option("--follow", is_flag=True, help="Go on with every new block, and with reorgs, until stopped.")
@click.option(
    "--bulk",
    is_flag=True,
    help="Final blocks only (default --to: the highest), months without the API's indexes; a worker builds them after.",
)
@click.option("--abandon", is_flag=True, help="With --bulk: close what was not finished, with what was written of it.")
def command(
    network: str,
    urls: tuple[str, ...],
    rpc_file: Path | None,
    first: int | None,
    last: int | None,
    follow: bool,
    bulk: bool,
    abandon: bool,
) -> None:
    """Read NETWORK's blocks, prove them, and append them to its raw log.

    A range exits 0 once Kafka has acknowledged all of it; one that ends above the head is refused before anything is
    written. What lies above finality (and every --follow) is written under a claim: the newest one writes, older ones
    stop. Stopped by SIGTERM or Ctrl-C, what was sent is acknowledged. Ctrl-C exits 130, SIGTERM 0 of a follower and 143
    of a range, which goes on where it stopped when asked for again.

    --bulk is for years of blocks. Until it is written, read and indexed, nothing is announced on the ledger's topics,
    and the API answers 503 range_not_indexed for histories in its months; who owns what is shown all the time. Stopped
    or killed, it stays open: run the same command again, or close it with --abandon. `ft status` says how far it is.

    \b
    Reads: FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_NETWORKS, FT_TOPIC_PREFIX,
    FT_RPC_<NETWORK>
    """
    if follow and last is not None:
        raise click.UsageError("--follow goes on for ever: leave out --to")
    if first is not None and last is not None and last < first:
        raise click.UsageError(f"--to: expected {first} (--from) or more, got {last}")
    if follow and bulk:
        raise click.UsageError("--bulk fills a range of final blocks: leave out --follow")
    if abandon and not bulk:
        raise click.UsageError("--abandon closes what --bulk has left open: give --bulk too")
    config = configured(printed=True)
    chosen = readable_network(config, network)
    if abandon:
        sys.exit(run(_abandon(config, chosen, first, last)))
    providers = providers_of(chosen, urls, rpc_file, config.rpc)
    sys.exit(run(_noted(config, chosen, _run(config, chosen, providers, first, last, follow, bulk), follow)))


async def _noted(config: Config, network: Network, work: Coroutine[Any, Any, int], follow: bool) -> int:
    """A follower's end by an error is noted for status and alerts; of others', that the chain broke its promise."""
    from ft.sql.session import process_name
    from ft.streams.deployment import failures
    from ft.streams.deployment.guard import beside
    from ft.streams.ingest.reconcile import FinalityContradicted

    try:
        return await beside(config, work, network.slug if follow else None)
    except Exception as exc:
        if follow or isinstance(exc, FinalityContradicted):
            await asyncio.to_thread(failures.note, config, "ingest", network.slug, exc, process_name())
        raise


async def _run(
    config: Config,
    network: Network,
    urls: tuple[str, ...],
    first: int | None,
    last: int | None,
    follow: bool,
    bulk: bool,
) -> int:
    from ft.sql.session import process_name
    from ft.stopping import Stopped, Stopping
    from ft.streams.deployment.provision import admit
    from ft.streams.ingest.bulk import Bulk, BulkJobs
    from ft.streams.ingest.jobs import Ingest
    from ft.streams.ingest.parting import advised
    from ft.streams.ingest.raw_log import RawLog
    from ft.streams.ingest.reconcile import FinalityContradicted
    from ft.streams.ingest.unfinalized import UnfinalizedBlocks
    from ft.streams.sources.families import open_source

    stopping, owner = Stopping(), process_name()
    stop_on_signals(stopping.stop)
    raw: RawLog | None = None
    tail: UnfinalizedBlocks | None = None
    try:
        await stopping.unless(asyncio.to_thread(admit, config, network))
        raw = await stopping.unless(RawLog.open(config, network.slug))
        tail = UnfinalizedBlocks(config, network.slug, raw.topic_id, owner)
        async with open_source(network, urls, give_up_s=None if follow else _GIVE_UP_S) as source:
            with progress_of(network, first, last, source.held_s) as progress:
                try:
                    if bulk:
                        jobs = BulkJobs(config, network.slug)
                        filled = await Bulk(network, source, raw, tail, jobs, stopping, progress).run(first, last)
                        return _say_bulk(network, filled)
                    job = Ingest(network, source, raw, tail, owner, stopping, progress)
                    if follow:
                        await job.follow(first)
                    start = network.start_block if first is None else first
                    end = await job.range(start, last)
                except FinalityContradicted as exc:
                    raise await advised(exc, network.slug, source, tail, stopping) from exc
            tell(f"{network.slug}: blocks {start} to {end} are in {raw.topic}")
    except Stopped:
        stays = "; a bulk job stays open: run the command again, or --bulk --abandon" if bulk else ""
        tell(f"{network.slug}: stopped{stays}")
        return 0 if follow and stopping.signal == signal.SIGTERM else as_ended_by(stopping.signal)
    finally:
        if tail is not None:
            await tail.close()
        if raw is not None:
            raw.close()
    return 0


def _say_bulk(network: Network, job: "Job") -> int:
    tell(
        f"{network.slug}: blocks {job.first} to {job.last} are in the raw log; a worker reads them, builds the "
        "indexes, and then announces (`ft status`)"
    )
    return 0


async def _abandon(config: Config, network: Network, first: int | None, last: int | None) -> int:
    from ft.streams.ingest.bulk import BulkJobs

    closed = await BulkJobs(config, network.slug).abandon(first, last)
    for job in closed:
        click.echo(f"{network.slug}: bulk job of blocks {job.first} to {job.last} is closed; what is there is indexed")
    if not closed:
        click.echo(f"{network.slug}: no unfinished bulk job of these blocks")
    return 0
