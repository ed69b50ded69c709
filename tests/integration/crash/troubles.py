"""What goes wrong around a process that does not die: awaits that only a broken connection or broker reaches."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest
from psycopg import AsyncConnection

from ft.agents.publish.publisher import TRIES, Publisher
from ft.errors import BrokerError, Fenced
from ft.streams.kafka.outbox import Outbox
from ft.streams.worker import fence

_GONE = "server closed the connection unexpectedly"
_REFUSED_SINGLY: Final = frozenset({3, *(n for n in range(6, 6 + 6 * (TRIES + 2)) if (n - 6) % (TRIES + 2) < TRIES)})
"""Of the records that are sent singly, those that are refused: one whose next try is taken, and six that never are,
with two between them that are taken at once."""


@contextmanager
def quick() -> Iterator[None]:
    """Waits between tries are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ft.streams.worker.hop.RETRY_DELAYS_S", (0.01,) * 10)
        patch.setattr("ft.streams.worker.claims._TRY_AGAIN_S", 0.01)
        patch.setattr("ft.agents.publish.publisher._RETRY_S", 0.01)
        patch.setattr("ft.agents.publish.publisher.POLL_S", 0.02)
        patch.setattr("ft.agents.publish.heads.AGAIN_S", 0.01)
        patch.setattr("ft.streams.worker.announcing.POLL_S", 0.02)
        patch.setattr("ft.streams.worker.announcing._AGAIN_S", 0.01)
        yield


@contextmanager
def troubled(*statements: str, singly: bool = True) -> Iterator[None]:
    """Once each: no connection; of each application a commit that never arrives, and one whose reply is lost; a fence
    that does not move; the connection lost in the middle of ``statements`` (some words of each); rows refused until
    they have been sent singly so often that one of them was refused, and six were blocked. ``singly``: whether they are
    sent so, as the ledger's publisher does; else they are refused twice."""
    calls: Counter[str] = Counter()
    sent: set[str] = set()
    connect = AsyncConnection.connect.__func__  # type: ignore[attr-defined]
    commit, execute = AsyncConnection.commit, AsyncConnection.execute
    move_fence, send, flush, insist = fence.move_fence, Outbox.send, Outbox.flush, Publisher._insist
    is_single = False

    def is_time(what: str, *times: int) -> bool:
        calls[what] += 1
        return calls[what] in times

    async def connecting(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if is_time("connect", 1):
            raise psycopg.OperationalError("connection refused")
        return await connect(cls, *args, **kwargs)

    async def committing(self: Any) -> None:
        mine = f"commit of {self.info.get_parameters().get('application_name')}"
        lost = is_time(mine, 3, 5)
        if lost and calls[mine] == 3:
            await self.close()
            raise psycopg.OperationalError(_GONE)
        await commit(self)
        if lost:
            await self.close()
            raise psycopg.OperationalError(_GONE)

    async def executing(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        if any(words in str(query) and is_time(words, 1, 3) for words in statements):
            if calls.total() % 2:
                await self.close()
            raise psycopg.OperationalError(_GONE)
        return await execute(self, query, *args, **kwargs)

    async def moving(conn: Any, moves: Any) -> None:
        if is_time("move", 3):
            raise Fenced("the fence does not move")
        await move_fence(conn, moves)

    def sending(self: Any, topic: str, *args: Any) -> None:
        send(self, topic, *args)
        sent.add(topic)

    async def flushing(self: Any) -> None:
        await flush(self)
        has_rows = any(not topic.endswith("finality") for topic in sent)
        sent.clear()
        if not has_rows:
            return
        if not singly:
            if is_time("together", 1, 3):
                raise BrokerError("refused")
        elif is_single:
            if is_time("single", *_REFUSED_SINGLY):
                raise BrokerError("refused")
        elif calls["single"] < max(_REFUSED_SINGLY):
            raise BrokerError("refused, with all that was sent at once")

    async def insisting(self: Any, *args: Any) -> Any:
        nonlocal is_single
        is_single = True
        try:
            return await insist(self, *args)
        finally:
            is_single = False

    with quick(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncConnection, "connect", classmethod(connecting))
        patch.setattr(AsyncConnection, "commit", committing)
        patch.setattr(AsyncConnection, "execute", executing)
        patch.setattr(fence, "move_fence", moving)
        patch.setattr(Outbox, "send", sending)
        patch.setattr(Outbox, "flush", flushing)
        patch.setattr(Publisher, "_insist", insisting)
        yield
