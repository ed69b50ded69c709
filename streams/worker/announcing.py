"""What a domain announces: into ``system.outbox`` in the transaction of its effects, then to Kafka, in order.

Each record has a seq of its topic and partition, without a gap, and says which one it follows. A process that dies
between the broker's acknowledgement and its own note sends some again: whoever reads drops a seq that it has seen.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import structlog

from ft.config import Config
from ft.errors import BrokerError, DatabaseUnavailable, SchemaError
from ft.schemas.codec import Codec
from ft.schemas.domains import Domain
from ft.schemas.ids import partition_of
from ft.sql.queries import load
from ft.sql.session import Connection, connect_writer
from ft.streams.kafka.outbox import Outbox
from ft.streams.worker.claims import Claims
from ft.streams.worker.timers import ended
from ft.telemetry.log import of_error
from ft.telemetry.metrics import EVENTS_PROCESSED, OUTBOX_WAITING
from ft.telemetry.outage import BROKER, DATABASE

log = structlog.get_logger(__name__)

RECORD_BYTES_MAX: Final = 1 << 20
"""Of a domain's record; a broker takes as much whatever its settings."""
ROWS_MAX: Final = 500
"""Of one partition in a row, and acknowledged together."""
POLL_S: Final = 0.5
"""How soon it is seen what another process has written."""
_AGAIN_S: Final = 1.0
_TURN_S: Final = 3_600.0
Place = tuple[str, int]
"""Topic without prefix, partition."""


@dataclass(slots=True)
class Announcements:
    """What one transaction announces, kept until its end: from then on the partitions' numbers are locked."""

    codecs: Mapping[str, Codec] = field(default_factory=dict)
    """By topic, without prefix."""
    partitions: int = 1
    _records: dict[Place, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, topic: str, route_key: str, record: Mapping[str, Any]) -> None:
        """Raises SchemaError for a topic that the domain does not declare."""
        if topic not in self.codecs:
            raise SchemaError(f"expected a topic that the domain declares ({', '.join(self.codecs)}), got {topic!r}")
        self._records[topic, partition_of(route_key, self.partitions)].append(record)

    async def write(self, conn: Connection) -> None:
        """Number them and put them into the outbox, partitions in one order for all who write. Raises SchemaError."""
        sql = load("outbox")
        for (topic, partition), records in sorted(self._records.items()):
            where = {"topic": topic, "partition": partition}
            row = await (await conn.execute(sql["number"], where | {"count": len(records)})).fetchone()
            assert row is not None
            codec, first = self.codecs[topic], row[0] - len(records) + 1
            async with conn.pipeline():
                for seq, record in enumerate(records, first):
                    value = codec.encode({**record, "seq": seq, "prev_seq": seq - 1})
                    if len(value) > RECORD_BYTES_MAX:
                        raise SchemaError(
                            f"{topic}: expected a record of at most {RECORD_BYTES_MAX} bytes, got {len(value)}"
                        )
                    await conn.execute(sql["add"], where | {"seq": seq, "value": value}, prepare=True)


class Unsent(Announcements):
    """Of a rebuild: what it comes to was announced when it happened."""

    async def write(self, conn: Connection) -> None:
        """Nothing."""


class DomainPublisher:
    """Announces what a domain has written, for the partitions that this process holds of it. Runs beside its hop."""

    def __init__(self, config: Config, domain: Domain, topics: Mapping[str, str], claims: Claims) -> None:
        """``topics``: of the domain, without prefix -> whole. ``claims``: among which those of its subscribers are."""
        self._config = config
        self._name = domain.name
        self._consumers = domain.consumers
        self._topics = topics
        self._claims = claims
        self._news = asyncio.Event()
        self._conn: Connection | None = None
        self._outbox: Outbox | None = None
        self._task: asyncio.Task[None] | None = None
        self._turned_at = float("-inf")

    async def start(self) -> None:
        """Make the tables of today, and begin. Raises DatabaseUnavailable."""
        await self._turn()
        self._task = asyncio.create_task(self._run(), name=f"{self._name} publisher")

    async def stop(self) -> None:
        """What was sent and not noted is sent again by whoever is next."""
        if self._task is not None:
            await ended(self._task)
        await self._let_go()

    def wake(self) -> None:
        """Something was committed just now."""
        self._news.set()

    async def round(self) -> int:
        """Announce what waits; returns how many records that were.

        1. what waits in the partitions that are held; 2. in turn: send, wait for the broker, note it
        """
        partitions = sorted({claim.partition for name in self._consumers for claim in self._claims.held(name)})
        conn, sql, done = await self._connection(), load("outbox"), 0
        where = {"topics": sorted(self._topics), "partitions": partitions}
        waiting = await (await conn.execute(sql["waiting"], where)).fetchall()  # 1
        OUTBOX_WAITING.labels(domain=self._name).set(sum(row[3] for row in waiting))
        for topic, partition, announced, _ in waiting:
            place = {"topic": topic, "partition": partition}
            values = place | {"after": announced, "rows_max": ROWS_MAX}
            rows = await (await conn.execute(sql["rows"], values)).fetchall()
            if self._outbox is None:
                self._outbox = Outbox(self._config)
            for _, value in rows:
                self._outbox.send(self._topics[topic], partition, bytes(value))
            await self._outbox.flush()  # 2
            await conn.execute(sql["move"], place | {"seq": rows[-1][0]})
            done += len(rows)
        EVENTS_PROCESSED.labels(agent=f"{self._name} publisher").inc(done)
        return done

    async def _run(self) -> None:
        while True:
            try:
                self._news.clear()
                await self._turn()
                if not await self.round():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await self._news.wait()
                continue
            except (psycopg.Error, DatabaseUnavailable) as exc:
                DATABASE.aside(log)("announcing waits for Postgres", domain=self._name, error=str(exc))
            except BrokerError as exc:
                BROKER.aside(log)("announcing waits for Kafka", domain=self._name, error=str(exc))
            except Exception as exc:  # noqa: BLE001 - records wait in the outbox until it works
                log.error("announcing is tried again", domain=self._name, **of_error(exc))
            await self._let_go()
            await asyncio.sleep(_AGAIN_S)

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._turned_at < _TURN_S:
            return
        conn = await self._connection()
        for (dropped,) in await (await conn.execute(load("outbox")["turn"])).fetchall():
            log.info("announced records of a day were dropped from the outbox", table=dropped)
        self._turned_at = now

    async def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = await connect_writer(self._config, application=f"ft {self._name} publisher")
            await self._conn.set_autocommit(True)
        return self._conn

    async def _let_go(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None
        if self._conn is not None:
            await self._conn.close()
            self._conn = None
