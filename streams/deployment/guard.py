"""Looked at while a process runs: whether it still is of one deployment, the one that it began in, and a worker that
nobody runs its agents too.

What is found out of place is looked at again before it is believed; that the database names another deployment, or
another epoch, than at the beginning, is believed at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
import structlog
from mode import Service

from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable, DatabaseError, FtError
from ft.sql.queries import LIVE, load
from ft.sql.session import looking, process_name, translated
from ft.stopping import end_task
from ft.streams.deployment.comparing import Same, named_deployment, require_one
from ft.streams.deployment.identity import BELIEVED, Deployment, OtherDeployment, require_same
from ft.streams.deployment.selection import OverlappingWorkers, check_running
from ft.telemetry.outage import BROKER

T = TypeVar("T")
log = structlog.get_logger(__name__)

LOOK_S: Final = 4.0
_CANCELS_AGAIN_S: Final = 1.0


class Guard:
    """Blocking; one for each process."""

    def __init__(self, config: Config, worker: str | None = None, follows: str | None = None) -> None:
        """``worker``: its name, of a worker; ``follows``: the network, of a follower."""
        self._config = config
        self._worker = worker
        self._follower = {"network": follows, "owner": process_name()} if follows is not None else None
        self._same = Same(config)
        self._wrong = 0
        self._knows = False
        """Whether it is known what this process began in."""
        self._began: Deployment | None = None

    def begin(self, deployment: Deployment | None) -> None:
        """The process began in this one; None: it had no name yet. Without a call the first look says."""
        self._began, self._knows = deployment, True

    def begin_here(self) -> None:
        """In the one that the database names now; where it does not answer, in that of the first look."""
        with suppress(FtError, psycopg.Error), looking(self._config) as conn:
            self.begin(named_deployment(conn))

    def look(self) -> None:
        """Raises OtherDeployment, OverlappingWorkers; servers that do not answer say nothing."""
        try:
            with looking(self._config) as conn:  # one for all: to open it costs more than what it is asked
                self._look_at(conn)
        except (OtherDeployment, OverlappingWorkers):
            self._wrong += 1
            if self._wrong >= BELIEVED:
                raise
        except BrokerUnavailable as exc:
            BROKER.away(exc)
        except FtError as exc:
            log.debug("identity is looked at later", error=str(exc))
        else:
            self._wrong = 0
            BROKER.back()

    def _look_at(self, conn: psycopg.Connection[Any]) -> None:
        """Identity first: a database that was emptied under a process has none of the tables that are asked next."""
        try:
            self._look_whether_restored(conn)
            try:
                self._same.look(conn)
            except BrokerUnavailable:
                self._say_that_it_follows(conn)  # who waits for the broker lives
                raise
            self._say_that_it_follows(conn)
            if self._worker is not None:
                check_running(conn, self._config, self._worker)
        except psycopg.Error as exc:
            raise translated(exc) from exc

    def _say_that_it_follows(self, conn: psycopg.Connection[Any]) -> None:
        if self._follower is not None:
            conn.execute(load("ingest", LIVE)["still_follows"], self._follower)

    def _look_whether_restored(self, conn: psycopg.Connection[Any]) -> None:
        now = named_deployment(conn)
        if not self._knows:
            self.begin(now)
        if now is not None:  # an empty database is looked at with its Kafka
            try:
                require_same(self._began, now)
            except OtherDeployment:
                self._wrong = BELIEVED
                raise


class Guarding(Service):
    """Ends a worker that is out of place."""

    def __init__(
        self,
        config: Config,
        worker: str,
        began: Callable[[], Deployment | None],
        fail: Callable[[BaseException], Awaitable[None]],
        **kwargs: Any,
    ) -> None:
        """``began``: the deployment that the worker began in, known once its agents are there."""
        super().__init__(**kwargs)
        self._guard = Guard(config, worker)
        self._began = began
        self._fail = fail

    @Service.task
    async def _look(self) -> None:
        self._guard.begin(self._began())
        while not self.should_stop:
            await self.sleep(LOOK_S)
            try:
                await asyncio.to_thread(self._guard.look)
            except Exception as exc:  # noqa: BLE001 - whatever it is ends the process
                await self._fail(exc)


async def beside(config: Config, work: Coroutine[Any, Any, T], follows: str | None = None) -> T:
    """What ``work`` comes to; it is cancelled where this process is out of place. ``follows``: the network, of a
    follower. Raises as :meth:`Guard.look`, also where a broker or a database that is another one by now was quicker to
    refuse what the work sent."""
    guard = Guard(config, follows=follows)
    await asyncio.to_thread(guard.begin_here)
    looking, working = asyncio.create_task(_look_on(guard), name="guard"), asyncio.create_task(work)
    try:
        await asyncio.wait({looking, working}, return_when=asyncio.FIRST_COMPLETED)
        return await (working if working.done() else looking)
    except (BrokerError, DatabaseError) as exc:
        if not exc.retryable:
            await asyncio.to_thread(require_one, config)
        raise
    except psycopg.Error as exc:
        await asyncio.to_thread(require_one, config)
        raise translated(exc) from exc
    finally:
        for task in (looking, working):
            await end_task(task, _CANCELS_AGAIN_S)


async def _look_on(guard: Guard) -> Any:
    while True:
        await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(guard.look)
