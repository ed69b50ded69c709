"""The ledger and its publisher die at each of their awaits; journal, ownership and topics end as if they had not."""

from pathlib import Path

import pytest

from ft.agents.ledger import cache, findings, hashes, hop, owners, reads, writes
from ft.agents.publish import publish_buffer, publisher
from ft.streams.kafka import outbox
from ft.streams.worker import claims, fence
from ft.streams.worker import hop as loop
from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.crash.campaigns import IS_LONG, LEFT_OVER, besiege, unexplained
from tests.integration.crash.dying import Campaign
from tests.integration.crash.ledger_world import LedgerWorld
from tests.integration.crash.normalize_world import NormalizeWorld
from tests.integration.crash.sites import sites_of

SHARED = [fence, claims, loop] if IS_LONG else []
"""In the short campaign normalize dies in these."""
SEED = 12
_ONCE = "no hash of the story comes twice; each of these tables is written in the transaction of the slice"
_SINGLY = "heads that stand amid rows which are sent singly: tests/integration/agents/publish has them"
UNREACHED: dict[str, str] = {
    LEFT_OVER: "the ledger leaves nothing over",
    "agents/publish/publisher.py Publisher._insist_on_heads: await self._insist(place, "
    "self._head(place, head, before.ownership_changed), None)": _SINGLY,
    "agents/publish/publisher.py Publisher._insist_on_heads: await self._move([place], "
    "{place.claim.partition: before})": _SINGLY,
    "streams/worker/fence.py Writer.reading: await conn.rollback()": "the ledger reads inside of its transactions",
    "streams/worker/fence.py Writer.reading: await self._give_up(conn)": "the ledger reads inside of its transactions",
    "streams/worker/fence.py Writer.reading: await self.connection()": "the ledger reads inside of its transactions",
    "agents/ledger/hashes.py _copies: await conn.execute(load('ledger')['copies'], values, prepare=False)": _ONCE,
    "agents/ledger/hashes.py _copies: await cursor.fetchall()": _ONCE,
    "agents/ledger/hashes.py hashes: await _copies(conn, asked, appends, reverted)": _ONCE,
    "agents/ledger/hop.py Ledger._commit: await self._alone('forget_hash_months')": "no network changes its mind",
    "agents/ledger/owners.py scan_bare: async for cursor": "no month of the story is bare",
    "agents/ledger/owners.py scan_bare: await conn.execute(load('ledger')['scan_live'], "
    "{**token_arrays(tokens), 'until': until})": "no month of the story is bare",
    "agents/ledger/hop.py Ledger._commit: await self._scan_bare(exc.tokens)": "no month of the story is bare",
    "agents/ledger/hop.py Ledger._scan_bare: await self._bare.scan(tokens)": "no month of the story is bare",
    "agents/ledger/writes.py _put_copies: await _run(conn, 'put_copies', "
    "keys | {'live': booleans([live for _, live in changed])})": _ONCE,
    "agents/ledger/hop.py Ledger._run_timer: await self._fail(exc)": "a worker ends here, of a bug",
    "agents/publish/publisher.py Publisher._run: await self._fail(exc)": "a worker ends here, of a bug",
}


@pytest.mark.timeout(900)
async def test_ledger_and_publisher_die_at_each_await_and_nothing_differs(raw: RawTopic, tmp_path: Path) -> None:
    before, plain, troubled = NormalizeWorld(raw), LedgerWorld(raw), LedgerWorld(raw, is_troubled=True)
    await before.write()
    await Campaign(before, sites_of([]), tmp_path / "before", SEED).listen()
    await plain.write(before.sent.read())
    troubled.records = plain.records
    sites = sites_of([hop, cache, findings, hashes, owners, reads, writes, publish_buffer, publisher, outbox, *SHARED])

    unreached = await besiege([plain, troubled], sites, tmp_path, SEED)

    assert unexplained(unreached, UNREACHED) == []
