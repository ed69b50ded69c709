"""How far the ledger, or `project`, has read a network: which partition speaks for an answer."""

from datetime import datetime

from msgspec import Struct


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


class BlockRow(Struct, frozen=True, kw_only=True):
    """A canonical block that was read."""

    number: int
    hash: str
    time: datetime
    position: int
    """Raw offset that it came with."""
