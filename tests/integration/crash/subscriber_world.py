"""A subscriber's story: what the publisher announces for the story of the raw log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ft.agents.project.hop import Project
from ft.schemas.changes import SIGN, Change
from ft.schemas.domains import Domain
from ft.streams.deployment.generations import ONLY_ONE
from ft.streams.kafka.producer import Producer
from ft.streams.worker.announcing import Announcements, DomainPublisher
from ft.streams.worker.claims import Claims
from ft.streams.worker.hop import run_hop
from ft.streams.worker.ledger_heads import LedgerHeads, heads_of
from ft.streams.worker.subscriber import Subscriber, Subscription
from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.crash.dying import Campaign, settle
from tests.integration.crash.feeding import Place, Record, Stream, Topics, empty, round_robin, rows
from tests.integration.crash.ledger_world import LedgerWorld
from tests.integration.crash.life import Life
from tests.integration.crash.normalize_world import NormalizeWorld
from tests.integration.crash.sites import sites_of
from tests.integration.crash.troubles import quick, troubled

_BUNDLES: Final = 6  # of a batch
_UNREADABLE: Final = (14, 20)
"""Offsets: the last record of a first batch, and one in the middle of another."""
PROJECTIONS: Final = {
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
}
_KEPT: Final = {
    "heads": "SELECT consumer, partition, network, position, head_number, head_hash, head_time, safe, finalized,"
    " open_block, after_seq FROM system.partition_head ORDER BY 1, 2, 3",
    "cursors": "SELECT consumer, partition, next_offset, next_seq FROM system.partition_owner ORDER BY 1, 2",
    "dlq": 'SELECT partition, "offset", reason, error, payload, state FROM system.dlq ORDER BY 1, 2, 3',
}


_WAITING: Final = "SELECT count(*) FROM system.outbox_cursor WHERE written > announced"


class SubscriberWorld:
    """Announcements on a real topic, and a subscriber with the loop that runs it; of a domain, its publisher too."""

    def __init__(
        self, raw: RawTopic, subscriber: type[Subscriber[Change]] = Project, state: Mapping[str, str] = PROJECTIONS, *,
        domain: Domain | None = None, is_troubled: bool = False,
    ) -> None:  # fmt: skip
        """``state``: name -> query of the tables that must be the same in the end."""
        self.raw = raw
        self.is_troubled = is_troubled
        self._subscriber = subscriber
        self._state = {**state, **_KEPT}
        self._domain = domain
        self._own = raw.facts.topics.announced_by(domain) if domain else {}
        self.records: list[Record] = []
        self.heads: list[Record] = []
        self._topic, self._finality = raw.facts.topics.ownership_changed, raw.facts.topics.finality
        partitions = range(raw.facts.partitions)
        self._places: list[Place] = [(topic, p) for topic in (self._topic, self._finality) for p in partitions]
        self._sent = Topics(raw.config, [(topic, p) for topic in self._own.values() for p in partitions])

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
        """Of its own none but those of its heads and of its outbox."""
        statements = ("FROM system.partition_head", "FROM system.outbox_cursor")
        return troubled(*statements, singly=False) if self.is_troubled else quick()

    def begin(self) -> None:
        empty(self.raw.config.postgres)
        self._sent.mark()

    async def live(self, life: Life) -> None:
        config, facts, name = replace(self.raw.config, home=life.home), self.raw.facts, self._subscriber.consumer
        claims = Claims(config, f"{life.home}")
        claims.serve(self._topic, name)
        claims.serve(self._finality, heads_of(name))
        await claims.take({place: (0, len(self.records) + len(self.heads)) for place in self._places})
        codecs = {topic: facts.codecs[whole] for topic, whole in self._own.items()}
        publisher = DomainPublisher(config, self._domain, self._own, claims) if self._domain else None
        hop = Subscription(
            config, claims.owner, self._subscriber(), facts.codecs[self._topic],
            announces=lambda: Announcements(codecs, facts.partitions), on_commit=publisher.wake if publisher else _pass,
        )  # fmt: skip
        heads = LedgerHeads(config, claims.owner, facts.codecs[self._finality], self._topic, ONLY_ONE, name)
        if publisher:
            await publisher.start()
        half = self.heads[: len(self.heads) // 2]  # those are there before their place, the others after it
        for each, records in ((heads, half), (hop, self.records), (heads, self.heads)):
            await each.start()
            held = claims.of(each.consumer)
            stream = Stream(records, held, _nothing, size=5)
            await run_hop(stream, each, held, life.fail, batches_max=_BUNDLES, within_s=0.01)
            await each.stop()
        if publisher:
            await settle(lambda: rows(config.postgres, {"waiting": _WAITING}) == {"waiting": [(0,)]})
            await publisher.stop()

    def state(self) -> Any:
        """The tables, the heads, where the fence stands; and what stands of the announced, as a subscriber has it."""
        found: dict[str, Any] = dict(rows(self.raw.config.postgres, self._state))
        standing = Counter[tuple[Any, ...]]()
        for (topic, partition), records in self._sent.read().items():
            last = 0
            for record in map(self.raw.facts.codecs[topic].decode, (each.value for each in records)):
                seq, prev_seq = record.pop("seq"), record.pop("prev_seq")
                assert prev_seq <= last, f"{topic}-{partition}: a record is missing between {last} and {seq}"
                if seq > last:
                    last = seq
                    standing[(topic, *sorted((k, v) for k, v in record.items() if k != "op"))] += SIGN[record["op"]]
        return found | {"announced": sorted((key, n) for key, n in standing.items() if n)}


def _pass() -> None:
    return


async def _nothing() -> None:
    return


def _all(found: Iterable[list[Record]]) -> Iterator[Record]:
    for records in found:
        yield from records


def _damaged(record: Record) -> Record:
    if record.offset in _UNREADABLE:
        record.value = b"nonsense"
    return record


async def announced(raw: RawTopic, folder: Path, seed: int) -> None:
    """The story of the raw log, told to its end by normalize and by the ledger: what subscribers read is there."""
    first, second = NormalizeWorld(raw), LedgerWorld(raw)
    await first.write()
    await Campaign(first, sites_of([]), folder / "first", seed).listen()
    await second.write(first.sent.read())
    await Campaign(second, sites_of([]), folder / "second", seed).listen()
