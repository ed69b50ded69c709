"""What every resource asks the database, and the connection that all share."""

import time
from collections.abc import Sequence
from typing import Any, Final

from ft.api.assets.sections import Section
from ft.api.http import head_reads
from ft.api.http.database import Database, NotMigrated, rows_of, value_of
from ft.api.http.head_reads import HEADS
from ft.api.http.heads import HeadRow
from ft.api.http.known_networks import NetworkRow

_NETWORKS_ANEW_S: Final = 1.0


class SharedReads:
    """A resource's reads are a subclass. All methods raise DatabaseUnavailable or DatabaseError."""

    def __init__(self, database: Database, sections: Sequence[Section[Any]] = ()) -> None:
        """``sections``: what domains know of an asset, wherever one is shown."""
        self._database = database
        self._sections = sections
        self._partitions: int | None = None
        self._networks: tuple[str, ...] = ()
        self._networks_at = -_NETWORKS_ANEW_S

    async def partitions(self) -> int:
        """How many partitions the ledger has; asked once, it never changes."""
        if self._partitions is None:
            found = await self._database.read(lambda conn: value_of(conn, HEADS["partitions"], {}))
            if found is None:
                raise NotMigrated("projection.settings has no number of partitions. Run `ft migrate`.")
            self._partitions = int(found)
        return self._partitions

    async def networks(self) -> list[NetworkRow]:
        return await self._database.read(lambda conn: rows_of(conn, HEADS["networks"], NetworkRow, {}))

    async def network_names(self, sought: str) -> Sequence[str]:
        """Every configured network; asked anew where ``sought`` is none that was seen before, once a second at most."""
        if sought not in self._networks and time.monotonic() - self._networks_at >= _NETWORKS_ANEW_S:
            self._networks = tuple(row.network for row in await self.networks())
            self._networks_at = time.monotonic()
        return self._networks

    async def head(self, network: str, contract: str | None, consumer: str) -> HeadRow | None:
        """Of the partition that holds ``contract``; without one, of the partition furthest behind."""
        count = await self.partitions()
        return await self._database.read(lambda conn: head_reads.head(conn, network, contract, consumer, count))
