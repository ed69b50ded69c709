"""What a worker watches of itself: progress and its group (or it exits), its gauges, its row in system.workers."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Final

import psycopg
import structlog
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from mode import Service

from ft.config import Config
from ft.errors import BrokerError, DatabaseUnavailable, FtError
from ft.schemas.domains import declared
from ft.sql.queries import load
from ft.sql.session import Connection, connect_writer
from ft.streams.kafka.topic_admin import ends_of, partition_counts
from ft.streams.worker import process
from ft.streams.worker.claims import Claims
from ft.streams.worker.fence import Claim
from ft.streams.worker.ledger_heads import heads_of
from ft.streams.worker.membership import Membership
from ft.streams.worker.progress import Agent, Progress
from ft.telemetry import metrics
from ft.telemetry.outage import BROKER, DATABASE

log = structlog.get_logger(__name__)

TICK_S: Final = 2.0
"""How often lags are read, and this worker's row is refreshed."""
SLOW_TICKS: Final = 15
"""Every so many ticks: what is dear to count."""
_SPINE: Final = ("normalize", "ledger", "project", "heads")
REBALANCE_S: Final = 60.0
"""How long a member of the group may take to join a rebalance before the others go on without it."""
_ASK_S: Final = 10.0


class Stalled(FtError):
    """Records wait, and an agent committed none of any partition for too long; or no rebalance came to its end."""


class NoMember(FtError):
    """Kafka's group does not let this worker in."""


