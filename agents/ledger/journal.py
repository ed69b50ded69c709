"""Pure: stretches of the journal, and the COPY text that appends them.

A stretch is what one block says to one partition: rows that follow each other, all of one block and one op.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from ft.agents.ledger.validated_input import Block, Columns

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
BALANCES_COUNT: Final = "balances"
"""In place of a holder: nobody holds the token alone any more, its balances count."""
_CONTROL_ROW: Final = "\t\t\t\t0\t0\t-1\t0\t\t\\N\t\t\t\\N\t\\N\t"
"""The fields of COLUMNS before seq, for a row that is no event."""
_NULL: Final = "\\N"

COLUMNS: Final = (
    "tx_hash", "tx_from", "contract", "topic0", "n", "sub_index", "log_index", "revision", "standard", "token_id",
    '"from"', '"to"', "operator", "quantity", "seq",
    "partition", "network", "block_number", "block_hash", "block_time", "op", "control",
)  # fmt: skip
"""Order of the COPY text: what differs row by row, then what a stretch has in common."""
LED_COLUMNS: Final = (*COLUMNS, "holder", "holder_before", "holder_block", "holder_time", "block_end", "echo")
"""The same for stretches of which some row does not say itself what it led to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """What a row led to. None: what the row itself says, see the columns of ``ledger.events``."""

    holder: str | None = None
    """Who holds the token after it; BALANCES_COUNT: nobody alone, as an event of a single standard fell."""
    holder_before: str | None = None
    """Who held it before."""
    holder_block: int | None = None
    """Block number of the event that the holding stands on; -1: none, it is implicit."""
    holder_time: int | None = None
    """Its time, unix seconds; 0: none."""
    block_end: bool | None = None
    """True: the last row of its block that is announced, though others follow."""


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
    led: Mapping[int, Led] = field(default_factory=dict)
    """Row -> what it led to, where the row does not say so."""
    ends: bool = True
    """Whether its last row is the last of its block in the partition; False of a piece that was read back."""

    def __len__(self) -> int:
        return len(self.columns) if self.control is None else 1

    @property
    def seq_to(self) -> int:
        """The last seq, inclusive."""
        return self.seq_from + len(self) - 1


def copy_text(stretches: Iterable[Stretch]) -> tuple[bytes, bytes]:
    """The stretches as COPY text: those that say all themselves in the order of :data:`COLUMNS`, then the others in
    that of :data:`LED_COLUMNS`. The values were checked by ``steps``."""
    plain: list[str] = []
    led: list[str] = []
    for stretch in stretches:
        if stretch.led or stretch.columns.echo:
            led += _led_lines(stretch)
        else:
            plain.append(_copy_stretch(stretch))
    return "".join(plain).encode("ascii"), "".join(led).encode("ascii")


def last_announced(stretch: Stretch) -> int:
    """The last of the stretch's rows that is announced; -1 where none is: echoes are not."""
    echo = stretch.columns.echo
    return max((row for row, is_echo in enumerate(echo) if not is_echo), default=-1) if echo else len(stretch) - 1


def reversed_columns(columns: Columns) -> Columns:
    """The same events, last first: the order in which they are undone."""
    return Columns(**{name: tuple(reversed(getattr(columns, name))) for name in Columns.__slots__})


def _led_lines(stretch: Stretch) -> Iterator[str]:
    """The lines of :func:`_copy_stretch` with what each row led to behind them."""
    echo, last, nothing = stretch.columns.echo, last_announced(stretch), Led()
    for row, line in enumerate(_copy_stretch(stretch).splitlines()):
        led = stretch.led.get(row, nothing)
        ends = led.block_end or (row == last and row < len(stretch) - 1 and stretch.ends)
        values = (led.holder, led.holder_before, led.holder_block, led.holder_time, "t" if ends else None)
        told = "\t".join(_NULL if value is None else str(value) for value in values)
        yield f"{line}\t{told}\t{'t' if echo and echo[row] else 'f'}\n"


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
