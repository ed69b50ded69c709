"""Pure: stretches of the journal, and the COPY text that appends them.

A stretch is what one block says to one partition: rows that follow each other, all of one block and one op.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from ft.agents.ledger.steps import Block, Columns

Op: TypeAlias = Literal["apply", "revert", "finality", "reorg"]
NONE: Final = Columns(
    tx_hash=(),
    tx_from=(),
    contract=(),
    topic0=(),
    n=(),
    sub_index=(),
    log_index=(),
    standard=(),
    token_id=(),
    from_account=(),
    to_account=(),
    operator=(),
    quantity=(),
)
_CONTROL_ROW: Final = "\t\t\t\t0\t0\t-1\t0\t\t\\N\t\t\t\\N\t\\N\t"
"""The fields of COLUMNS before seq, for a row that is no event."""

COLUMNS: Final = (
    "tx_hash", "tx_from", "contract", "topic0", "n", "sub_index", "log_index", "revision", "standard", "token_id",
    '"from"', '"to"', "operator", "quantity", "seq",
    "partition", "network", "block_number", "block_hash", "block_time", "op", "control",
)  # fmt: skip
"""Order of the COPY text: what differs row by row, then what a stretch has in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Journal rows ``seq_from`` and on of one partition. A control row (finality, reorg) has no events."""

    partition: int
    seq_from: int
    network: str
    block: Block
    op: Op
    columns: Columns = NONE
    revision: Sequence[int] = ()
    control: Mapping[str, int] | None = None

    def __len__(self) -> int:
        return len(self.columns) if self.control is None else 1

    @property
    def seq_to(self) -> int:
        """The last seq, inclusive."""
        return self.seq_from + len(self) - 1


def copy_text(stretches: Iterable[Stretch]) -> bytes:
    """The stretches as COPY text, columns in the order of :data:`COLUMNS`. The values were checked by ``steps``."""
    return "".join(map(_copy_stretch, stretches)).encode("ascii")


def reversed_columns(columns: Columns) -> Columns:
    """The same events, last first: the order in which they are undone."""
    return Columns(**{name: tuple(reversed(getattr(columns, name))) for name in Columns.__slots__})


def month_of(time: int) -> tuple[int, int]:
    """(year, month) in UTC of unix seconds."""
    at = datetime.fromtimestamp(time, UTC)
    return at.year, at.month


def _copy_stretch(stretch: Stretch) -> str:
    block = stretch.block
    control = "\\N" if stretch.control is None else json.dumps(dict(stretch.control))
    at = datetime.fromtimestamp(block.time, UTC).isoformat()
    shared = f"\t{stretch.partition}\t{stretch.network}\t{block.number}\t{block.hash}\t{at}\t{stretch.op}\t{control}\n"
    if stretch.control is not None:
        return f"{_CONTROL_ROW}{stretch.seq_from}{shared}"
    if not len(stretch):
        return ""
    c = stretch.columns
    operators = c.operator if None not in c.operator else ["\\N" if value is None else value for value in c.operator]
    rows = zip(
        c.tx_hash,
        c.tx_from,
        c.contract,
        c.topic0,
        map(str, c.n),
        map(str, c.sub_index),
        map(str, c.log_index),
        map(str, stretch.revision),
        c.standard,
        c.token_id,
        c.from_account,
        c.to_account,
        operators,
        c.quantity,
        map(str, range(stretch.seq_from, stretch.seq_from + len(c))),
        strict=True,
    )
    return shared.join(map("\t".join, rows)) + shared
