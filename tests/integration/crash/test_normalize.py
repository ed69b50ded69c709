"""normalize dies at each of its awaits, and the log, the chain and the tables end as if it had not."""

from pathlib import Path

import pytest

from ft.agents.normalize import reading
from ft.streams.kafka import producer
from ft.streams.worker import claims, fence
from ft.streams.worker import hop as loop
from ft.streams.worker.chain_reader import fold, hop, sender, unit_of_work
from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.crash.campaigns import LEFT_OVER, besiege, unexplained
from tests.integration.crash.normalize_world import NormalizeWorld
from tests.integration.crash.sites import sites_of

SEED = 11
UNREACHED: dict[str, str] = {
    "streams/worker/chain_reader/hop.py ChainReading._tell_heads: await self._fail(exc)": (
        "a worker ends here, of a bug"
    ),
    LEFT_OVER: "normalize leaves nothing over",
}


@pytest.mark.timeout(900)
async def test_normalize_dies_at_each_await_and_nothing_differs(raw: RawTopic, tmp_path: Path) -> None:
    plain, troubled = NormalizeWorld(raw), NormalizeWorld(raw, is_troubled=True)
    await plain.write()
    troubled.records = plain.records
    sites = sites_of([hop, fold, unit_of_work, sender, reading, fence, claims, producer, loop])

    unreached = await besiege([plain, troubled], sites, tmp_path, SEED)

    assert unexplained(unreached, UNREACHED) == []
