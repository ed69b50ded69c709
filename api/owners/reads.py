"""What the resource of accounts asks the database."""

from collections.abc import Sequence
from typing import Final

from ft.api.assets import lookups
from ft.api.http import head_reads
from ft.api.http.database import Connection, rows_of, snapshot
from ft.api.owners.rows import NOTHING, HoldingKey, HoldingRow, OwnerAssets
from ft.api.shared_reads import SharedReads
from ft.schemas.ids import AssetKey
from ft.sql.queries import load

OWNERS: Final = load("api_owners")


class StoredHoldings(SharedReads):
    """Of one account."""

    async def owner_assets(
        self, account: str, networks: Sequence[str], contract: str | None, after: HoldingKey | None, rows: int
    ) -> OwnerAssets:
        """What ``account`` holds on ``networks``, in that order, then by contract and token id; of one contract."""
        count = await self.partitions()
        left = [name for name in networks if after is None or name >= after.network]
        behind = [after if after is not None and name == after.network else NOTHING for name in left]
        parameters = {
            "networks": left,
            "contracts": [key.contract for key in behind],
            "token_ids": [key.token_id for key in behind],
            "account": account,
            "contract": contract,
            "rows": rows,
        }

        async def work(conn: Connection) -> OwnerAssets:
            async with snapshot(conn):
                found = await rows_of(conn, OWNERS["owner_holdings"], HoldingRow, parameters)
                shown = found[: rows - 1]
                keys = [AssetKey(network=row.network, contract=row.contract, token_id=row.token_id) for row in shown]
                return OwnerAssets(
                    holdings=shown,
                    assets=await lookups.assets(conn, keys, count, self._sections),
                    heads={name: await head_reads.head(conn, name, contract, "ledger", count) for name in networks},
                    more=len(found) == rows,
                )

        return await self._database.read(work)
