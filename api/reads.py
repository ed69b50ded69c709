"""What the API asks the database: one typed method an answer, each of one snapshot."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ft.api.database import Connection, Database, NotMigrated, row_of, rows_of, snapshot, value_of
from ft.api.found import (
    END,
    NEWEST,
    NOTHING,
    OLDEST,
    Assets,
    Collection,
    CollectionOwners,
    Holders,
    HoldingKey,
    OwnerAssets,
    RangeNotIndexed,
    Status,
    Transfers,
    TransfersAsk,
)
from ft.api.freshness import speaking
from ft.api.indexed import Span, indexed_span
from ft.api.rows import (
    AssetRow,
    BacklogRow,
    BlockRow,
    ChainRow,
    CollectionRow,
    HeadRow,
    HeldCountersRow,
    HolderRow,
    HoldingRow,
    NetworkRow,
    OwnerRow,
    PartitionRow,
    TransferRow,
)
from ft.schemas import ids
from ft.schemas.ids import AssetKey
from ft.schemas.standards import HOLDING
from ft.sql.queries import load

FACTS: Final = load("api_facts")
LISTS: Final = load("api_lists")
TRANSFERS: Final = load("api_transfers")
STATUS: Final = load("api_status")


class Reads:
    """Every read of the API. All methods raise DatabaseUnavailable or DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions: int | None = None

    async def partitions(self) -> int:
        """How many partitions the ledger has; asked once, it never changes."""
        if self._partitions is None:
            found = await self._database.read(lambda conn: value_of(conn, FACTS["partitions"], {}))
            if found is None:
                raise NotMigrated("projection.settings has no number of partitions. Run `ft migrate`.")
            self._partitions = int(found)
        return self._partitions

    async def networks(self) -> list[NetworkRow]:
        return await self._database.read(lambda conn: rows_of(conn, FACTS["networks"], NetworkRow, {}))

    async def head(self, network: str, contract: str | None, consumer: str) -> HeadRow | None:
        """Of the partition that holds ``contract``; without one, of the partition furthest behind."""
        count = await self.partitions()
        return await self._database.read(lambda conn: _head(conn, network, contract, consumer, count))

    # assets

    async def asset_by_uuid(self, uuid: UUID) -> AssetKey | None:
        async def work(conn: Connection) -> AssetKey | None:
            async with conn.cursor() as cursor:
                await cursor.execute(FACTS["asset_by_uuid"].encode(), {"uuid": uuid})
                row = await cursor.fetchone()
            return None if row is None else AssetKey(network=row[0], contract=row[1], token_id=row[2])

        return await self._database.read(work)

    async def asset(self, key: AssetKey) -> AssetRow | None:
        """The asset, or None if no event of it is in force."""
        count = await self.partitions()

        async def held(conn: Connection) -> AssetRow:
            return (await _assets(conn, [key], count))[0]

        async def unheld(conn: Connection) -> AssetRow | None:
            async with snapshot(conn):
                row = await held(conn)
                return row if row.owners or await _is_live(conn, key, row) else None

        row = await self._database.read(held)
        return row if row.owners else await self._database.read(unheld)

    async def asset_version(self, key: AssetKey) -> str:
        """What moves with whatever can change the asset's answer; for less than the answer costs."""
        count = await self.partitions()
        parameters = {
            "network": key.network,
            "contract": key.contract,
            "partition": _partition(key.network, key.contract, count),
        }
        return str(await self._database.read(lambda conn: value_of(conn, FACTS["asset_version"], parameters)))

    async def asset_owners(self, key: AssetKey, after: str | None, rows: int) -> Holders | None:
        """Holders of now, or None if no event of the asset is in force."""
        count = await self.partitions()

        async def work(conn: Connection) -> Holders | None:
            async with snapshot(conn):
                parameters = {**_key(key), "after": after, "rows": rows}
                found = await rows_of(conn, LISTS["asset_owners"], HolderRow, parameters)
                if not found and after is None and not await _is_known(conn, key, count):
                    return None
                return Holders(rows=found, head=await _head(conn, key.network, key.contract, "ledger", count))

        return await self._database.read(work)

    async def asset_owners_at(self, key: AssetKey, at: int | datetime, after: str | None, rows: int) -> Holders | None:
        """Holders once block ``at`` was applied (a time: the last block not later), out of the journal.

        Raises RangeNotIndexed.
        """
        count = await self.partitions()

        async def work(conn: Connection) -> Holders | None:
            async with snapshot(conn):
                head = await _head(conn, key.network, key.contract, "ledger", count)
                number, block, reached = await _resolve(conn, key.network, at, head)
                if not reached:
                    return Holders(rows=[], head=head, at=number, block=block, reached=False)
                span = await indexed_span(conn, key.network, None, number)
                asset = (await _assets(conn, [key], count))[0]
                if not asset.owners and not await _is_live(conn, key, asset):
                    return None
                found = await _holders_at(conn, span, key, asset.standard, number, after, rows)
                complete = asset.integrity in ("proven", "unproven")
                return Holders(rows=found, head=head, at=number, block=block, complete=complete)

        return await self._database.read(work)

    # collections

    async def collection(self, network: str, contract: str) -> Collection | None:
        """The collection, or None if nothing of it is in force."""
        count = await self.partitions()
        parameters = {"network": network, "contract": contract, "partition": _partition(network, contract, count)}

        async def work(conn: Connection) -> Collection | None:
            async with snapshot(conn):
                row = await row_of(conn, FACTS["collection"], CollectionRow, parameters)
                assert row is not None
                if (row.transfers or 0) + (row.mints or 0) + (row.burns or 0) > 0:
                    return Collection(row=row, held=None)
                if not row.held:
                    return None
                held = await row_of(conn, FACTS["collection_from_holdings"], HeldCountersRow, parameters)
                return Collection(row=row, held=held)

        return await self._database.read(work)

    async def collection_assets(self, network: str, contract: str, after: str, rows: int) -> Assets | None:
        """Assets that somebody holds, by token id; None if nothing of the collection is in force."""
        count = await self.partitions()
        parameters = {"network": network, "contract": contract, "after": after, "rows": rows}

        async def work(conn: Connection) -> Assets | None:
            async with snapshot(conn):
                tokens = await _column(conn, LISTS["collection_tokens"], parameters)
                if not tokens and not await value_of(conn, LISTS["collection_is_known"], parameters):
                    return None
                keys = [AssetKey(network=network, contract=contract, token_id=token) for token in tokens[: rows - 1]]
                return Assets(
                    rows=await _assets(conn, keys, count),
                    head=await _head(conn, network, contract, "ledger", count),
                    more=len(tokens) == rows,
                )

        return await self._database.read(work)

    async def collection_owners(self, network: str, contract: str, after: str, rows: int) -> CollectionOwners | None:
        """Accounts with what they hold of a collection; None if nothing of it is in force."""
        count = await self.partitions()
        parameters = {"network": network, "contract": contract, "after": after, "rows": rows}

        async def work(conn: Connection) -> CollectionOwners | None:
            async with snapshot(conn):
                found = await rows_of(conn, LISTS["collection_owners"], OwnerRow, parameters)
                if not found and not await value_of(conn, LISTS["collection_is_known"], parameters):
                    return None
                return CollectionOwners(rows=found, head=await _head(conn, network, contract, "ledger", count))

        return await self._database.read(work)

    # accounts and flows

    async def owner_assets(
        self, account: str, networks: Sequence[str], after: HoldingKey | None, rows: int
    ) -> OwnerAssets:
        """What ``account`` holds on ``networks``, in that order, then by contract and token id."""
        count = await self.partitions()
        left = [name for name in networks if after is None or name >= after.network]
        behind = [after if after is not None and name == after.network else NOTHING for name in left]
        parameters = {
            "networks": left,
            "contracts": [key.contract for key in behind],
            "token_ids": [key.token_id for key in behind],
            "account": account,
            "rows": rows,
        }

        async def work(conn: Connection) -> OwnerAssets:
            async with snapshot(conn):
                found = await rows_of(conn, LISTS["owner_holdings"], HoldingRow, parameters)
                shown = found[: rows - 1]
                keys = [AssetKey(network=row.network, contract=row.contract, token_id=row.token_id) for row in shown]
                heads = await _heads(conn, networks, "ledger")
                return OwnerAssets(
                    holdings=shown,
                    assets=await _assets(conn, keys, count),
                    heads={name: speaking(of_network, count) for name, of_network in heads.items()},
                    more=len(found) == rows,
                )

        return await self._database.read(work)

    async def transfers(self, ask: TransfersAsk) -> Transfers:
        """Live events by chain position. Raises RangeNotIndexed."""
        count = await self.partitions()

        async def work(conn: Connection) -> Transfers:
            async with snapshot(conn):
                span = await indexed_span(conn, ask.network, ask.block_from, ask.block_to)
                query, parameters = span.of(TRANSFERS[_transfers_query(ask)]), _transfers_parameters(ask)
                found = await rows_of(conn, query, TransferRow, span.with_times(parameters))
                return Transfers(rows=found, head=await _head(conn, ask.network, ask.contract, "ledger", count))

        return await self._database.read(work)

    async def asset_is_known(self, key: AssetKey) -> bool:
        """Whether an event of the asset is in force."""
        count = await self.partitions()
        return await self._database.read(lambda conn: _is_known(conn, key, count))

    # the system itself

    async def status(self) -> Status:
        count = await self.partitions()

        async def work(conn: Connection) -> Status:
            async with snapshot(conn):
                chains = await rows_of(conn, STATUS["chain_heads"], ChainRow, {})
                partitions = await rows_of(conn, STATUS["partition_heads"], PartitionRow, {})
                backlog = await row_of(conn, STATUS["backlog"], BacklogRow, {})
                heads = await _heads(conn, [chain.network for chain in chains], "ledger")
                assert backlog is not None
                spoken = [speaking(of_network, count) for of_network in heads.values()]
                return Status(
                    chains=chains, partitions=partitions, backlog=backlog, heads=[each for each in spoken if each]
                )

        return await self._database.read(work)


