"""One movement as answers show it."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ft.api.http.freshness import Finality
from ft.api.http.pages import Decimal
from ft.api.transfers.rows import Kind as KindWord

Kind = Annotated[
    KindWord,
    Meta(
        description="From nobody: `mint`. To nobody: `burn`. `none`: it moves nothing, being of quantity 0 or from "
        "nobody to nobody."
    ),
]


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
