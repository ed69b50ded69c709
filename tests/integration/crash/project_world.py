"""project's story: what the publisher announces for the story of the raw log."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final

from ft.agents.project.hop import Project
from ft.streams.claims import Claims
from ft.streams.hop import run_hop
from ft.streams.producer import Producer
from ft.streams.worker.ledger_heads import LedgerHeads
from ft.streams.worker.subscriber import Subscription
from tests.integration.crash.feeding import Place, Record, Stream, Topics, empty, round_robin, rows
from tests.integration.crash.life import Life
from tests.integration.crash.troubles import quick, troubled
from tests.integration.normalize.rawtopic import RawTopic

_BUNDLES: Final = 6  # of a batch
_UNREADABLE: Final = (14, 20)
"""Offsets: the last record of a first batch, and one in the middle of another."""
STATE: Final = {
    name: f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4"
    for name in (
        "projection.holdings",
        "projection.asset_cards",
        "projection.collection_stats",
        "projection.collection_activity",
        "catalog.assets",
    )
} | {
    # An account that gave everything away stays at 0, unless it came and went in one batch.
    "holders": "SELECT * FROM projection.collection_holders WHERE holdings <> 0 ORDER BY 1, 2, 3",
    "heads": "SELECT consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized,"
    " open_block, after_seq FROM system.partition_head ORDER BY 1, 2, 3",
    "cursors": "SELECT consumer, partition, next_offset, next_seq FROM system.partition_owner ORDER BY 1, 2",
    "dlq": 'SELECT partition, "offset", reason, error, payload, state FROM system.dlq ORDER BY 1, 2, 3',
}


class ProjectWorld:
    """Announcements on a real topic, and project with the loop that runs it."""

    def __init__(self, raw: RawTopic, *, is_troubled: bool = False) -> None:
        self.raw = raw
        self.is_troubled = is_troubled
        self.records: list[Record] = []
        self.heads: list[Record] = []
        self._topic, self._finality = raw.facts.topics.ownership_changed, raw.facts.topics.finality
        partitions = range(raw.facts.partitions)
        self._places: list[Place] = [(topic, p) for topic in (self._topic, self._finality) for p in partitions]

    async def write(self) -> None:
        """What the publisher sent, as the world's input; in each partition some of it is unreadable."""
        producer = Producer(self.raw.config)
        for topic, partition in self._places:
            producer.send(topic, partition, b"nonsense")
        await producer.flush_acknowledged()
        log = Topics(self.raw.config, self._places)
        found = log.read()
        changes, heads = (
            [found[place] for place in self._places if place[0] == t] for t in (self._topic, self._finality)
        )
        self.records, self.heads = round_robin(map(_damaged, _all(changes))), round_robin(_all(heads))
        log.close()

    def troubles(self) -> AbstractContextManager[None]:
        """None of project's own."""
        return troubled("FROM system.partition_head") if self.is_troubled else quick()

    def begin(self) -> None:
        empty(self.raw.config.postgres)

    async def live(self, life: Life) -> None:
        config = replace(self.raw.config, home=life.home)
        claims = Claims(config, f"{life.home}")
        claims.serve(self._topic, "project")
        claims.serve(self._finality, "heads")
        await claims.take({place: (0, len(self.records) + len(self.heads)) for place in self._places})
        codecs = self.raw.facts.codecs
        hop = Subscription(config, claims.owner, Project(), codecs[self._topic])
        heads = LedgerHeads(config, claims.owner, codecs[self._finality], self._topic)
        half = self.heads[: len(self.heads) // 2]  # those are there before their place, the others after it
        for each, records in ((heads, half), (hop, self.records), (heads, self.heads)):
            await each.start()
            held = claims.of(each.consumer)
            stream = Stream(records, held, _nothing, size=5)
            await run_hop(stream, each, held, life.fail, bundles=_BUNDLES, within_s=0.01)
            await each.stop()

    def state(self) -> Any:
        """The projections, the heads and where the fence stands."""
        return dict(rows(self.raw.config.postgres, STATE))


async def _nothing() -> None:
    return


def _all(found: Iterable[list[Record]]) -> Iterator[Record]:
    for records in found:
        yield from records


def _damaged(record: Record) -> Record:
    if record.offset in _UNREADABLE:
        record.value = b"nonsense"
    return record
