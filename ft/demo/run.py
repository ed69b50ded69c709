"""The whole way of the data, shown: chain -> raw topic -> Faust -> Postgres -> API."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
from rich.console import Console
from rich.table import Table

from ft import children, embedded
from ft.children import FT, Child
from ft.config import ADDRESSES, Config
from ft.demo import compare, live, stage
from ft.demo.node import ReplayNode, replaying
from ft.demo.recording import Recording, load_recording
from ft.embedded.progress import Progress
from ft.errors import ServerError
from ft.networks import Network
from ft.streams.deployment.provision import prepare

Connection = psycopg.Connection[tuple[object, ...]]
NETWORK: Final = "demo"
_STEP_S: Final = 20.0
_STRIDE: Final = 5
"""Steps that a follower may be behind, where no reorg is among them."""
_CAUGHT_UP_S: Final = 60.0

_SEEN: Final = "SELECT FROM ingest.tail WHERE network = %s AND hash = %s AND raw_offset IS NOT NULL"
_BEHIND: Final = """
    SELECT FROM system.partition_owner o
    WHERE o.consumer IN ('ledger', 'project')
      AND NOT EXISTS (SELECT FROM system.partition_head h WHERE h.consumer = o.consumer AND h.partition = o.partition
                      AND h.network = %s AND h.head_hash = %s)
"""


def demo(
    config: Config, *, chosen: tuple[Network, tuple[str, ...]] | None, console: Console, progress: Progress
) -> None:
    """Run the demo on the recorded chain, or on the ``chosen`` live network, read from the nodes at its URLs.

    Raises ProviderFailed where the node does not answer, ServerError where a process fails or the result is not what
    the contracts said.
    """
    began = time.monotonic()
    missing = [name for name in ADDRESSES if name not in config.addresses]
    if missing or config.home.joinpath("servers.json").is_file():
        embedded.start(config, progress)
        config = Config.from_env()
    networks_file = None if chosen else Path(__file__).with_name("networks.toml")
    with progress.doing("deleting what an earlier demo left"):
        config = stage.fresh(config, networks_file)
    with progress.doing("making tables, topics and schemas (`ft migrate`)"):
        prepare(config)
    console.print(f"database {stage.DATABASE}, topics {config.topic_prefix}*; logs in {config.home / 'logs'}")
    worker = stage.start_worker(config)
    with children.running([worker]):
        with progress.doing("waiting for the API to answer"):
            _, url = stage.start_api(config)
        if chosen:
            network, urls = chosen
            live.show(config, worker, url, progress, urls=urls, network=network, console=console)
        else:
            _recorded(config, worker, url, console, progress)
        with progress.doing("stopping the worker"):
            worker.stop()
    console.print(f"{time.monotonic() - began:.0f} s. Open [bold]{url}/schema[/bold] (stop it all: `ft down`)")


def _recorded(config: Config, worker: Child, url: str, console: Console, progress: Progress) -> None:
    recording = load_recording()
    with replaying(ReplayNode(recording)) as node, psycopg.connect(config.postgres, autocommit=True) as conn:
        alone = replace(config, rpc={})  # variables of networks that the demo's own file does not name are refused
        ingest = children.start(alone, "demo-ingest", (*FT, "ingest", NETWORK, "--rpc", node.url, "--follow"))
        with children.running([ingest]):
            _walk(node, recording, conn, [worker, ingest], progress)
            with progress.doing("stopping the follower"):
                ingest.stop()
    reader = compare.Reader(url)
    try:
        _show(config, reader, recording, url, console, progress)
    finally:
        reader.close()


def _walk(node: ReplayNode, recording: Recording, conn: Connection, processes: list[Child], progress: Progress) -> None:
    """Let the node go on, block by block, as soon as the source has read where it stands."""
    with progress.doing("waiting for the follower's first block") as now:
        for stop in _stops(recording):
            node.advance(stop - node.view.step)
            height = node.view.head
            seen = partial(_exists, conn, _SEEN, NETWORK, node.view.canonical[height])
            children.wait_for(seen, f"block {height} in the raw topic", timeout_s=_STEP_S, children=processes)
            now(f"the chain, as a follower sees it: look {stop + 1} of {len(recording.steps)}, block {height}")
    head = node.view.canonical[node.view.head]
    with progress.doing("waiting for ledger and projections to reach the head"):
        children.wait_for(
            lambda: not _exists(conn, _BEHIND, NETWORK, head),
            "ledger and projections to reach the head",
            timeout_s=_CAUGHT_UP_S,
            children=processes,
        )


def _stops(recording: Recording) -> list[int]:
    """The steps that the source must have read before the node goes on: all before a reorg, some others, the last."""
    before_reorgs = {
        at - 1 for at, step in enumerate(recording.steps) if at and min(step.chain) <= recording.steps[at - 1].head
    }
    return sorted(before_reorgs | set(range(0, len(recording.steps), _STRIDE)) | {len(recording.steps) - 1})


def _show(
    config: Config, reader: compare.Reader, recording: Recording, url: str, console: Console, progress: Progress
) -> None:
    with progress.doing("asking the API for every balance"):
        wrong = compare.differences(reader, NETWORK, recording)
    table = Table(title=f"{len(recording.steps)} looks at a recorded devnet, {len(recording.blocks)} blocks")
    for heading in ("collection", "standard", "supply", "assets", "owners", "events", "as the contracts say"):
        table.add_column(heading, justify="left" if heading in ("collection", "standard") else "right")
    for name in recording.expected.supply:
        row = compare.collection_row(reader, NETWORK, name, recording.contracts[name].address)
        verdict = "yes" if not wrong[name] else f"NO: {len(wrong[name])}"
        table.add_row(row.name, row.standard, row.supply, str(row.assets), str(row.owners), str(row.transfers), verdict)
    console.print(table)
    with progress.doing("reading the reorgs that were announced"):
        reorgs = compare.announced_reorgs(config)
    announced = {(r.from_block, r.to_block, r.ancestor) for r in reorgs}
    recorded = {(r.from_block, r.to_block, r.ancestor) for r in recording.expected.reorgs}
    for top, low, ancestor in sorted(announced):
        console.print(f"reorg undone: blocks {top} to {low}, {top - low + 1} deep, back to {ancestor}")
    problems = [f"{name}: {line}" for name, lines in wrong.items() for line in lines[:5]]
    if announced != recorded:
        problems.append(f"reorgs: expected {sorted(recorded)}, announced {sorted(announced)}")
    if problems:
        raise ServerError("the result is not what the contracts said:\n" + "\n".join(problems))
    first = next(iter(recording.contracts[name].address for name in recording.expected.supply))
    console.print(
        f"every balance is as the contracts say; for one:\n{url}/api/v1/collections/{NETWORK}:{first}", soft_wrap=True
    )


def _exists(conn: Connection, query: str, *args: object) -> bool:
    return conn.execute(query.encode(), args).fetchone() is not None
