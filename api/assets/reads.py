"""What the resource of assets asks the database: one typed method an answer, each of one snapshot."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from ft.api.assets import lookups
from ft.api.assets.lookups import ASSETS
from ft.api.assets.rows import AssetRow, HolderRow, Holders
from ft.api.assets.sections import versions_of
from ft.api.http import head_reads
from ft.api.http.database import Connection, rows_of, snapshot, value_of
from ft.api.http.month_range import indexed_span
from ft.api.integrity.judging import judge
from ft.api.shared_reads import SharedReads
from ft.schemas.ids import AssetKey

T = TypeVar("T")


class StoredAssets(SharedReads):
    """Of one asset: itself, its holders of now and of the past."""

    async def asset_by_uuid(self, uuid: UUID) -> AssetKey | None:
        async def work(conn: Connection) -> AssetKey | None:
            async with conn.cursor() as cursor:
                await cursor.execute(ASSETS["asset_by_uuid"].encode(), {"uuid": uuid})
                row = await cursor.fetchone()
            return None if row is None else AssetKey(network=row[0], contract=row[1], token_id=row[2])

        return await self._database.read(work)

    async def asset(self, key: AssetKey) -> AssetRow | None:
        """The asset, or None if no event of it is in force."""
        count = await self.partitions()

        async def held(conn: Connection) -> AssetRow:
            return (await lookups.assets(conn, [key], count, self._sections))[0]

        async def unheld(conn: Connection) -> AssetRow | None:
            async with snapshot(conn):
                row = await held(conn)
                return row if row.owners or await lookups.is_live(conn, key, row) else None

        row = await self._with_sections(held)
        return row if row.owners else await self._database.read(unheld)

    async def asset_version(self, key: AssetKey) -> str:
        """What moves with whatever can change the asset's answer; for less than the answer costs."""
        count = await self.partitions()
        parameters = {**lookups.key_of(key), "partition": head_reads.partition(key.network, key.contract, count)}

        async def work(conn: Connection) -> str:
            version = await value_of(conn, ASSETS["asset_version"], parameters)
            return "-".join([str(version), *await versions_of(conn, key, self._sections)])

        return await self._with_sections(work)

    async def _with_sections(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What ``work`` reads: of one snapshot where there are sections, else it is one statement."""

        async def of_one_snapshot(conn: Connection) -> T:
            async with snapshot(conn):
                return await work(conn)

        return await self._database.read(of_one_snapshot if self._sections else work)

    async def asset_owners(self, key: AssetKey, after: str | None, rows: int) -> Holders | None:
        """Holders of now, or None if no event of the asset is in force."""
        count = await self.partitions()

        async def work(conn: Connection) -> Holders | None:
            async with snapshot(conn):
                parameters = {**lookups.key_of(key), "after": after, "rows": rows}
                found = await rows_of(conn, ASSETS["asset_owners"], HolderRow, parameters)
                if not found and after is None and not await lookups.is_known(conn, key, count):
                    return None
                return Holders(rows=found, head=await head_reads.head(conn, key.network, key.contract, "ledger", count))

        return await self._database.read(work)

    async def asset_owners_at(self, key: AssetKey, at: int | datetime, after: str | None, rows: int) -> Holders | None:
        """Holders once block ``at`` was applied (a time: the last block not later), out of the journal.

        Raises RangeNotIndexed.
        """
        count = await self.partitions()

        async def work(conn: Connection) -> Holders | None:
            async with snapshot(conn):
                head = await head_reads.head(conn, key.network, key.contract, "ledger", count)
                number, block, reached = await lookups.resolve_moment(conn, key.network, at, head)
                if not reached:
                    return Holders(rows=[], head=head, at=number, block=block, reached=False)
                span = await indexed_span(conn, key.network, None, number)
                asset = (await lookups.assets(conn, [key], count))[0]
                if not asset.owners and not await lookups.is_live(conn, key, asset):
                    return None
                found = await lookups.holders_at(conn, span, key, number, after, rows)
                complete = judge(asset)[0] in ("proven", "unproven")
                return Holders(rows=found, head=head, at=number, block=block, complete=complete)

        return await self._database.read(work)

    async def asset_is_known(self, key: AssetKey) -> bool:
        """Whether an event of the asset is in force."""
        count = await self.partitions()
        return await self._database.read(lambda conn: lookups.is_known(conn, key, count))
