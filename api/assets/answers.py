"""One asset, and one of its holders, as answers show them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ft.api.http.freshness import AsOf, Finality
from ft.api.http.pages import Decimal, Later
from ft.api.integrity.answers import Integrity, Reasons


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
