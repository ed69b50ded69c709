"""What the resource of collections asks the database: one typed method an answer, each of one snapshot."""

from ft.api.assets.lookups import assets
from ft.api.assets.rows import Assets
from ft.api.collections import lookups
from ft.api.collections.lookups import COLLECTIONS
from ft.api.collections.rows import (
    Collection,
    CollectionKey,
    CollectionOwners,
    Collections,
    HeldCountersRow,
    ListedRow,
    OwnerRow,
)
from ft.api.http import head_reads
from ft.api.http.cursors import END
from ft.api.http.database import Connection, column, row_of, rows_of, snapshot
from ft.api.integrity.standing import is_level
from ft.api.shared_reads import SharedReads
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import AssetKey


class StoredCollections(SharedReads):
    """Of one collection, and lists of them."""

    async def collection(self, network: str, contract: str) -> Collection | None:
        """The collection, or None if nothing of it is in force."""
        count = await self.partitions()

        async def work(conn: Connection) -> Collection | None:
            async with snapshot(conn):
                row = await lookups.known_collection(conn, network, contract, count)
                if row is None or lookups.events_of(row) > 0 or (row.transfers is not None and is_level(row)):
                    return None if row is None else Collection(row=row, held=None)
                parameters = {"network": network, "contract": contract}
                held = await row_of(conn, COLLECTIONS["collection_from_holdings"], HeldCountersRow, parameters)
                return Collection(row=row, held=held)

        return await self._database.read(work)

    async def collections(self, network: str, sort: str, after: CollectionKey | None, rows: int) -> Collections:
        """Collections of a network of which ``project`` has counted an event in force, by ``sort``."""
        count = await self.partitions()
        query = COLLECTIONS[f"collections_by_{sort}"]
        last = after or CollectionKey(END, "")
        parameters = {"network": network, "value": last.value, "contract": last.contract, "rows": rows}

        async def work(conn: Connection) -> Collections:
            async with snapshot(conn):
                listed = await rows_of(conn, query, ListedRow, parameters)
                shown = listed[: rows - 1]
                found = await lookups.collections(conn, network, [row.contract for row in shown], count)
                return Collections(
                    rows=found,
                    last=CollectionKey(shown[-1].value, shown[-1].contract) if shown else None,
                    head=await head_reads.head(conn, network, None, "ledger", count),
                    more=len(listed) == rows,
                )

        return await self._database.read(work)

    async def collection_assets(self, network: str, contract: str, after: str, rows: int) -> Assets | None:
        """Assets that somebody holds, by token id; None if nothing of the collection is in force."""
        count = await self.partitions()
        parameters = {"network": network, "contract": contract, "after": after, "rows": rows}

        async def work(conn: Connection) -> Assets | None:
            async with snapshot(conn):
                tokens = await column(conn, COLLECTIONS["collection_tokens"], parameters)
                if not tokens and not await lookups.known_collection(conn, network, contract, count):
                    return None
                keys = [AssetKey(network=network, contract=contract, token_id=token) for token in tokens[: rows - 1]]
                return Assets(
                    rows=await assets(conn, keys, count, self._sections),
                    head=await head_reads.head(conn, network, contract, "ledger", count),
                    more=len(tokens) == rows,
                )

        return await self._database.read(work)

    async def collection_owners(self, network: str, contract: str, after: str, rows: int) -> CollectionOwners | None:
        """Accounts with what they hold of a collection; None if nothing of it is in force."""
        count = await self.partitions()
        # What was burned is with the zero address, which sorts before every account: it is stepped over.
        behind = max(after, EVM_ZERO) if contract.startswith("0x") else after
        parameters = {"network": network, "contract": contract, "after": behind, "rows": rows}

        async def work(conn: Connection) -> CollectionOwners | None:
            async with snapshot(conn):
                found = await rows_of(conn, COLLECTIONS["collection_owners"], OwnerRow, parameters)
                if not found and not await lookups.known_collection(conn, network, contract, count):
                    return None
                head = await head_reads.head(conn, network, contract, "ledger", count)
                debits = await lookups.debits(conn, network, contract, found, head)
                return CollectionOwners(rows=found, head=head, debits=debits)

        return await self._database.read(work)
