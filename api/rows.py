"""Postgres -> what the reads return: one row type a query. Numbers of 256 bits are decimal strings."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncCursor

from ft.errors import DatabaseError

R = TypeVar("R", bound=Struct)


class HeadRow(Struct, frozen=True, kw_only=True):
    """How far one partition of a consumer has read a network; heights are -1 where unknown."""

    network: str
    partition: int
    position: int
    head_number: int
    head_hash: str
    head_time: datetime | None
    safe: int
    finalized: int


class NetworkRow(Struct, frozen=True, kw_only=True):
    """A configured network."""

    network: str
    family: str
    chain_id: int | None
    start_block: int
    confirmed: str
    finalized: str


class GroundsRow(Struct, frozen=True, kw_only=True):
    """What the integrity of an asset or a collection is judged by; ``reasons`` are words with commas between."""

    contradicted: bool
    contract_contradicts: bool
    gapless: bool
    quarantined: bool
    not_listed: bool
    out_of_order: bool
    implicit: bool
    """Whether some account holds something by a retraction alone, that no event in force names."""
    reasons: str
    created_reasons: str


class StandingRow(GroundsRow, frozen=True, kw_only=True):
    """The same with the ledger's head of the partition, and ``project``'s (counted); null: has not read the network."""

    version: str
    partition: int | None
    position: int | None
    head_number: int | None
    head_hash: str | None
    head_time: datetime | None
    safe: int | None
    finalized: int | None
    counted_number: int | None
    counted_hash: str | None
    counted_time: datetime | None
    counted_safe: int | None
    counted_finalized: int | None
    open_block: int | None
    uncounted: bool
    """Whether the ledger has written events of the contract below its head, or taken some back, that ``project`` has
    not come to: its counters may hold a part of them."""


class AssetRow(StandingRow, frozen=True, kw_only=True):
    """An asset. ``counted``: owners and supply are those of the card, which is of ``project``'s head."""

    network: str
    contract: str
    token_id: str
    uuid: UUID | None
    is_stub: bool
    standard: str | None
    owners: int
    supply: str
    account: str | None
    quantity: str | None
    since: datetime | None
    block_number: int | None
    held_time: datetime | None
    card_time: datetime | None
    card_block: int | None
    counted: bool
    transfers: int


class CollectionRow(StandingRow, frozen=True, kw_only=True):
    """A collection's counters, which are of ``project``'s head. Null: `project` has not reached it."""

    network: str
    contract: str
    standard: str | None
    owners: int | None
    assets: int | None
    supply: str | None
    transfers: int | None
    mints: int | None
    burns: int | None
    first_block: int | None
    last_block: int | None
    held: bool


class ListedRow(Struct, frozen=True, kw_only=True):
    """A collection's place in a list; ``value`` is what the list is ordered by."""

    contract: str
    value: int


class HeldCountersRow(Struct, frozen=True, kw_only=True):
    """Counters of a collection taken from the ledger's holdings."""

    standard: str | None
    owners: int
    assets: int
    supply: str | None
    first_block: int | None
    last_block: int | None


class HolderRow(Struct, frozen=True, kw_only=True):
    """One holder of one asset; ``slot`` orders the holders."""

    account: str
    quantity: str
    since: datetime | None
    block_number: int
    slot: str


class OwnerRow(Struct, frozen=True, kw_only=True):
    """One account and all it holds of a collection."""

    account: str
    quantity: str
    assets: int
    block_number: int


class DebitRow(Struct, frozen=True, kw_only=True):
    """The newest block above finality in which an account gave away any of a collection."""

    account: str
    block_number: int


class HoldingRow(Struct, frozen=True, kw_only=True):
    """One asset of an account."""

    network: str
    contract: str
    token_id: str
    quantity: str
    since: datetime | None
    block_number: int


class TransferRow(Struct, frozen=True, kw_only=True):
    """One live event of the journal."""

    partition: int
    seq: int
    network: str
    block_number: int
    block_hash: str
    block_time: datetime
    tx_hash: str
    contract: str
    topic0: str
    n: int
    sub_index: int
    log_index: int
    revision: int
    standard: str
    token_id: str
    from_: str
    to: str
    operator: str | None
    quantity: str
    echo: bool


class BlockRow(Struct, frozen=True, kw_only=True):
    """A canonical block that was read."""

    number: int
    hash: str
    time: datetime
    position: int
    """Raw offset that it came with."""


class DeploymentRow(Struct, frozen=True, kw_only=True):
    """What the database says of the deployment that it is of."""

    topic_prefix: str
    unfinished: str | None
    """The command that goes on with a restore which has begun."""


class ChainRow(Struct, frozen=True, kw_only=True):
    """A network's folded chain, its node and its coverage."""

    network: str
    family: str
    start_block: int
    head_number: int | None
    head_hash: str | None
    head_time: datetime | None
    safe: int | None
    finalized: int | None
    position: int | None
    node_head: int | None
    node_time: datetime | None
    stretches: int
    covered_from: int | None
    quarantined: int


class PartitionRow(Struct, frozen=True, kw_only=True):
    """How far one partition of one consumer is."""

    consumer: str
    network: str
    partition: int
    position: int
    head_number: int
    head_time: datetime | None
    safe: int
    finalized: int


class FollowerRow(Struct, frozen=True, kw_only=True):
    """A network and who is at it; ages in seconds, null where there is nothing to be that old."""

    network: str
    followed: bool
    broken: bool
    waits_for: int | None
    block_time_s: float
    seen_s: float | None
    waits_s: float | None
    head_age_s: float | None
    bulk_stalled: bool


class FailureRow(Struct, frozen=True, kw_only=True):
    """Processes of one kind that ended by one kind of error."""

    role: str
    what: str
    kind: str
    error: str
    lately: int
    settled: bool
    last_s: float
    of_last_follower: bool = False
    """Whether the process was the last one that followed the network."""


class BacklogRow(Struct, frozen=True, kw_only=True):
    """What waits somewhere in the system."""

    outbox_unpublished: str
    outbox_blocked: int
    dlq_depth: str
    findings: int
    months_unindexed: int
    workers: int
    agents: str
    """What those workers run, with commas between."""


@cache
def of(kind: type[R]) -> Callable[[AsyncCursor[Any]], Callable[[Sequence[Any]], R]]:
    """A psycopg row factory for ``kind``; columns that it does not name are left out."""
    wanted = kind.__struct_fields__

    def factory(cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], R]:
        columns = {column.name: place for place, column in enumerate(cursor.description or ())}
        try:
            places = [(name, columns[name.rstrip("_")]) for name in wanted]
        except KeyError as exc:
            if not columns:
                return lambda values: kind()
            raise DatabaseError(f"{kind.__name__}: expected column {exc}, got {', '.join(columns)}") from exc
        return lambda values: kind(**{name: values[place] for name, place in places})

    return factory
