"""Heads out of Postgres, on the connection and in the snapshot of the caller."""

from collections.abc import Sequence
from typing import Final

from ft.api.http.database import Connection, row_of, rows_of
from ft.api.http.freshness import speaking
from ft.api.http.heads import HeadRow
from ft.schemas import ids
from ft.sql.queries import load

HEADS: Final = load("api_heads")


def partition(network: str, contract: str, count: int) -> int:
    return ids.partition_of(f"{network}:{contract}", count)


async def head(conn: Connection, network: str, contract: str | None, consumer: str, count: int) -> HeadRow | None:
    """Of the partition that holds ``contract``; without one, of the partition furthest behind."""
    if contract is None:
        return speaking((await heads(conn, [network], consumer))[network], count)
    parameters = {"consumer": consumer, "network": network, "partition": partition(network, contract, count)}
    return await row_of(conn, HEADS["head"], HeadRow, parameters)


async def heads(conn: Connection, networks: Sequence[str], consumer: str) -> dict[str, list[HeadRow]]:
    """Of every partition, by network."""
    found = await rows_of(conn, HEADS["heads"], HeadRow, {"consumer": consumer, "networks": list(networks)})
    return {name: [row for row in found if row.network == name] for name in networks}
