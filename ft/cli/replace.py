"""Correct final blocks in the raw log: read them anew, revert what is there, append what the node has."""

import asyncio
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
    from ft.streams.ingest.replace import Replaced

_GIVE_UP_S = 300.0


@click.command()
@click.argument("network")
@click.option("--from", "first", type=click.IntRange(min=0), required=True, help="First block.")
@click.option("--to", "last", type=click.IntRange(min=0), required=True, help="Last block, final at the node.")
@nodes
@click.option("--dry-run", is_flag=True, help="Read and prove the blocks, say what would change, write nothing.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=60.0, show_default=True,
    help="Seconds that normalize may take to read the raw log to its end.",
)  # fmt: skip
def command(
    network: str, first: int, last: int, urls: tuple[str, ...], rpc_file: Path | None, dry_run: bool, wait_s: float
) -> None:
    """Replace final blocks of NETWORK in its raw log by what its node says of them now.

    \b
    better proof       blocks that were read without receipts: name a node that has them
    mended decoder     blocks that an older version read otherwise, or quarantined
    broken finality    the chain has other blocks now where it had promised final ones

    The blocks are read and proven first, all of them; then the log gets a revert of each, newest first, and the new
    ones. Events that are the same before and after keep their ids and are live once, at a higher revision. It exits 0
    once Kafka has acknowledged everything; killed in the middle, the same command again comes to the same state.

    Needs a running worker, which reads the log to its end, so that it is known what counts. Blocks that are not final
    are refused: `ft ingest --follow` corrects those by itself. A follower may go on meanwhile, unless the range reaches
    the block that it stands on.

    \b
    Reads: FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_NETWORKS, FT_TOPIC_PREFIX,
    FT_RPC_<NETWORK>
    """
    if last < first:
        raise click.UsageError(f"--to: expected {first} (--from) or more, got {last}")
    config = configured(printed=True)
    known = readable_network(config, network)
    providers = providers_of(known, urls, rpc_file, config.rpc)
    sys.exit(run(_guarded(config, _run(config, known, providers, first, last, dry_run, wait_s))))


async def _guarded(config: Config, work: Coroutine[Any, Any, int]) -> int:
    from ft.streams.deployment.guard import beside

    return await beside(config, work)


async def _run(
    config: Config, network: Network, urls: tuple[str, ...], first: int, last: int, dry_run: bool, wait_s: float
) -> int:
    from ft.sql.session import process_name
    from ft.stopping import Stopped, Stopping
    from ft.streams.deployment.comparing import settle
    from ft.streams.ingest.raw_log import RawLog
    from ft.streams.ingest.replace import Replace
    from ft.streams.ingest.unfinalized import UnfinalizedBlocks
    from ft.streams.sources.families import open_source

    stopping = Stopping()
    stop_on_signals(stopping.stop)
    raw: RawLog | None = None
    tail: UnfinalizedBlocks | None = None
    try:
        await stopping.unless(asyncio.to_thread(settle, config))
        raw = await stopping.unless(RawLog.open(config, network.slug))
        tail = UnfinalizedBlocks(config, network.slug, raw.topic_id, process_name())
        async with open_source(network, urls, give_up_s=_GIVE_UP_S) as source:
            with progress_of(network, first, last, source.held_s) as progress:
                job = Replace(config, network, source, raw, tail, stopping, wait_s=wait_s, progress=progress)
                try:
                    done = await job.run(first, last, dry_run=dry_run)
                finally:
                    await job.close()
        _say(network.slug, raw.topic, done, dry_run)
    except Stopped:
        tell(f"{network.slug}: stopped, nothing was written")
        return as_ended_by(stopping.signal)
    finally:
        if tail is not None:
            await tail.close()
        if raw is not None:
            raw.close()
    return 0


def _say(network: str, topic: str, done: "Replaced", dry_run: bool) -> None:
    for line in done.plan.lines():
        click.echo(line)
    if done.holes:
        click.echo(f"{done.holes:,} quarantined entries of these blocks were read anew")
    if dry_run:
        click.echo("nothing was written")
        return
    came = "normalize has read them" if done.read else "acknowledged, normalize has not read all of it yet"
    tell(f"{network}: {len(done.plan.changes):,} blocks were replaced in {topic}: {came}")
