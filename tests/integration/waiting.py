"""What a test waits for comes true, or it fails with what that was."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition, at most so long."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"expected within {seconds} s: {what}"
        await asyncio.sleep(0.05)
