"""What the API asks the database: one typed method an answer, each of one snapshot."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from ft.api import lookups
from ft.api.database import Connection, Database, NotMigrated, row_of, rows_of, snapshot, value_of
from ft.api.found import (
    END,
    NOTHING,
    Assets,
    Collection,
    CollectionKey,
    CollectionOwners,
    Collections,
    Holders,
    HoldingKey,
    Networks,
    OwnerAssets,
    Status,
    Transfers,
    TransfersAsk,
)
from ft.api.freshness import speaking
from ft.api.indexed import indexed_span
from ft.api.integrity import judge
from ft.api.lookups import FACTS, LISTS
from ft.api.narrowed import page_of, parameters_of
from ft.api.problems import Problem
from ft.api.rows import (
    AssetRow,
    BacklogRow,
    ChainRow,
    DeploymentRow,
    FailureRow,
    FollowerRow,
    HeadRow,
    HeldCountersRow,
    HolderRow,
    HoldingRow,
    ListedRow,
    NetworkRow,
    OwnerRow,
    PartitionRow,
    TransferRow,
)
from ft.api.standing import is_level
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import AssetKey
from ft.sql.queries import load

STATUS: Final = load("api_status")
_NETWORKS_ANEW_S: Final = 1.0


class Looked(Protocol):
    """Whether the database is of one deployment with Kafka and the registry, as far as that was looked at."""

    is_one: bool
    other: str | None


class Reads:
    """Every read of the API. All methods raise DatabaseUnavailable or DatabaseError."""

    def __init__(self, database: Database, topic_prefix: str = "", identity: Looked | None = None) -> None:
        """``topic_prefix``: of the deployment that this API is of; ``identity``: what looking at its Kafka told."""
        self._database = database
        self._topic_prefix = topic_prefix
        self._identity = identity
        self._partitions: int | None = None
        self._networks: tuple[str, ...] = ()
        self._networks_at = -_NETWORKS_ANEW_S

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

    async def networks_page(self, after: str, rows: int) -> Networks:
        """Configured networks behind ``after``, by slug, and how far each is read."""
        count = await self.partitions()

        async def work(conn: Connection) -> Networks:
            async with snapshot(conn):
                every = await rows_of(conn, FACTS["networks"], NetworkRow, {})
                found = [row for row in every if row.network > after][:rows]
                heads = await lookups.heads(conn, [row.network for row in found], "ledger")
                return Networks(rows=found, heads={name: speaking(each, count) for name, each in heads.items()})

        return await self._database.read(work)

    async def network_names(self, sought: str) -> Sequence[str]:
        """Every configured network; asked anew where ``sought`` is none that was seen before, once a second at most."""
        if sought not in self._networks and time.monotonic() - self._networks_at >= _NETWORKS_ANEW_S:
            self._networks = tuple(row.network for row in await self.networks())
            self._networks_at = time.monotonic()
        return self._networks

    async def head(self, network: str, contract: str | None, consumer: str) -> HeadRow | None:
        """Of the partition that holds ``contract``; without one, of the partition furthest behind."""
        count = await self.partitions()
        return await self._database.read(lambda conn: lookups.head(conn, network, contract, consumer, count))

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
            return (await lookups.assets(conn, [key], count))[0]

        async def unheld(conn: Connection) -> AssetRow | None:
            async with snapshot(conn):
                row = await held(conn)
                return row if row.owners or await lookups.is_live(conn, key, row) else None

        row = await self._database.read(held)
        return row if row.owners else await self._database.read(unheld)

    async def asset_version(self, key: AssetKey) -> str:
        """What moves with whatever can change the asset's answer; for less than the answer costs."""
        count = await self.partitions()
        parameters = {**lookups.key_of(key), "partition": lookups.partition(key.network, key.contract, count)}
        return str(await self._database.read(lambda conn: value_of(conn, FACTS["asset_version"], parameters)))

    async def asset_owners(self, key: AssetKey, after: str | None, rows: int) -> Holders | None:
        """Holders of now, or None if no event of the asset is in force."""
        count = await self.partitions()

        async def work(conn: Connection) -> Holders | None:
            async with snapshot(conn):
                parameters = {**lookups.key_of(key), "after": after, "rows": rows}
                found = await rows_of(conn, LISTS["asset_owners"], HolderRow, parameters)
                if not found and after is None and not await lookups.is_known(conn, key, count):
                    return None
                return Holders(rows=found, head=await lookups.head(conn, key.network, key.contract, "ledger", count))

        return await self._database.read(work)

    async def asset_owners_at(self, key: AssetKey, at: int | datetime, after: str | None, rows: int) -> Holders | None:
        """Holders once block ``at`` was applied (a time: the last block not later), out of the journal.

        Raises RangeNotIndexed.
        """
        count = await self.partitions()

        async def work(conn: Connection) -> Holders | None:
            async with snapshot(conn):
                head = await lookups.head(conn, key.network, key.contract, "ledger", count)
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

    # collections

    async def collection(self, network: str, contract: str) -> Collection | None:
        """The collection, or None if nothing of it is in force."""
        count = await self.partitions()

        async def work(conn: Connection) -> Collection | None:
            async with snapshot(conn):
                row = await lookups.known_collection(conn, network, contract, count)
                if row is None or lookups.events_of(row) > 0 or (row.transfers is not None and is_level(row)):
                    return None if row is None else Collection(row=row, held=None)
                parameters = {"network": network, "contract": contract}
                held = await row_of(conn, FACTS["collection_from_holdings"], HeldCountersRow, parameters)
                return Collection(row=row, held=held)

        return await self._database.read(work)

    async def collections(self, network: str, sort: str, after: CollectionKey | None, rows: int) -> Collections:
        """Collections of a network of which ``project`` has counted an event in force, by ``sort``."""
        count = await self.partitions()
        query = LISTS[f"collections_by_{sort}"]
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
                    head=await lookups.head(conn, network, None, "ledger", count),
                    more=len(listed) == rows,
                )

        return await self._database.read(work)

    async def collection_assets(self, network: str, contract: str, after: str, rows: int) -> Assets | None:
        """Assets that somebody holds, by token id; None if nothing of the collection is in force."""
        count = await self.partitions()
        parameters = {"network": network, "contract": contract, "after": after, "rows": rows}

        async def work(conn: Connection) -> Assets | None:
            async with snapshot(conn):
                tokens = await lookups.column(conn, LISTS["collection_tokens"], parameters)
                if not tokens and not await lookups.known_collection(conn, network, contract, count):
                    return None
                keys = [AssetKey(network=network, contract=contract, token_id=token) for token in tokens[: rows - 1]]
                return Assets(
                    rows=await lookups.assets(conn, keys, count),
                    head=await lookups.head(conn, network, contract, "ledger", count),
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
                found = await rows_of(conn, LISTS["collection_owners"], OwnerRow, parameters)
                if not found and not await lookups.known_collection(conn, network, contract, count):
                    return None
                head = await lookups.head(conn, network, contract, "ledger", count)
                debits = await lookups.debits(conn, network, contract, found, head)
                return CollectionOwners(rows=found, head=head, debits=debits)

        return await self._database.read(work)

    # accounts and flows

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
                found = await rows_of(conn, LISTS["owner_holdings"], HoldingRow, parameters)
                shown = found[: rows - 1]
                keys = [AssetKey(network=row.network, contract=row.contract, token_id=row.token_id) for row in shown]
                return OwnerAssets(
                    holdings=shown,
                    assets=await lookups.assets(conn, keys, count),
                    heads={name: await lookups.head(conn, name, contract, "ledger", count) for name in networks},
                    more=len(found) == rows,
                )

        return await self._database.read(work)

    async def transfers(self, ask: TransfersAsk) -> Transfers:
        """Live events by chain position. Raises RangeNotIndexed."""
        count = await self.partitions()

        async def work(conn: Connection) -> Transfers:
            async with snapshot(conn):
                head = await lookups.head(conn, ask.network, ask.contract, "ledger", count)
                within = await lookups.in_blocks(conn, ask)
                if within is None:
                    return Transfers(rows=[], head=head)
                span = await indexed_span(conn, ask.network, within.block_from, within.block_to)
                query, parameters = span.of(page_of(within)), parameters_of(within)
                return Transfers(rows=await rows_of(conn, query, TransferRow, span.with_times(parameters)), head=head)

        return await self._database.read(work)

    async def asset_is_known(self, key: AssetKey) -> bool:
        """Whether an event of the asset is in force."""
        count = await self.partitions()
        return await self._database.read(lambda conn: lookups.is_known(conn, key, count))

    # the system itself

    def _other(self, found: DeploymentRow | None) -> str | None:
        """Why a database is not to be served; None: it is ours and whole, or its deployment has no name yet."""
        if found is not None and found.unfinished is not None:
            return f"the database is amid a restore that was not ended: `{found.unfinished}` goes on with it"
        prefix = None if found is None else found.topic_prefix
        if prefix is None or prefix == self._topic_prefix:
            return None
        return (
            f"the API expected a database of the deployment with topic prefix {self._topic_prefix!r} "
            f"(FT_TOPIC_PREFIX), got one with {prefix!r}"
        )

    async def status(self) -> Status:
        """Raises Problem where the database is empty, and Kafka's topics are those of another one."""
        try:
            return await self._status()
        except NotMigrated:
            if self._identity is not None and self._identity.other is not None:
                raise Problem(503, "other_deployment", self._identity.other) from None
            raise

    async def _status(self) -> Status:
        count = await self.partitions()

        async def work(conn: Connection) -> Status:
            async with snapshot(conn):
                chains = await rows_of(conn, STATUS["chain_heads"], ChainRow, {})
                partitions = await rows_of(conn, STATUS["partition_heads"], PartitionRow, {})
                backlog = await row_of(conn, STATUS["backlog"], BacklogRow, {})
                followers = await rows_of(conn, STATUS["followers"], FollowerRow, {})
                failures = await rows_of(conn, STATUS["failures"], FailureRow, {})
                heads = await lookups.heads(conn, [chain.network for chain in chains], "ledger")
                named = await row_of(conn, STATUS["deployment"], DeploymentRow, {})
                assert backlog is not None
                spoken = [speaking(of_network, count) for of_network in heads.values()]
                return Status(
                    chains=chains,
                    partitions=partitions,
                    backlog=backlog,
                    heads=[each for each in spoken if each],
                    followers=followers,
                    failures=failures,
                    other=self._other(named) or (self._identity.other if self._identity else None),
                    is_one=self._identity is not None and self._identity.is_one,
                )

        return await self._database.read(work)
