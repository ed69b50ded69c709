"""A process that dies: what it sent and committed stays, everything else is gone.

At its death the connections to Postgres are cut without a word (an open transaction is rolled back by the server),
what librdkafka has in its queues is dropped, RocksDB's files stay as they are on the disk; no code of the dead process
reaches anything afterwards, whatever its `finally` and `except` try. The next life begins with nothing but the files.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import confluent_kafka
import pytest
from psycopg import AsyncConnection

from tests.integration.crash.sites import Site


class Died(BaseException):
    """Raised in every task of a dead process, wherever it wakes."""


class Life:
    """One life of a process, from its start to its death or its end. ``home``: its folder."""

    def __init__(self, home: Path, before: "Life | None" = None) -> None:
        self.home = home
        self.failures: list[BaseException] = []
        """What would have ended a worker with a non-zero code."""
        self.told: dict[tuple[str, int], int] = {}
        """Topic and partition -> the highest position in a header that was sent there."""
        self._dead = asyncio.Event()
        self._connections: list[AsyncConnection[Any]] = []
        self._producers: list[Any] = []
        self._tasks: list[asyncio.Task[Any]] = []
        if before is not None:
            before.leave_files(home)

    @property
    def is_dead(self) -> bool:
        return self._dead.is_set()

    def check(self) -> None:
        """The dead do nothing."""
        if self.is_dead:
            raise Died

    def die(self, site: Site, phase: str) -> NoReturn:
        """Here and now."""
        for conn in self._connections:
            _sever(conn)
        for producer in self._producers:
            producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._dead.set()
        raise Died(f"{phase} {site}")

    async def fail(self, exc: BaseException) -> None:
        """A worker would exit now."""
        self.failures.append(exc)

    def leave_files(self, home: Path) -> None:
        """Give the next life's folder what is on the disk."""
        shutil.rmtree(home, ignore_errors=True)
        if self.home.is_dir():
            shutil.copytree(self.home, home, ignore=shutil.ignore_patterns("LOCK"))

    async def run(self, main: Callable[[], Awaitable[None]]) -> bool:
        """Live until ``main`` is done (True) or the process dies (False). Raises what ``main`` raises."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._task)
        try:
            living = asyncio.ensure_future(main())
            death = asyncio.ensure_future(self._dead.wait())
            await asyncio.wait({living, death}, return_when=asyncio.FIRST_COMPLETED)
            if not self.is_dead:
                living.result()
        finally:
            await self._end()
        return not self.is_dead

    def add_connection(self, conn: AsyncConnection[Any]) -> None:
        self._connections.append(conn)
        if self.is_dead:
            _sever(conn)
            raise Died

    def add_producer(self, producer: Any) -> None:
        self.check()
        self._producers.append(producer)

    def _task(self, loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> "asyncio.Task[Any]":
        self._tasks.append(asyncio.Task(coro, loop=loop, **more))
        return self._tasks[-1]

    async def _end(self) -> None:
        """Nothing of it is left, and what its tasks ended with is known."""
        asyncio.get_running_loop().set_task_factory(None)
        while alive := [task for task in self._tasks if not task.done()]:
            for task in alive:
                task.cancel()
            await asyncio.wait(alive, timeout=1.0)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for conn in self._connections:
            await conn.close()


@contextmanager
def living(lives: Callable[[], Life]) -> Iterator[None]:
    """Connections and producers that ft opens belong to the life at that moment."""
    connect = AsyncConnection.connect.__func__  # type: ignore[attr-defined]

    async def connecting(cls: Any, *args: Any, **kwargs: Any) -> Any:
        life = lives()
        life.check()
        conn = await connect(cls, *args, **kwargs)
        life.add_connection(conn)
        return conn

    class Producer(confluent_kafka.Producer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.life = lives()
            self.life.add_producer(self)

        def produce(self, topic: str, value: Any = None, key: Any = None, partition: int = -1, **more: Any) -> None:  # type: ignore[override]
            self.life.check()
            super().produce(topic, value, key, partition, **more)
            position = dict(more.get("headers") or ()).get("position")
            if position is not None:
                at = (topic, partition)
                self.life.told[at] = max(self.life.told.get(at, -1), int(position))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncConnection, "connect", classmethod(connecting))
        patch.setattr("ft.streams.kafka.producer.RdKafkaProducer", Producer)
        yield


def _sever(conn: AsyncConnection[Any]) -> None:
    if conn.closed:
        return
    with socket.socket(fileno=os.dup(conn.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)