class Watch(Service):
    """Ticks while the worker runs; a tick that does not come ends the process from a thread."""

    def __init__(
        self,
        config: Config,
        claims: Claims,
        ends: Callable[[list[Claim]], Awaitable[Mapping[Claim, int]]],
        membership: Callable[[], Membership],
        fail: Callable[[BaseException], Awaitable[None]],
        metrics_url: str,
        held_back: Callable[[], Container[Agent]] = frozenset,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._config = config
        self._claims = claims
        self._ends = ends
        self._membership = membership
        self._fail = fail
        self._url = metrics_url
        self._held_back = held_back
        self._progress = Progress(config.watchdog_s)
        self._of_domains = Progress(config.watchdog_s)
        self._told_starved = float("-inf")
        self._joining_since: float | None = None
        self._conn: Connection | None = None
        self._alarm: threading.Timer | None = None

    async def on_started(self) -> None:
        """Begin: four tasks, so that none waits for what another one asks."""
        log.info("worker started", worker=self._claims.owner, metrics=self._url, agents=sorted(self._config.agents))
        self.add_future(self._every(self._rearm, "alarm"))
        self.add_future(self._every(self._check_progress, "progress"))
        self.add_future(self._every(self._check_group, "group"))
        self.add_future(self._every(self._read_database, "gauges"))

    async def on_stop(self) -> None:
        """Leave no row behind."""
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            conn = await self._connection()
            await conn.execute(load("fence")["forget_worker"], {"worker": self._claims.owner})
            await conn.close()
        except (psycopg.Error, FtError) as exc:
            log.warning("worker's row stays", error=str(exc))

    async def _every(self, act: Callable[[int], Awaitable[None]], what: str) -> None:
        """Call ``act`` every TICK_S with the number of the tick."""
        tick = 0
        while not self.should_stop:
            try:
                await act(tick)
            except (psycopg.OperationalError, DatabaseUnavailable) as exc:
                DATABASE.away(exc)
            except (psycopg.Error, FtError, KafkaError, TimeoutError) as exc:
                log.warning("watch waits", what=what, error=str(exc) or type(exc).__name__)
            except Exception as exc:  # noqa: BLE001 - a watch that dies in silence watches nothing
                await self._fail(exc)
            tick += 1
            await self.sleep(TICK_S)

    async def _rearm(self, tick: int) -> None:
        """The event loop is alive: put off the end of this process."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = threading.Timer(self._config.watchdog_s, _stand_still, args=(self._config.watchdog_s,))
        self._alarm.daemon = True
        self._alarm.start()

    async def _check_progress(self, tick: int) -> None:
        held = [claim for consumer in consumers() for claim in self._claims.held(consumer)]
        ends = await self._known_ends(held)
        if ends is None:
            self._progress.forgive()
            self._of_domains.forgive()
            return
        self._set_lags(ends)
        now, of_domains = asyncio.get_running_loop().time(), _of_domains()
        spine = {claim: end for claim, end in ends.items() if claim.consumer not in of_domains}
        found = self._progress.look(spine, now, self._held_back())
        beside = self._of_domains.look({claim: end for claim, end in ends.items() if claim not in spine}, now)
        # A domain that stands still harms nobody but itself.
        hung = () if beside.hung is None else (beside.hung,)
        self._tell_starved((*found.starved, *hung, *beside.starved), ends)
        if found.hung is not None:
            at = f"offset {found.hung.next_offset} of {ends[found.hung]}"
            await self._fail(
                Stalled(
                    f"{found.hung.consumer} of {found.hung.topic}-{found.hung.partition}: expected progress within "
                    f"{self._config.watchdog_s:g} s, got none at {at}, nor in another partition of the topic. "
                    "Its supervisor starts it again; if that does not help, the lines above say what it waits for."
                )
            )

    async def _check_group(self, tick: int) -> None:
        """A worker whose group never lets it in holds nothing, so no claim of it stands still: it would wait for ever.

        A broker that is away keeps everybody out, and another process would find no other.
        """
        found, now = self._membership(), asyncio.get_running_loop().time()
        if found.error is not None:
            error = f"{type(found.error).__name__}: {found.error}"
            await self._fail(
                NoMember(
                    f"Kafka's group: expected a place in it for this worker, got {error}. If starting again does not "
                    "help, look at the group's limits and the login's rights on it."
                )
            )
        elif found.joined:
            self._joining_since = None
        elif self._joining_since is None:
            self._joining_since = now
        elif now - self._joining_since >= self._config.watchdog_s + REBALANCE_S:
            if await self._broker_answers():
                await self._fail(
                    Stalled(
                        f"Kafka's group: expected a rebalance to end within {now - self._joining_since:.0f} s, it did "
                        "not. Its supervisor starts this worker again; if that does not help, look at the group's "
                        "other members and at the broker's log."
                    )
                )
            self._joining_since = now

    async def _broker_answers(self) -> bool:
        try:
            await asyncio.to_thread(partition_counts, self._config)
        except BrokerError as exc:
            BROKER.away(exc)
            return False
        return True

    def _tell_starved(self, starved: Sequence[Claim], ends: Mapping[Claim, int]) -> None:
        """The agent works, so another process would do no better: said once in its patience, and counted."""
        metrics.PARTITIONS_STARVED.clear()
        for consumer, count in Counter(claim.consumer for claim in starved).items():
            metrics.PARTITIONS_STARVED.labels(consumer=consumer).set(count)
        now = asyncio.get_running_loop().time()
        if not starved or now - self._told_starved < self._config.watchdog_s:
            return
        self._told_starved = now
        for claim in starved:
            log.warning(
                "partition is starved",
                consumer=claim.consumer,
                topic=claim.topic,
                partition=claim.partition,
                offset=claim.next_offset,
                end=ends[claim],
                for_s=self._config.watchdog_s,
            )

    async def _known_ends(self, held: list[Claim]) -> Mapping[Claim, int] | None:
        """The end of each claim's partition, or None while the broker is away: another process would find no other.

        1. the worker's own consumer is asked; 2. where it cannot say, a client of its own, since a consumer that died
        says nothing either, and its records wait; 3. where that cannot say either, it is the broker.
        """
        if not held:
            return {}
        try:
            found = await asyncio.wait_for(self._ends(held), timeout=_ASK_S)  # 1
        except (KafkaError, TimeoutError) as exc:
            log.debug("watch waits", what="ends", error=str(exc) or type(exc).__name__)
        else:
            BROKER.back()
            return found
        try:
            asked = [(claim.topic, claim.partition) for claim in held]
            ends = await asyncio.to_thread(ends_of, self._config, asked)  # 2
        except BrokerError as exc:
            BROKER.away(exc)
            return None  # 3
        BROKER.back()
        return {claim: ends[claim.topic, claim.partition] for claim in held}

    def _set_lags(self, ends: Mapping[Claim, int]) -> None:
        metrics.NORMALIZER_LAG.clear()
        metrics.PROJECTION_LAG.clear()
        for claim, end in ends.items():
            lag = max(0, end - claim.next_offset)
            if claim.consumer == "normalize":
                network = claim.topic.removeprefix(self._config.topic_prefix).split(".")[1]
                metrics.NORMALIZER_LAG.labels(network=network, partition=claim.partition).set(lag)
            else:
                metrics.PROJECTION_LAG.labels(consumer=claim.consumer, partition=claim.partition).set(lag)

    async def _read_database(self, tick: int) -> None:
        sql, conn = load("watch"), await self._connection()
        DATABASE.back()
        worker = {"worker": self._claims.owner, "agents": ",".join(sorted(self._config.agents))}
        await conn.execute(load("fence")["register_worker"], worker | {"metrics_url": self._url})
        for network, blocks, seconds in await _rows(conn, sql["ingest_lag"]):
            metrics.INGEST_LAG.labels(network=network, unit="blocks").set(blocks)
            metrics.INGEST_LAG.labels(network=network, unit="seconds").set(seconds)
        for network, seconds in await _rows(conn, sql["ingest_waits"]):
            metrics.INGEST_WAITS.labels(network=network).set(seconds)
        partitions = [claim.partition for claim in self._claims.held("ledger")]
        metrics.OUTBOX_UNPUBLISHED.clear()
        for partition, unpublished in await _rows(conn, sql["outbox"], partitions=partitions):
            metrics.OUTBOX_UNPUBLISHED.labels(partition=partition).set(unpublished)
        for state, jobs in await _rows(conn, sql["bulk_jobs"]):
            metrics.BULK_JOBS.labels(state=state).set(jobs)
        metrics.PROCESS_FAILURES.clear()
        for role, what, count in await _rows(conn, sql["failures"]):
            metrics.PROCESS_FAILURES.labels(role=role, what=what).set(count)
        metrics.FINALITY_CONTRADICTED.clear()
        for (network,) in await _rows(conn, sql["contradicted"]):
            metrics.FINALITY_CONTRADICTED.labels(network=network).set(1)
        for (depth,) in await _rows(conn, sql["dlq_depth"]):
            metrics.DLQ_DEPTH.set(depth)
        if tick % SLOW_TICKS == 0:
            for (stubs,) in await _rows(conn, sql["stub_assets"]):
                metrics.STUB_ASSETS.set(stubs)
            await conn.execute(load("fence")["forget_silent_workers"])

    async def _connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = await connect_writer(self._config, application="ft watch")
            await self._conn.set_autocommit(True)
        return self._conn


def consumers() -> tuple[str, ...]:
    """Everybody who reads topics in a worker, domains too."""
    return (*_SPINE, *_of_domains())


def _of_domains() -> list[str]:
    names = [name for domain in declared() for name in domain.consumers]
    return [*names, *map(heads_of, names), *(name for domain in declared() for name in domain.reading)]


def _stand_still(seconds: float) -> None:
    log.critical("worker exits", error=f"the event loop stood still for {seconds:g} s", kind="Stalled")
    process.end(1)


async def _rows(conn: Connection, query: str, **values: object) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query, values)).fetchall()
