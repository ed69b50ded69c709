"""The shapes of the answers, as OpenAPI shows them. Quantities and ids of 256 bits are decimal strings."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from msgspec import Meta, Struct

from ft.api.freshness import AsOf, Finality

T = TypeVar("T")
Decimal = Annotated[str, Meta(description="decimal, up to 78 digits and more where it is a sum", examples=["1"])]
Integrity = Annotated[
    Literal["proven", "unproven", "partial_history", "nonconserving"],
    Meta(
        description="How far the holdings can be trusted; the worst that holds. `nonconserving`: the events "
        "contradict each other though none is missing. `partial_history`: blocks since the contract's creation were "
        "not read, or something in them could not be decoded. `unproven`: some blocks were not checked against "
        "their receipts root."
    ),
]
Kind = Literal["mint", "transfer", "burn"]
Later = Annotated[dict[str, Any] | None, Meta(description="null until this domain exists")]


class PageInfo(Struct, frozen=True, kw_only=True):
    """Where a page stands."""

    next_cursor: Annotated[str | None, Meta(description="for the next page; null on the last one")]
    has_more: bool
    limit: int


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Some entries of a totally ordered list, the place to go on from, and the block they are the state of."""

    data: list[T]
    page: PageInfo
    as_of: AsOf


class CollectionRef(Struct, frozen=True, kw_only=True):
    """The collection an asset belongs to."""

    id: str
    name: str | None = None
    slug: str | None = None


class Ownership(Struct, frozen=True, kw_only=True):
    """Who holds an asset, by the chain's own records."""

    holder: str
    beneficial_owner: Annotated[str, Meta(description="the holder, unless a custody contract holds it for somebody")]
    quantity: Decimal
    custody: Later
    acquired_at: Annotated[datetime | None, Meta(description="null where the journal cannot tell")]
    finality_status: Finality


class Asset(Struct, frozen=True, kw_only=True):
    """One NFT."""

    asset_id: Annotated[str, Meta(description="natural key: `<network>:<contract>:<token_id>` or `ton:<item address>`")]
    id: Annotated[UUID, Meta(description="uuid5 of the natural key; accepted wherever an asset id is")]
    network: str
    contract: str
    token_id: Decimal
    standard: str | None
    collection: CollectionRef
    name: str | None
    image: Later
    is_stub: Annotated[bool, Meta(description="true until metadata came")]
    supply: Annotated[str, Meta(description="sum of all holdings; `0` once burned")]
    owners: Annotated[int, Meta(description="accounts that hold it")]
    ownership: Annotated[
        Ownership | None,
        Meta(
            description="The sole holder; null where nobody holds it (burned), or where several do (ERC-1155: see "
            "/owners). In an account's assets: the holding of that account."
        ),
    ]
    market: Later
    rarity: Later
    spam: Later
    trust: Later
    metadata: Later
    integrity: Integrity
    updated_at: datetime | None


class AssetAnswer(Asset, frozen=True, kw_only=True):
    """One NFT, and the block this is the state of."""

    as_of: AsOf


class CollectionStats(Struct, frozen=True, kw_only=True):
    """Counters of a collection."""

    owners: Annotated[int, Meta(description="accounts that hold any of it")]
    assets: Annotated[int, Meta(description="token ids that somebody holds")]
    supply: Decimal
    transfers: Annotated[int | None, Meta(description="live events other than mints and burns")]
    mints: int | None
    burns: int | None
    first_block: Annotated[int | None, Meta(description="lowest block an event was seen in, undone ones included")]
    last_block: Annotated[int | None, Meta(description="highest block an event was seen in, undone ones included")]
    finality_status: Finality


class CollectionAnswer(Struct, frozen=True, kw_only=True):
    """One contract, and the block this is the state of."""

    id: str
    network: str
    contract: str
    standard: str | None
    name: str | None
    slug: str | None
    image: Later
    is_stub: bool
    stats: CollectionStats
    market: Later
    integrity: Integrity
    as_of: AsOf


class Holder(Struct, frozen=True, kw_only=True):
    """One account that holds an asset."""

    owner: str
    account: Annotated[str, Meta(description="`<network>:<address>` of the owner")]
    quantity: Decimal
    acquired_at: datetime | None
    block_number: Annotated[int, Meta(description="of the latest event this rests on")]
    finality_status: Finality


class CollectionOwner(Struct, frozen=True, kw_only=True):
    """One account and all it holds of a collection."""

    owner: str
    account: Annotated[str, Meta(description="`<network>:<address>` of the owner")]
    quantity: Annotated[str, Meta(description="sum over the token ids it holds")]
    assets: Annotated[int, Meta(description="token ids it holds")]
    finality_status: Finality


class Transfer(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One movement of one asset: a mint, a transfer or a burn."""

    transfer_id: Annotated[str, Meta(description="`<network>:<tx_hash>:<contract>:<topic0>:<log_n>/<sub_index>`")]
    revision: Annotated[int, Meta(description="raised by each reorg that takes the event away or brings it back")]
    asset_id: str
    network: str
    contract: str
    token_id: Decimal
    standard: str
    kind: Kind
    from_: str
    to: str
    quantity: Decimal
    operator: str | None
    tx_hash: str
    log_n: Annotated[int, Meta(description="place among the transaction's logs of the same contract and topic0")]
    sub_index: Annotated[int, Meta(description="place in a batch, from 0")]
    log_index: int
    block_number: int
    block_hash: str
    block_time: datetime
    finality_status: Finality
    status: Literal["live"]
