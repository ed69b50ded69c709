"""Whose turn it is to ask the database: one slot a connection, in turn between clients, and a bound on waiting.

A client (an address) holds all but a few of the slots at most, so that one that asks without end leaves some to others.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ft.errors import DatabaseUnavailable


class Overloaded(DatabaseUnavailable):
    """More was asked at once than the database's connections can answer in time."""


class Slots:
    """``count`` slots. Beyond ``waiting_max`` (of one client: half of it) nobody is kept waiting."""

    def __init__(self, count: int, *, waiting_max: int, patience_s: float) -> None:
        self._free = count
        self._per_client = max(1, count - max(1, count // 5))
        self._waiting_max = waiting_max
        self._patience_s = patience_s
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def slot(self, client: str) -> AsyncIterator[None]:
        """Hold a slot. Raises Overloaded where there is none in time, or too many wait already."""
        await self._take(client)
        try:
            yield
        finally:
            self._give(client)

    async def _take(self, client: str) -> None:
        """The cases: a slot is free for this client; too many wait; its turn comes; it does not."""
        if self._free and self._held[client] < self._per_client:
            self._grant(client)
            return
        turn = self._queue(client)
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except BaseException as exc:
            if turn.done() and not turn.cancelled():
                self._give(client)  # it came in the moment in which the waiting ended
            else:
                self._leave(client, turn)
            if isinstance(exc, TimeoutError):
                raise Overloaded(f"expected a free connection within {self._patience_s:g} s, got none") from exc
            raise

    def _queue(self, client: str) -> "asyncio.Future[None]":
        waiting, own = sum(map(len, self._waiting.values())), len(self._waiting.get(client, ()))
        if waiting >= self._waiting_max or own >= max(1, self._waiting_max // 2):
            raise Overloaded(f"expected fewer waiting for a connection, got {waiting}, {own} of them of one client")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        return turn

    def _leave(self, client: str, turn: "asyncio.Future[None]") -> None:
        self._waiting[client].remove(turn)
        if not self._waiting[client]:
            del self._waiting[client]

    def _grant(self, client: str) -> None:
        self._free -= 1
        self._held[client] += 1

    def _give(self, client: str) -> None:
        """Back, and on to whoever is next: clients in turn, those that hold what they may left out."""
        self._free += 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        for name in list(self._waiting):
            if not self._free:
                return
            if self._held[name] >= self._per_client:
                continue
            turn = next((each for each in self._waiting[name] if not each.done()), None)
            if turn is not None:
                self._leave(name, turn)
                if name in self._waiting:
                    self._waiting.move_to_end(name)
                self._grant(name)
                turn.set_result(None)
