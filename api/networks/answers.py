"""One network as answers show it."""

from typing import Annotated

from msgspec import Meta, Struct

from ft.api.http.freshness import AsOf


class NetworkAnswer(Struct, frozen=True, kw_only=True):
    """One configured network, and how far it is read."""

    network: str
    family: str
    chain_id: int | None
    start_block: Annotated[int, Meta(description="the lowest block that is asked for")]
    confirmed: Annotated[str, Meta(description="what makes a block `confirmed`: a tag of the node, or a depth")]
    finalized: Annotated[str, Meta(description="what makes a block `finalized`")]
    as_of: Annotated[AsOf, Meta(description="the block up to which it is applied")]
