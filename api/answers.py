"""The shapes of the answers, as OpenAPI shows them. Quantities and ids of 256 bits are decimal strings."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from msgspec import Meta, Struct

from ft.api.found import Kind as KindWord
from ft.api.freshness import AsOf, Finality
from ft.api.integrity import REASONS, Level

T = TypeVar("T")
Decimal = Annotated[str, Meta(description="decimal, up to 78 digits and more where it is a sum", examples=["1"])]
Integrity = Annotated[
    Level,
    Meta(
        description="How far the holdings can be trusted; the worst that holds. `nonconserving`: the events "
        "contradict each other though none is missing. `partial_history`: blocks since the contract's creation were "
        "not read, or something in them could not be decoded. `unproven`: something rests on no more than what a "
        "provider said, or on an order that is not the chain's. `integrity_reasons` says why."
    ),
]
Reasons = Annotated[
    list[str],
    Meta(
        description="Why `integrity` is no better: all reasons that hold, sorted; none where it is `proven`. Further "
        "words may come. " + " ".join(f"`{word}`: {meaning}." for word, meaning in REASONS.items())
    ),
]
Kind = Annotated[
    KindWord,
    Meta(
        description="From nobody: `mint`. To nobody: `burn`. `none`: it moves nothing, being of quantity 0 or from "
        "nobody to nobody."
    ),
]
Unwhole = Annotated[
    Literal["block_incomplete", "not_counted", "nothing_moved"] | None,
    Meta(
        description="why counters are null. `block_incomplete`: a large block, or blocks below the head, are "
        "being counted and part of it may be in them; a moment later they are there. `not_counted`: `project` has yet "
        "to count the contract's events. "
        "`nothing_moved`: no event of the contract moved anything, so that there is no first and no last block"
    ),
]
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
    is_stub: Annotated[
        bool, Meta(description="a stub: ft knows from an event that it exists; true until metadata came")
    ]
    supply: Annotated[
        str | None,
        Meta(
            description="sum of all holdings; `0` once burned; null while more than 1000 accounts hold it and a large "
            "block that may touch it, or blocks below the head that touch its collection, are being counted"
        ),
    ]
    owners: Annotated[int | None, Meta(description="accounts that hold it; null as `supply` is")]
    counted_as_of: Annotated[
        AsOf | None,
        Meta(
            description="Where several accounts may hold it (ERC-1155): the block that `updated_at` is the state of, "
            "and beyond 1000 accounts `owners` and `supply`. null: the answer's own block"
        ),
    ]
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
    integrity_reasons: Reasons
    updated_at: Annotated[datetime | None, Meta(description="time of the newest block in which its holdings changed")]


class AssetAnswer(Asset, frozen=True, kw_only=True):
    """One NFT, and the block this is the state of."""

    as_of: AsOf


class CollectionStats(Struct, frozen=True, kw_only=True):
    """Counters of a collection, all of one block: that of ``as_of`` here, else the answer's."""

    owners: Annotated[int | None, Meta(description="accounts that hold any of it")]
    assets: Annotated[int | None, Meta(description="token ids that somebody holds")]
    supply: Decimal | None
    transfers: Annotated[int | None, Meta(description="live events other than mints and burns")]
    mints: int | None
    burns: int | None
    first_block: Annotated[int | None, Meta(description="lowest block an event was seen in, undone ones included")]
    last_block: Annotated[int | None, Meta(description="highest block an event was seen in, undone ones included")]
    finality_status: Finality
    as_of: Annotated[
        AsOf | None,
        Meta(description="the block these counters are the state of, where they are behind; null: the answer's own"),
    ]
    reason: Unwhole


class Collection(Struct, frozen=True, kw_only=True):
    """One contract."""

    id: str
    network: str
    contract: str
    standard: str | None
    name: str | None
    slug: str | None
    image: Later
    is_stub: Annotated[
        bool, Meta(description="a stub: ft knows from an event that it exists; true until metadata came")
    ]
    stats: CollectionStats
    market: Later
    integrity: Integrity
    integrity_reasons: Reasons


class CollectionAnswer(Collection, frozen=True, kw_only=True):
    """One contract, and the block this is the state of."""

    as_of: AsOf


class NetworkAnswer(Struct, frozen=True, kw_only=True):
    """One configured network, and how far it is read."""

    network: str
    family: str
    chain_id: int | None
    start_block: Annotated[int, Meta(description="the lowest block that is asked for")]
    confirmed: Annotated[str, Meta(description="what makes a block `confirmed`: a tag of the node, or a depth")]
    finalized: Annotated[str, Meta(description="what makes a block `finalized`")]
    as_of: Annotated[AsOf, Meta(description="the block up to which it is applied")]


class Holder(Struct, frozen=True, kw_only=True):
    """One account that holds an asset."""

    owner: str
    account: Annotated[str, Meta(description="`<network>:<address>` of the owner")]
    quantity: Decimal
    acquired_at: datetime | None
    block_number: Annotated[
        int | None,
        Meta(description="of the newest event that this rests on, in or out; null where the ledger infers the holder"),
    ]
    finality_status: Finality


class CollectionOwner(Struct, frozen=True, kw_only=True):
    """One account and all it holds of a collection; as final as its newest event there, in or out."""

    owner: str
    account: Annotated[str, Meta(description="`<network>:<address>` of the owner")]
    quantity: Annotated[str, Meta(description="sum over the token ids it holds")]
    assets: Annotated[int, Meta(description="token ids it holds")]
    finality_status: Finality


class Transfer(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One movement of one asset as an event of the chain tells it."""

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
    echo: Annotated[
        bool, Meta(description="another event of the transaction tells the same movement; this one is not counted")
    ]
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
