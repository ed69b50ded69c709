"""What reads of collections ask for and find."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from ft.api.http.cursors import Bigint, PlainText
from ft.api.http.heads import HeadRow
from ft.api.integrity.rows import StandingRow


class CollectionRow(StandingRow, frozen=True, kw_only=True):
    """A collection's counters, which are of ``project``'s head. Null: `project` has not reached it."""

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


class CollectionOwners(Struct, frozen=True, kw_only=True):
    """``debits``: the newest block above finality in which an account gave away any of it; None: cannot be told now."""

    rows: list[OwnerRow]
    head: HeadRow | None
    debits: Mapping[str, int] | None


class Collection(Struct, frozen=True, kw_only=True):
    """``held``: counters from the ledger where ``project`` has none yet."""

    row: CollectionRow
    held: HeldCountersRow | None


class CollectionKey(NamedTuple):
    """Where a collection stands among those of a network: what they are ordered by, then its contract."""

    value: Bigint
    contract: PlainText


class Collections(Struct, frozen=True, kw_only=True):
    """Some of a network's, in order; ``last`` is the key of the last one (None: there is none)."""

    rows: list[CollectionRow]
    last: CollectionKey | None
    head: HeadRow | None
    more: bool
