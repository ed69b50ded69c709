"""What the reads are asked with, and what they find: keys of keyset pages, and one type an answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from msgspec import Meta, Struct

from ft.api.rows import (
    AssetRow,
    BacklogRow,
    BlockRow,
    ChainRow,
    CollectionRow,
    FailureRow,
    FollowerRow,
    HeadRow,
    HeldCountersRow,
    HolderRow,
    HoldingRow,
    NetworkRow,
    OwnerRow,
    PartitionRow,
    TransferRow,
)
from ft.errors import FtError

END: Final = 2**63 - 1
Kind: TypeAlias = Literal["mint", "transfer", "burn", "none"]
Bigint = Annotated[int, Meta(ge=-1, le=END)]
PlainText = Annotated[str, Meta(pattern=r"^[\x21-\x7e]*\Z", max_length=256)]
TokenText = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,77})\Z")]


class TransferKey(NamedTuple):
    """Where a transfer stands: chain position, then what tells apart rows of a branch that is not undone everywhere."""

    block_number: Bigint
    log_index: Bigint
    sub_index: Bigint
    partition: Bigint
    seq: Bigint


class HoldingKey(NamedTuple):
    """Where an asset stands among those of an account."""

    network: PlainText
    contract: PlainText
    token_id: TokenText


NOTHING: Final = HoldingKey("", "", "-1")
NEWEST: Final = TransferKey(END, END, END, END, END)
OLDEST: Final = TransferKey(-1, -1, -1, -1, -1)


class RangeNotIndexed(FtError):
    """Months in the asked range have no indexes yet: reading them would take minutes."""


class TransfersAsk(Struct, frozen=True, kw_only=True):
    """Which transfers; bounds are inclusive, None where open; ``after`` is the key to go on behind."""

    network: str
    contract: str | None = None
    token_id: str | None = None
    account: str | None = None
    """Sender or receiver."""
    sender: str | None = None
    receiver: str | None = None
    tx_hash: str | None = None
    kind: Kind | None = None
    block_from: int | None = None
    block_to: int | None = None
    time_from: datetime | None = None
    time_to: datetime | None = None
    newest_first: bool = True
    after: TransferKey | None = None
    rows: int


class Transfers(Struct, frozen=True, kw_only=True):
    rows: list[TransferRow]
    head: HeadRow | None


class Holders(Struct, frozen=True, kw_only=True):
    """Holders of an asset: now (``at`` None) or once block ``at`` was applied (-1: before any block that was read).

    ``reached``: whether that block is applied. ``complete``: whether no block since the contract's creation is missing.
    """

    rows: list[HolderRow]
    head: HeadRow | None
    at: int | None = None
    block: BlockRow | None = None
    reached: bool = True
    complete: bool = False


class Assets(Struct, frozen=True, kw_only=True):
    rows: list[AssetRow]
    head: HeadRow | None
    more: bool


class CollectionOwners(Struct, frozen=True, kw_only=True):
    """``debits``: the newest block above finality in which an account gave away any of it; None: cannot be told now."""

    rows: list[OwnerRow]
    head: HeadRow | None
    debits: Mapping[str, int] | None


class OwnerAssets(Struct, frozen=True, kw_only=True):
    """Holdings with their assets, in one order; ``heads``: who speaks, by network (None: nothing read)."""

    holdings: list[HoldingRow]
    assets: list[AssetRow]
    heads: Mapping[str, HeadRow | None]
    more: bool


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


class Networks(Struct, frozen=True, kw_only=True):
    """``heads``: who speaks, by network (None: nothing read)."""

    rows: list[NetworkRow]
    heads: Mapping[str, HeadRow | None]


class Status(Struct, frozen=True, kw_only=True):
    chains: list[ChainRow]
    partitions: list[PartitionRow]
    backlog: BacklogRow
    heads: list[HeadRow]
    followers: list[FollowerRow]
    failures: list[FailureRow]
    other: str | None
    """Why the database is not that of this deployment; None: nothing says so."""
    is_one: bool = False
    """Whether Kafka and registry were looked at, and are of the same."""
    registry: str | None = None
    """What is amiss with the registry; None: nothing, or it was not looked at."""