def _key(key: AssetKey) -> dict[str, Any]:
    return {"network": key.network, "contract": key.contract, "token_id": key.token_id}


def _partition(network: str, contract: str, count: int) -> int:
    return ids.partition_of(f"{network}:{contract}", count)


async def _assets(conn: Connection, keys: Sequence[AssetKey], count: int) -> list[AssetRow]:
    if not keys:
        return []
    parameters = {
        "networks": [key.network for key in keys],
        "contracts": [key.contract for key in keys],
        "token_ids": [key.token_id for key in keys],
        "partitions": [_partition(key.network, key.contract, count) for key in keys],
    }
    return await rows_of(conn, FACTS["assets"], AssetRow, parameters)


async def _head(conn: Connection, network: str, contract: str | None, consumer: str, count: int) -> HeadRow | None:
    if contract is None:
        return speaking((await _heads(conn, [network], consumer))[network], count)
    parameters = {"consumer": consumer, "network": network, "partition": _partition(network, contract, count)}
    return await row_of(conn, FACTS["head"], HeadRow, parameters)


async def _heads(conn: Connection, networks: Sequence[str], consumer: str) -> dict[str, list[HeadRow]]:
    found = await rows_of(conn, FACTS["heads"], HeadRow, {"consumer": consumer, "networks": list(networks)})
    return {name: [row for row in found if row.network == name] for name in networks}


