"""``faust -A tests.acceptance.counting worker``: ft's worker with one more subscriber of ownership_changed, a slow one.

It counts what each account got, less what was taken back, and lags so far behind that it reads apart.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ft.agents.pipeline import app
from ft.schemas.changes import SIGN, Change
from ft.streams.worker.lane import Lane
from ft.streams.worker.ledger_heads import LedgerHeads
from ft.streams.worker.subscriber import Subscriber, Subscription, Tx

APART_BYTES: Final = 30_000
A_RECORD_S: Final = 0.004
_ADD: Final = """
    INSERT INTO counting.got AS g SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[])
    ON CONFLICT (network, account) DO UPDATE SET n = g.n + excluded.n
"""
_TICK: Final = """
    INSERT INTO counting.ticks AS t SELECT p, 1 FROM unnest(%s::int[]) AS p
    ON CONFLICT (partition) DO UPDATE SET n = t.n + 1
"""


class Counting(Subscriber[Change]):
    """Slow, with a timer."""

    consumer = "counting"
    records_max = 200
    idle_s = 0.2
    _failed = False

    def check(self, record: Change) -> str | None:
        return "expected a token id other than 13, got 13" if record.token_id == "13" else None

    async def apply(self, tx: Tx, records: Sequence[Change]) -> None:
        if not self._failed:
            self._failed = True
            raise ValueError("an error that nobody foresaw, once in each process")
        got = Counter[tuple[str, str]]()
        for record in records:
            got[record.network, record.to_account] += SIGN[record.op]
        networks, accounts = zip(*sorted(got), strict=True)
        await tx.execute(_ADD, (list(networks), list(accounts), [got[key] for key in sorted(got)]))
        await asyncio.sleep(len(records) * A_RECORD_S)

    async def idle(self, tx: Tx) -> None:
        await tx.execute(_TICK, (sorted(tx.partitions),))


def _add_to(app: Any) -> None:
    pipeline = app.prepare.__self__
    prepare = pipeline.prepare

    async def with_one_more() -> None:
        await prepare()
        facts, config = pipeline.facts, app.config
        changes, finality = facts.topics.ownership_changed, facts.topics.finality
        hop = Subscription(
            config, app.owner, Counting(), facts.codecs[changes], facts.generations,
            held=lambda: app.claims.held("counting"),
        )  # fmt: skip
        told = LedgerHeads(config, app.owner, facts.codecs[finality], changes, facts.generations, "counting")
        for each, topic in ((hop, changes), (told, finality)):
            app.run(each, topic, name=each.consumer, batch_size=100, batches_max=2, within_s=0.05, is_vital=False)

    app.prepare = with_one_more


defaults: Any = Lane.__init__.__kwdefaults__
defaults["apart_bytes"] = APART_BYTES
_add_to(app)
