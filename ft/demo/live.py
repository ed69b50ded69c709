"""The demo on a live node: its newest blocks, what moved in them, and the node's word on some owners."""

import json
from dataclasses import replace
from typing import Any, Final

import httpx
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

BLOCKS: Final = 20
_INGEST_S: Final = 300.0
_CAUGHT_UP_S: Final = 120.0
_COLLECTIONS: Final = 10
_ASKED: Final = 10
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
    """Ingest the node's last blocks and print what moved. Raises ServerError where a step fails."""
    rpc = require_http(network, urls)[0]
    with progress.doing("asking the node for its head"):
        head = int(_call(rpc, "eth_blockNumber"), 16)
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
        reader = compare.Reader(url)
        try:
            busiest = [str(row[0]) for row in _rows(conn, _BUSIEST, network.slug, _COLLECTIONS)]
            _table(reader, network.slug, busiest, console)
        finally:
            reader.close()
        with progress.doing("asking the contracts for owners"):
            agreed, asked = _ask_owners(rpc, head, _rows(conn, _SAMPLE, network.slug, _ASKED))
    if asked:
        console.print(f"owners asked of the contracts at block {head}: {agreed} of {asked} agree")
    else:
        console.print("the node answered no eth_call: owners were not compared with the contracts")


def _table(reader: compare.Reader, network: str, contracts: list[str], console: Console) -> None:
    table = Table(title=f"what moved most on {network}")
    for heading in ("collection", "standard", "known supply", "owners", "events"):
        table.add_column(heading)
    for contract in contracts:
        row = compare.collection_row(reader, network, contract, contract)
        table.add_row(row.name, row.standard, row.supply, str(row.owners), str(row.transfers))
    console.print(table)


def _ask_owners(rpc: str, head: int, sample: list[tuple[Any, ...]]) -> tuple[int, int]:
    """Compare some ERC-721 owners with what the contracts say at the same block: how many agree, of how many."""
    agreed = asked = 0
    for contract, token_id, account in sample:
        call = {"to": contract, "data": f"{_OWNER_OF}{int(token_id):064x}"}
        try:
            said = "0x" + _call(rpc, "eth_call", call, hex(head))[-40:]
        except ServerError:
            continue
        asked += 1
        agreed += said == account
    return agreed, asked


def _call(rpc: str, method: str, *params: Any) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    try:
        answer = httpx.post(rpc, json=request, timeout=20).raise_for_status().json()
    except (httpx.HTTPError, json.JSONDecodeError) as exc:
        raise ServerError(f"node {rpc}: expected an answer to {method}, got: {exc}") from exc
    if not isinstance(answer, dict) or not isinstance(answer.get("result"), str):
        raise ServerError(f"node {rpc}: expected a result for {method}, got: {answer}")
    return str(answer["result"])


def _rows(conn: psycopg.Connection[Any], query: str, *args: object) -> list[tuple[Any, ...]]:
    return conn.execute(query.encode(), args).fetchall()
