"""What the system's own page asks the database."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from ft.api.assets.sections import Section
from ft.api.http import head_reads
from ft.api.http.database import Connection, Database, NotMigrated, row_of, rows_of, snapshot
from ft.api.http.freshness import speaking
from ft.api.http.problems import Problem
from ft.api.shared_reads import SharedReads
from ft.api.status.rows import (
    BacklogRow,
    ChainRow,
    DeploymentRow,
    FailureRow,
    FollowerRow,
    PartitionRow,
    Status,
)
from ft.sql.queries import load

STATUS: Final = load("api_status")


class Looked(Protocol):
    """Whether the database is of one deployment with Kafka and the registry, as far as that was looked at."""

    is_one: bool
    other: str | None
    registry: str | None


class StoredStatus(SharedReads):
    """The system itself."""

    def __init__(
        self,
        database: Database,
        topic_prefix: str = "",
        identity: Looked | None = None,
        sections: Sequence[Section[Any]] = (),
    ) -> None:
        """``topic_prefix``: of the deployment that this API is of; ``identity``: what looking at its Kafka told."""
        super().__init__(database, sections)
        self._topic_prefix = topic_prefix
        self._identity = identity

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
                heads = await head_reads.heads(conn, [chain.network for chain in chains], "ledger")
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
                    registry=None if self._identity is None else self._identity.registry,
                )

        return await self._database.read(work)
