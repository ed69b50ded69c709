"""Whether what is served is of one deployment with its Kafka and its registry, looked at while the API runs.

The same rule as for everything else that runs (``streams.deployment.identity``), by what the role ft_api may read. An
API that is told no Kafka goes by what workers say as they end.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import structlog
from psycopg.errors import UndefinedTable

from ft.api.http.database import Connection, Database, NotMigrated, snapshot
from ft.api.status.attention import amiss
from ft.config import Config
from ft.errors import BrokerUnavailable, ConfigError, FtError, MalformedRecord
from ft.schemas.registered import Registered
from ft.sql.queries import load
from ft.streams.deployment.comparing import Asked, Read, Stored, ask, found_by, place_of, read_of
from ft.streams.deployment.generations import Generations, Origin
from ft.streams.deployment.identity import BELIEVED, Deployment, OtherDeployment, judge
from ft.streams.deployment.schema_ids import agreement_on, registered, schema_of
from ft.streams.kafka.topics import Topics
from ft.telemetry.outage import BROKER

log = structlog.get_logger("ft.api")

LOOK_S: Final = 5.0
WHOLE_S: Final = 30.0
"""How often all is looked at; in between, whether it is the same place in the same Kafka."""
_SQL: Final = load("api_identity")
_TOLD: Final = "database, Kafka and registry are not of one deployment: `ft status` says which is likely wrong"


class Identity:
    """Looks every few seconds, as long as :meth:`run` does."""

    def __init__(self, config: Config, database: Database) -> None:
        self.is_one = False
        """Whether the last look found that all are of one deployment."""
        self.other: str | None = None
        """Why what is served may not be; for everybody, so it names no server."""
        self.registry: str | None = None
        """What the last look found amiss with the registry; for everybody too."""
        self._config = config
        self._database = database
        self._wrong = 0
        self._seen: object = None
        self._whole_at = 0.0
        """When all is looked at again, by the monotonic clock."""

    async def run(self) -> None:
        """Look on and on. Returns at once where no Kafka is named."""
        try:
            self._config.kafka  # noqa: B018 - whether one is named
        except ConfigError:
            return
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Once. Servers that do not answer say nothing."""
        try:
            row = await self._named()
            if row is None:
                return
            read = read_of(self._config, await self._database.read(lambda conn: _rows(conn, "topics_read")))
            topics = {topic for topic, _ in read}
            place = row, read, await asyncio.to_thread(place_of, self._config, topics)
            if self.is_one and self.registry is None and place == self._seen and time.monotonic() < self._whole_at:
                return
            self._whole_at = time.monotonic() + WHOLE_S
            kept = await self._database.read(_kept)
            asked = await asyncio.to_thread(self._ask, kept, topics)
            stored = await self._database.read(lambda conn: self._stored(conn, kept, read))  # its journal comes last
            judge(found_by(self._config, asked, stored))
            self.registry = amiss(asked.registry) if "FT_SCHEMA_REGISTRY" in self._config.addresses else None
        except OtherDeployment as exc:
            self._seen = None  # all is looked at again next time
            self._wrong += 1
            if self.other is None and (not self.is_one or self._wrong >= BELIEVED):
                log.error("what is served is not of one deployment", error=str(exc))
                self.is_one, self.other = False, _TOLD
        except BrokerUnavailable as exc:
            BROKER.away(exc)
        except FtError as exc:
            log.debug("identity is looked at later", error=str(exc))
        else:
            self._seen = place
            self.is_one, self.other, self._wrong = True, None, 0
            BROKER.back()

    async def _named(self) -> list[tuple[Any, ...]] | None:
        """The rows of the deployment (none: it has no name yet); None where the database has no tables of ft. Raises
        OtherDeployment where it has none and the topics are those of somebody; FtError."""
        try:
            return await self._database.read(lambda conn: _rows(conn, "deployment"))
        except NotMigrated as exc:
            if not isinstance(exc.__cause__, UndefinedTable):
                raise
            asked = await asyncio.to_thread(self._ask, (), ())
            judge(found_by(self._config, asked, Stored(deployment=None)))
            self.is_one, self.other, self._wrong = False, None, 0
            return None

    def _ask(self, kept: Sequence[Registered], topics: Collection[str]) -> Asked:
        return ask(self._config, lambda schema_id: _schema(kept, schema_id), agreement_on(self._config, kept), topics)

    async def _stored(self, conn: Connection, kept: Sequence[Registered], read: Read) -> Stored:
        topic = Topics(self._config.topic_prefix).ownership_changed
        async with snapshot(conn):
            rows = await _rows(conn, "deployment")
            ends = await _rows(conn, "journal_ends")
            put_aside = await _rows(conn, "put_aside", topic=topic)
            origins = await _rows(conn, "generations")
        if not rows:
            return Stored(deployment=None, kept=kept, journal_ends=dict(ends))
        (row,) = rows
        _, epoch, _, _, announced, unfinished = row
        return Stored(
            deployment=Deployment.of_row(row),
            announced=announced,
            unfinished=unfinished,
            read=read,
            kept=kept,
            journal_ends=dict(ends),
            put_aside=frozenset(put_aside),
            generations=Generations(present=epoch, origins={row[0]: Origin(row[1], tuple(row[2])) for row in origins}),
        )


async def _kept(conn: Connection) -> list[Registered]:
    return [registered(row) for row in await _rows(conn, "schemas")]


async def _rows(conn: Connection, query: str, **values: object) -> list[tuple[Any, ...]]:
    return await (await conn.execute(_SQL[query].encode(), values)).fetchall()


def _schema(kept: Sequence[Registered], schema_id: int) -> Mapping[str, Any]:
    if (found := schema_of(kept, schema_id)) is None:
        raise MalformedRecord(f"schema id {schema_id}: expected one that the database keeps")
    return found
