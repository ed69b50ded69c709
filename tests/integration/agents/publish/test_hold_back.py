"""While a bulk backfill is open nothing is announced; afterwards everything is, in order."""

from typing import Any

import psycopg
import pytest

from ft.agents.publish import publish_pause
from ft.agents.publish.announcements import TOPICS
from ft.config import Config
from tests.integration.agents.ledger.harness import NETWORK, Block, Event, Log
from tests.integration.agents.publish.test_publisher import MakeOutlet, make_outlet

__all__ = ["make_outlet"]


def run(config: Config, statement: str) -> None:
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute(statement.encode())


@pytest.mark.parametrize("remembers", [True, False], ids=["from memory", "from the journal"])
async def test_an_open_bulk_job_holds_every_announcement_back_and_none_is_lost(
    config: Config, make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch, *, remembers: bool
) -> None:
    monkeypatch.setattr(publish_pause, "ASK_S", 0.0)
    outlet = await make_outlet(remembers=remembers)
    log = Log(finalized=10**6)
    log.append(Block(1, [Event(tx="before", target="alice")]))
    await outlet.harness.read(log)
    await outlet.publish_all()
    run(
        config,
        'INSERT INTO ingest.bulk (network, "from", "to", from_time, to_time)'
        f" VALUES ('{NETWORK}', 1, 9, 'epoch', 'epoch')",
    )
    held: list[Any] = []

    for number, state in ((2, "filling"), (3, "written"), (4, "indexing")):
        run(config, f"UPDATE ingest.bulk SET state = '{state}', raw_end = {'NULL' if number == 2 else 1}")
        log.append(Block(number, [Event(tx=f"t{number}", source="alice", target="alice")]))
        await outlet.harness.read(log)
        await outlet.publish_all()
        held.append(len(told(outlet)))
    run(config, "UPDATE ingest.bulk SET state = 'done'")
    await outlet.publish_all()

    assert held == [1, 1, 1]
    assert [change["block_number"] for change in told(outlet)] == [1, 2, 3, 4]
    for topic in TOPICS:
        records = outlet.read(topic)
        assert [r["prev_seq"] for r in records] == [0, *[r["seq"] for r in records]][:-1], topic


def told(outlet: Any) -> list[dict[str, Any]]:
    return [change for change in outlet.read("ownership_changed") if change["kind"] != "finality"]
