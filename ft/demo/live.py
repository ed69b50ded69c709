"""The demo on a live node: its newest blocks, what moved in them, and the node's word on some owners."""

import asyncio
import json
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

import aiohttp
import psycopg
from rich.console import Console
from rich.table import Table

from ft import children
from ft.children import FT, Child
from ft.config import Config
from ft.demo import compare
from ft.embedded.progress import Progress
from ft.errors import ServerError
from ft.networks import Network
from ft.providers import require_http, variable
from ft.streams.sources.evm.rpc import ProviderFailed, Reply, RpcClient, RpcError

BLOCKS: Final = 20
_INGEST_S: Final = 300.0
_CAUGHT_UP_S: Final = 120.0
_COLLECTIONS: Final = 10
_ASKED: Final = 10
_NODE_S: Final = 20.0
_OWNER_OF: Final = "0x6352211e"  # ownerOf(uint256)

_CAUGHT_UP: Final = """
    SELECT coalesce(bool_and(coalesce(h.head_number, -1) >= %s), false) FROM system.partition_owner o
    LEFT JOIN system.partition_head h ON (h.consumer, h.partition) = (o.consumer, o.partition) AND h.network = %s
    WHERE o.consumer IN ('ledger', 'project')
"""
_BUSIEST: Final = """
    SELECT contract FROM projection.collection_stats WHERE network = %s
    ORDER BY transfers + mints + burns DESC, contract LIMIT %s
"""
_SAMPLE: Final = """
    SELECT contract, token_id::text, account FROM projection.ownership_view
    WHERE network = %s AND standard = 'erc721' LIMIT %s
"""


def show(
    config: Config,
    worker: Child,
    url: str,
    progress: Progress,
    *,
    urls: tuple[str, ...],
    network: Network,
    console: Console,
) -> None:
    """Ingest the node's last blocks and print what moved. Raises ProviderFailed, ServerError where a step fails."""
    rpc = require_http(network, urls)[0]
    with progress.doing("asking the node for its head"):
        head = asyncio.run(_head(rpc))
    low = max(head - BLOCKS + 1, 0)
    console.print(f"{network.slug}: blocks {low} to {head} from the node")
    command = (*FT, "ingest", network.slug, "--from", str(low), "--to", str(head))
    ingest = children.start(replace(config, rpc={variable(network.slug): ",".join(urls)}), "demo-ingest", command)
    with progress.doing("reading the blocks"):
        code = ingest.wait(_INGEST_S)
    if code:
        raise ServerError(f"ingestion failed; {ingest.log}:\n{ingest.log_end()}")
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        with progress.doing("waiting for ledger and projections to reach the head"):
            children.wait_for(
                lambda: bool(_rows(conn, _CAUGHT_UP, head, network.slug)[0][0]),
                "ledger and projections to reach the head",
                timeout_s=_CAUGHT_UP_S,
                children=[worker],
            )
        busiest = [str(row[0]) for row in _rows(conn, _BUSIEST, network.slug, _COLLECTIONS)]
        if busiest:
            _table(url, network.slug, busiest, console)
        with progress.doing("asking the contracts for owners"):
            sample = _rows(conn, _SAMPLE, network.slug, _ASKED)
            agreed, asked = asyncio.run(_ask_owners(rpc, head, sample))
    console.print(_outcome(low, head, moved=bool(busiest), sampled=len(sample), asked=asked, agreed=agreed))


def _outcome(low: int, head: int, *, moved: bool, sampled: int, asked: int, agreed: int) -> str:
    """What came of it. ``sampled``: owners that could be asked for; ``asked``: those that a contract answered."""
    if not moved:
        return f"no NFT moved in blocks {low} to {head}"
    if not sampled:
        return "no ERC-721 token has an owner after these blocks: none was compared with its contract"
    if not asked:
        return "the node answered no eth_call: owners were not compared with the contracts"
    return f"owners asked of the contracts at block {head}: {agreed} of {asked} agree"


def _table(url: str, network: str, contracts: list[str], console: Console) -> None:
    table = Table(title=f"what moved most on {network}")
    for heading in ("collection", "standard", "known supply", "owners", "events"):
        table.add_column(heading)
    with closing(compare.Reader(url)) as reader:
        for contract in contracts:
            row = compare.collection_row(reader, network, contract, contract)
            table.add_row(row.name, row.standard, row.supply, str(row.owners), str(row.transfers))
    console.print(table)


async def _head(rpc: str) -> int:
    """The node's newest block. Raises ProviderFailed."""
    async with aiohttp.ClientSession() as session:
        node = RpcClient(rpc, session, timeout_s=_NODE_S)
        answer = await node.call("eth_blockNumber")
    said = _text(answer)
    try:
        return int(said, 16)
    except ValueError as exc:
        got = answer if isinstance(answer, RpcError) else f"{said[:40]!r}"
        raise ProviderFailed(f"{node.name}: expected a block number for eth_blockNumber, got {got}") from exc


async def _ask_owners(rpc: str, head: int, sample: list[tuple[Any, ...]]) -> tuple[int, int]:
    """Compare some ERC-721 owners with what the contracts say at the same block: how many agree, of how many."""
    agreed = asked = 0
    async with aiohttp.ClientSession() as session:
        node = RpcClient(rpc, session, timeout_s=_NODE_S)
        for contract, token_id, account in sample:
            call = {"to": contract, "data": f"{_OWNER_OF}{int(token_id):064x}"}
            try:
                said = _text(await node.call("eth_call", call, hex(head)))
            except ProviderFailed:
                continue
            if said:
                asked += 1
                agreed += "0x" + said[-40:] == account
    return agreed, asked


def _text(answer: Reply) -> str:
    """The text that a node answered; empty where it was something else."""
    said = "" if isinstance(answer, RpcError) else json.loads(answer)
    return said if isinstance(said, str) else ""


def _rows(conn: psycopg.Connection[Any], query: str, *args: object) -> list[tuple[Any, ...]]:
    return conn.execute(query.encode(), args).fetchall()
