"""What reads of transfers ask for and find."""

from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct

from ft.api.http.cursors import END, Bigint
from ft.api.http.heads import HeadRow

Kind: TypeAlias = Literal["mint", "transfer", "burn", "none"]


class TransferRow(Struct, frozen=True, kw_only=True):
    """One live event of the journal."""

    partition: int
    seq: int
    network: str
    block_number: int
    block_hash: str
    block_time: datetime
    tx_hash: str
    contract: str
    topic0: str
    n: int
    sub_index: int
    log_index: int
    revision: int
    standard: str
    token_id: str
    from_: str
    to: str
    operator: str | None
    quantity: str
    echo: bool


class TransferKey(NamedTuple):
    """Where a transfer stands: chain position, then what tells apart rows of a branch that is not undone everywhere."""

    block_number: Bigint
    log_index: Bigint
    sub_index: Bigint
    partition: Bigint
    seq: Bigint


NEWEST: Final = TransferKey(END, END, END, END, END)
OLDEST: Final = TransferKey(-1, -1, -1, -1, -1)


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