async def _is_known(conn: Connection, key: AssetKey, count: int) -> bool:
    row = (await _assets(conn, [key], count))[0]
    return bool(row.owners) or await _is_live(conn, key, row)


async def _is_live(conn: Connection, key: AssetKey, row: AssetRow) -> bool:
    if row.transfers > 0:
        return True
    try:
        await indexed_span(conn, key.network, None, None)
    except RangeNotIndexed:
        return False  # the journal cannot be asked now; the card, which knows of none, has to do
    return bool(await value_of(conn, FACTS["asset_is_live"], _key(key)))


async def _resolve(
    conn: Connection, network: str, at: int | datetime, head: HeadRow | None
) -> tuple[int, BlockRow | None, bool]:
    """The block that ``at`` means: its number, the block if it was read, and whether the partition is there."""
    if isinstance(at, int):
        block = await row_of(conn, LISTS["block_at"], BlockRow, {"network": network, "number": at})
        return at, block, head is not None and at <= head.head_number
    block = await row_of(conn, LISTS["block_at_time"], BlockRow, {"network": network, "at": at})
    reached = head is not None and head.head_time is not None and at <= head.head_time
    return (block.number if block else -1), block, reached


async def _holders_at(
    conn: Connection, span: Span, key: AssetKey, standard: str | None, number: int, after: str | None, rows: int
) -> list[HolderRow]:
    asked = {**_key(key), "number": number, "after": after, "rows": rows, "nobody": list(ids.NO_ACCOUNTS)}
    parameters = span.with_times(asked)
    if HOLDING.get(standard or "", "single") == "multi":
        return await rows_of(conn, span.of(LISTS["holders_at"]), HolderRow, parameters)
    found = await rows_of(conn, span.of(LISTS["holder_at"]), HolderRow, parameters)
    return [row for row in found if after is None and row.account not in ids.NO_ACCOUNTS]


async def _column(conn: Connection, query: str, parameters: Mapping[str, Any]) -> list[Any]:
    async with conn.cursor() as cursor:
        await cursor.execute(query.encode(), parameters)
        return [row[0] for row in await cursor.fetchall()]


def _transfers_query(ask: TransfersAsk) -> str:
    """By the narrowest index: an account's, an asset's, a contract's, else the network's blocks."""
    direction = "newest" if ask.newest_first else "oldest"
    if ask.account is not None:
        return f"account_{direction}"
    if ask.token_id is not None:
        return f"asset_{direction}"
    return f"contract_{direction}" if ask.contract is not None else f"network_{direction}"


def _transfers_parameters(ask: TransfersAsk) -> dict[str, Any]:
    key = ask.after or (NEWEST if ask.newest_first else OLDEST)
    low, high = ask.block_from or 0, END if ask.block_to is None else ask.block_to
    if ask.newest_first:
        high = min(high, key.block_number)  # implied by the key, but this the planner looks up in the index
    else:
        low = max(low, key.block_number)
    return {
        **key._asdict(),
        "network": ask.network,
        "contract": ask.contract,
        "token_id": ask.token_id,
        "account": ask.account,
        "block_from": low,
        "block_to": high,
        "rows": ask.rows,
    }
