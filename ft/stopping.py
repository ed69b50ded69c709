"""A process asked to stop: what waits is given up at once, what was sent is still acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Stopped(Exception):
    """SIGTERM or SIGINT came. Not an error."""


class Stopping:
    """Set once, by a signal."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.signal: int | None = None

    def stop(self, signal: int | None = None) -> None:
        """Ask to stop."""
        self.signal = signal
        self._event.set()

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises Stopped."""
        if self.asked:
            raise Stopped

    async def sleep(self, seconds: float) -> None:
        """Raises Stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self.check()

    async def unless(self, work: Awaitable[T]) -> T:
        """The result of what may be given up. Raises Stopped."""
        task: asyncio.Future[T] = asyncio.ensure_future(work)
        if not await self._first(task):
            raise Stopped
        return task.result()

    async def until(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """The items until asked to stop; then it ends, and the caller checks."""
        try:
            while True:
                task = asyncio.ensure_future(_next(items))
                if not await self._first(task) or (item := task.result()) is None:
                    return
                yield item
        finally:
            if close := getattr(items, "aclose", None):
                await close()

    async def _first(self, task: asyncio.Future[T]) -> bool:
        """True once the task is done, False if the stop came first: the task is then cancelled and gone."""
        stopped: asyncio.Future[object] = cast("asyncio.Future[object]", asyncio.ensure_future(self._event.wait()))
        try:
            await asyncio.wait({cast("asyncio.Future[object]", task), stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return not task.cancelled()


async def end_task(task: asyncio.Task[Any], again_s: float) -> None:
    """Cancel a task, every ``again_s`` until it is over. What it ends with is nobody's any more."""
    while not task.done():  # a driver may answer a cancellation with an error of its own
        task.cancel()
        await asyncio.wait({task}, timeout=again_s)
    await asyncio.gather(task, return_exceptions=True)


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)
