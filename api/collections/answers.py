"""A collection, its counters and its owners as answers show them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ft.api.http.freshness import AsOf, Finality
from ft.api.http.pages import Decimal, Later
from ft.api.integrity.answers import Integrity, Reasons

Unwhole = Annotated[
    Literal["block_incomplete", "not_counted", "nothing_moved"] | None,
    Meta(
        description="why counters are null. `block_incomplete`: a large block, or blocks below the head, are "
        "being counted and part of it may be in them; a moment later they are there. `not_counted`: `project` has yet "
        "to count the contract's events. "
        "`nothing_moved`: no event of the contract moved anything, so that there is no first and no last block"
    ),
]


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


class CollectionOwner(Struct, frozen=True, kw_only=True):
    """One account and all it holds of a collection; as final as its newest event there, in or out."""

    owner: str
    account: Annotated[str, Meta(description="`<network>:<address>` of the owner")]
    quantity: Annotated[str, Meta(description="sum over the token ids it holds")]
    assets: Annotated[int, Meta(description="token ids it holds")]
    finality_status: Finality
