"""Tasks that run beside a hop, again and again."""

import asyncio
import contextlib

import structlog

from ft.telemetry.log import of_error

log = structlog.get_logger(__name__)


async def ended(task: "asyncio.Task[None]") -> None:
    """Cancel it, and wait until it is gone."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def tell_of_timer(consumer: str, exc: BaseException) -> None:
    """A timer failed, and is tried again: it ends no worker."""
    log.warning("timer is tried again", agent=consumer, **of_error(exc))
