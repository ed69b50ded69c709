"""What the resource of networks asks the database."""

from ft.api.http import head_reads
from ft.api.http.database import Connection, rows_of, snapshot
from ft.api.http.freshness import speaking
from ft.api.http.head_reads import HEADS
from ft.api.http.known_networks import NetworkRow
from ft.api.networks.rows import Networks
from ft.api.shared_reads import SharedReads


class StoredNetworks(SharedReads):
    """The configured networks."""

    async def networks_page(self, after: str, rows: int) -> Networks:
        """Configured networks behind ``after``, by slug, and how far each is read."""
        count = await self.partitions()

        async def work(conn: Connection) -> Networks:
            async with snapshot(conn):
                every = await rows_of(conn, HEADS["networks"], NetworkRow, {})
                found = [row for row in every if row.network > after][:rows]
                heads = await head_reads.heads(conn, [row.network for row in found], "ledger")
                return Networks(rows=found, heads={name: speaking(each, count) for name, each in heads.items()})

        return await self._database.read(work)
