"""What holdings are judged by, and whose state they are."""

from datetime import datetime

from msgspec import Struct


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

    network: str
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
