"""Step 1. Old rows of the journal, of the tokens that need it -> what each led to, as the ledger writes it today.

Most rows say it themselves: they are from whoever had the token, and later than all of its events before. The others'
tokens are folded from their first row on, one token after the other, by the ledger's own rule.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from ft.agents.columns import array
from ft.agents.ledger.journal import Led, Stretch
from ft.agents.ledger.singles import Walked, fold, nullable
from ft.agents.ledger.validated_input import Block, Columns
from ft.agents.ownership import Token as LiveEvents
from ft.ops.anew.state import SQL, Connection, State, put
from ft.schemas.standards import SINGLE
from ft.sql.queries import LIVE, load

ROWS_AT_ONCE: Final = 5_000
"""Rows that are read in one go, and about as many that are written in one transaction."""
Told = Callable[[int], None]
"""Told how many rows were written now."""


class Row(NamedTuple):
    """A row of the journal that moves a single token, and what is written in it."""

    network: str
    contract: str
    token_id: str
    seq: int
    op: str
    block_number: int
    time: int
    log_index: int
    sub_index: int
    standard: str
    source: str
    target: str
    quantity: str
    holder: str | None
    holder_before: str | None
    holder_block: int | None
    holder_time: int | None

    @property
    def written(self) -> Led:
        return Led(
            holder=self.holder, holder_before=self.holder_before, holder_block=self.holder_block,
            holder_time=self.holder_time,
        )  # fmt: skip


def write_holders(reader: Connection, writer: Connection, state: State, told: Told) -> None:
    """All that is left of the partition of ``state``. ``reader``: a second connection, for what is still to come.

    A transaction ends where a token's rows end, and says so in the state.
    """
    waiting: list[tuple[Row, Led]] = []
    for token, rows in groupby(_odd_rows(reader, state), key=lambda row: row[:3]):
        waiting += differing(list(rows))
        if len(waiting) >= ROWS_AT_ONCE:
            _write(writer, state.partition, waiting, State(step="journal", partition=state.partition, after=token))
            told(len(waiting))
            waiting.clear()
    _write(writer, state.partition, waiting, State(step="journal", partition=state.partition + 1))
    told(len(waiting))


def differing(rows: Sequence[Row]) -> Iterator[tuple[Row, Led]]:
    """All rows of one token, by seq -> those in which something else is to be written than is."""
    for row, led in zip(rows, led_of(rows), strict=True):
        if led != row.written:
            yield row, led


def led_of(rows: Sequence[Row]) -> Iterable[Led]:
    """What each of a token's rows led to, where it does not say so itself."""
    nothing = Led()
    token = rows[0][:3]
    told = fold([_stretch(row) for row in rows], {token: Walked(LiveEvents())}, {token[:2]}).led
    return [told.get((at, 0), nothing) for at in range(len(rows))]


def _stretch(row: Row) -> Stretch:
    columns = Columns(
        tx_hash=("",), tx_from=("",), topic0=("",), n=(0,), operator=(None,), contract=(row.contract,),
        token_id=(row.token_id,), standard=(row.standard,), from_account=(row.source,), to_account=(row.target,),
        quantity=(row.quantity,), log_index=(row.log_index,), sub_index=(row.sub_index,),
    )  # fmt: skip
    block = Block(row.block_number, "", row.time)
    op: Any = row.op
    return Stretch(
        partition=0, seq_from=row.seq, network=row.network, block=block, op=op, columns=columns, revision=(0,)
    )


def _odd_rows(conn: Connection, state: State) -> Iterator[Row]:
    network, contract, token_id = state.after
    values = {"network": network, "contract": contract, "token_id": token_id, "single": sorted(SINGLE)}
    with conn.transaction(), conn.cursor(name="odd_rows") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(load(SQL, LIVE)["odd_rows"], {**values, "partition": state.partition})
        yield from map(Row._make, cursor)


def _write(conn: Connection, partition: int, found: Sequence[tuple[Row, Led]], after: State) -> None:
    with conn.transaction():
        if found:
            conn.execute(load(SQL, LIVE)["plan_updates"])
            conn.execute(load(SQL, LIVE)["write_led"], {
                "partition": partition,
                "seq": nullable(row.seq for row, _ in found),
                "time": nullable(row.time for row, _ in found),
                "holder": _texts(led.holder for _, led in found),
                "holder_before": _texts(led.holder_before for _, led in found),
                "holder_block": nullable(led.holder_block for _, led in found),
                "holder_time": nullable(led.holder_time for _, led in found),
            })  # fmt: skip
        put(conn, after)


def _texts(values: Iterable[str | None]) -> str:
    """An array literal; None is null."""
    return "{" + ",".join("NULL" if value is None else array([value])[1:-1] for value in values) + "}"
