"""``X-Min-Block``: an answer no older than a block, or 409 with the head."""

from collections.abc import Sequence
from typing import Protocol

from ft.api.http.freshness import as_of, reached
from ft.api.http.heads import HeadRow
from ft.api.http.known_networks import NetworkReads, require_known
from ft.api.http.parameters import min_block
from ft.api.http.problems import Problem, invalid


class HeadReads(NetworkReads, Protocol):
    """What waiting for a block asks the database."""

    async def head(self, network: str, contract: str | None, consumer: str) -> HeadRow | None: ...


async def await_block(
    reads: HeadReads,
    header: str | None,
    network: str | None,
    contract: str | None = None,
    consumers: Sequence[str] = ("ledger",),
) -> None:
    """Wait for the block in ``header`` where (network, contract) is kept; without a contract for all partitions.

    ``network``: what the request is about; None: all of them. ``consumers``: whose state the answer shows; each of them
    must be there. Raises Problem 409 after 2 s, 422 for a header that cannot be read or is of another network or none.
    """
    asked = min_block(header)
    if asked is None:
        return
    await require_known(reads, asked.network, "X-Min-Block")
    if network is not None and network != asked.network:
        raise invalid(
            "X-Min-Block",
            "contradiction",
            f"expected a block of {network}, which the request is about, got {asked.network}:{asked.number}",
        )

    async def furthest_behind() -> HeadRow | None:
        heads = [await reads.head(asked.network, contract, consumer) for consumer in consumers]
        known = [head for head in heads if head is not None]
        return min(known, key=lambda head: head.head_number) if len(known) == len(heads) else None

    head = await reached(asked.number, furthest_behind)
    if head is None or head.head_number < asked.number:
        got = "nothing" if head is None else f"block {head.head_number}"
        raise Problem(
            409,
            "block_not_reached",
            f"expected {asked.network} at block {asked.number}, got {got}; ask again later",
            headers={"Retry-After": "1"},
            as_of=as_of(head, asked.network),
        )
