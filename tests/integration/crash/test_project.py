"""project dies at each of its awaits, and the projections end as if it had not."""

from pathlib import Path

import pytest

from ft.agents.project import hop, store
from ft.streams.worker import claims, fence, ledger_heads, subscriber
from ft.streams.worker import hop as loop
from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.crash.campaigns import IS_LONG, besiege, unexplained
from tests.integration.crash.sites import sites_of
from tests.integration.crash.subscriber_world import SubscriberWorld, announced

SHARED = [fence, claims] if IS_LONG else []
"""In the short campaign normalize dies in these."""
SEED = 13
_NO_TIMER = "project has no timer: tests/acceptance/test_two_consumers.py has one that dies"
UNREACHED: dict[str, str] = {
    "streams/worker/subscriber.py Tx.execute: await self.conn.execute(named(query).encode(), params, prepare=True)": (
        "project runs the named queries of sql/project.sql"
    ),
    **{
        f"streams/worker/subscriber.py Subscription.{site}": _NO_TIMER
        for site in (
            "stop: await ended(self._timer)",
            "_run_timer: await asyncio.sleep(every_s)",
            "_run_timer: async with self._alone",
            "_run_timer: await self._idle()",
            "_run_timer: await asyncio.sleep(_IDLE_AGAIN_S)",
            "_idle.work: await self._subscriber.idle(tx)",
            "_idle.work: await tx.announcements.write(conn)",
            "_idle: await self._writer.commit(work)",
        )
    },
    "streams/worker/fence.py Writer.reading: await conn.rollback()": "project reads inside of its transactions",
    "streams/worker/fence.py Writer.reading: await self._give_up(conn)": "project reads inside of its transactions",
    "streams/worker/fence.py Writer.reading: await self.connection()": "project reads inside of its transactions",
}


@pytest.mark.timeout(900)
async def test_project_dies_at_each_await_and_nothing_differs(raw: RawTopic, tmp_path: Path) -> None:
    await announced(raw, tmp_path, SEED)
    plain, troubled = SubscriberWorld(raw), SubscriberWorld(raw, is_troubled=True)
    await plain.write()
    troubled.records, troubled.heads = plain.records, plain.heads
    sites = sites_of([hop, subscriber, ledger_heads, store, loop, *SHARED])

    unreached = await besiege([plain, troubled], sites, tmp_path, SEED)

    assert unexplained(unreached, UNREACHED) == []
