"""What the resource of transfers asks the database."""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from ft.api.http import head_reads
from ft.api.http.database import Connection, row_of, rows_of, snapshot
from ft.api.http.head_reads import HEADS
from ft.api.http.heads import BlockRow
from ft.api.http.month_range import indexed_span
from ft.api.shared_reads import SharedReads
from ft.api.transfers.page_query import page_of, parameters_of
from ft.api.transfers.rows import TransferRow, Transfers, TransfersAsk

_INSTANT: Final = timedelta(microseconds=1)
"""The least that two times differ by."""
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


class StoredTransfers(SharedReads):
    """Events in force, by chain position."""

    async def transfers(self, ask: TransfersAsk) -> Transfers:
        """Live events by chain position. Raises RangeNotIndexed."""
        count = await self.partitions()

        async def work(conn: Connection) -> Transfers:
            async with snapshot(conn):
                head = await head_reads.head(conn, ask.network, ask.contract, "ledger", count)
                within = await in_blocks(conn, ask)
                if within is None:
                    return Transfers(rows=[], head=head)
                span = await indexed_span(conn, ask.network, within.block_from, within.block_to)
                query, parameters = span.of(page_of(within)), parameters_of(within)
                return Transfers(rows=await rows_of(conn, query, TransferRow, span.with_times(parameters)), head=head)

        return await self._database.read(work)


async def in_blocks(conn: Connection, ask: TransfersAsk) -> TransfersAsk | None:
    """The same with bounds in blocks where times were named; None: no block is within them."""
    low, high = ask.block_from, ask.block_to
    if ask.time_to is not None:
        last = await row_of(conn, HEADS["block_at_time"], BlockRow, {"network": ask.network, "at": ask.time_to})
        if last is None:
            return None
        high = last.number if high is None else min(high, last.number)
    if ask.time_from is not None and ask.time_from > _FIRST:  # before the first moment there is nothing to leave out
        before = ask.time_from - _INSTANT
        last = await row_of(conn, HEADS["block_at_time"], BlockRow, {"network": ask.network, "at": before})
        if last is not None:
            low = max(low or 0, last.number + 1)
    return replace(ask, block_from=low, block_to=high)
