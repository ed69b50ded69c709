"""Source, EVM: the blocks behind one that waits are asked for, of every provider, so that their answers stand too.

Whoever is slow is waited for no longer than LISTEN_S; it goes on beside, and is not asked twice.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from ft.streams.sources.evm.answers import ProofError
from ft.streams.sources.evm.asking import Asking
from ft.streams.sources.evm.provider import NodeRefused, NotYet, Provider
from ft.streams.sources.evm.providers import Providers
from ft.streams.sources.evm.rpc import ProviderFailed

LISTEN_S: Final = 5.0
"""How long to wait for answers, at most, before the block that waits is asked for again."""
_SAID: Final = (ProviderFailed, ProofError, NodeRefused, NotYet)


class Listening:
    """What is under way. :meth:`close` it."""

    def __init__(self, providers: Providers, asking: Asking, side_by_side: int) -> None:
        """``side_by_side``: requests to one provider that are under way at once."""
        self._providers = providers
        self._asking = asking
        self._side_by_side = side_by_side
        self._tasks: dict[asyncio.Task[None], tuple[Provider, range]] = {}

    async def close(self) -> None:
        """Listen no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def listen(self, waits: int, last: int, chunk: int) -> None:
        """Ask every provider for some of the blocks behind ``waits``, ``chunk`` in a request. Raises nothing."""
        for provider in self._providers.all:
            busy = {height for who, heights in self._tasks.values() if who is provider for height in heights}
            room = self._side_by_side - sum(who is provider for who, _ in self._tasks.values())
            highest = min(last, provider.head) if provider.head >= 0 else last
            wanted = [at for at in self._asking.ahead.unheard(provider.name, waits, highest) if at not in busy]
            for heights in _runs(wanted, chunk)[: max(0, room)]:
                if provider.breaker.allow():
                    self._tasks[asyncio.create_task(self._asking.hear(provider, heights))] = provider, heights
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, timeout=LISTEN_S)
            for task in done:
                del self._tasks[task]
                if (error := task.exception()) is not None and not isinstance(error, _SAID):
                    raise error


def _runs(heights: Sequence[int], size: int) -> list[range]:
    """Ascending heights as unbroken runs of at most ``size``."""
    runs: list[range] = []
    for height in heights:
        if runs and runs[-1].stop == height and len(runs[-1]) < size:
            runs[-1] = range(runs[-1].start, height + 1)
        else:
            runs.append(range(height, height + 1))
    return runs
