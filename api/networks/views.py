"""Rows of networks -> answers."""

from ft.api.http.freshness import as_of
from ft.api.http.heads import HeadRow
from ft.api.http.known_networks import NetworkRow
from ft.api.networks.answers import NetworkAnswer


def network(row: NetworkRow, head: HeadRow | None) -> NetworkAnswer:
    return NetworkAnswer(
        network=row.network,
        family=row.family,
        chain_id=row.chain_id,
        start_block=row.start_block,
        confirmed=row.confirmed,
        finalized=row.finalized,
        as_of=as_of(head, row.network),
    )
