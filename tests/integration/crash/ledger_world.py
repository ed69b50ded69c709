"""The ledger's story, and the publisher's beside it: what normalize sends for the story of the raw log."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import psycopg
import pytest

from ft.agents.ledger.hop import Ledger
from ft.agents.ledger.unsettled import Marks
from ft.agents.publish.announcements import TOPICS, Topic
from ft.agents.publish.publisher import Publisher
from ft.schemas.events import NormalizedBatch, from_record, to_record
from ft.streams.kafka.producer import Producer
from ft.streams.worker.claims import Claims
from ft.streams.worker.hop import run_hop
from tests.integration.agents.ledger.harness import CODEC, Block, Event, Log, say_hashes_repeat
from tests.integration.agents.ledger.reading import normalized
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic
from tests.integration.crash.dying import settle
from tests.integration.crash.feeding import Record, Stream, Topics, empty, round_robin, rows
from tests.integration.crash.life import Life
from tests.integration.crash.troubles import quick, troubled

_BUNDLES: Final = 6  # of a batch
_EVENTS_MAX: Final = 20  # of a transaction
STATE: Final = {
    "journal": "SELECT partition, network, block_number, block_hash, block_time, tx_hash, tx_from, contract, topic0, n,"
    ' sub_index, log_index, revision, op, standard, token_id, "from", "to", operator, quantity, control'
    " FROM ledger.events WHERE op <> 'finality' ORDER BY partition, seq",
    "gaps": "SELECT partition FROM ledger.events GROUP BY 1 HAVING min(seq) <> 1 OR max(seq) <> count(*)",
    "live": "SELECT tx_hash, contract, topic0, n, sub_index, revision, block_hash FROM ledger.normalized_events"
    " ORDER BY 1, 2, 3, 4, 5",
    "owners": "SELECT * FROM market.ownership_current ORDER BY network, contract, token_id, slot",
    "covered": "SELECT * FROM ledger.covered_balances ORDER BY network, contract, token_id, account",
    "slices": "SELECT network, block_hash, partition, state, number, time, digest, proof, seq_to - seq_from,"
    " (SELECT count(*) FROM ledger.events e WHERE e.partition = a.partition AND e.block_hash = a.block_hash"
    " AND seq BETWEEN seq_from AND seq_to AND op = 'apply') FROM ledger.applied_blocks a ORDER BY 1, 2, 3",
    "retracted": "SELECT network, tx_hash, contract, topic0, n, sub_index, revision, partition FROM ledger.retracted"
    " ORDER BY 1, 2, 3, 4, 5, 6, 7",
    "heads": "SELECT partition, network, position, head_number, head_hash, head_time, safe, finalized, reorg_from,"
    " reorg_to, reverted_max FROM system.partition_head ORDER BY 1, 2",
    "told": "SELECT partition, network, told_safe, told_finalized FROM system.partition_head ORDER BY 1, 2",
    "findings": "SELECT network, contract, token_id, kind, detail, block_hash FROM system.findings ORDER BY 1, 2, 3",
    "kinds": "SELECT network, contract, single, multi FROM ledger.contract_kinds ORDER BY 1, 2",
    "cursors": "SELECT partition, next_offset FROM system.partition_owner ORDER BY 1",
    "announced": "SELECT c.partition, c.seq = o.next_seq - 1 FROM system.publish_cursor c"
    " JOIN system.partition_owner o USING (partition) ORDER BY 1",
    "dlq": "SELECT partition, \"offset\", reason, error, payload, state FROM system.dlq WHERE consumer = 'ledger'"
    " ORDER BY 1, 2, 3",
    "quarantine": "SELECT block_number, block_hash, contract, reason, error, raw_offset, state FROM ingest.quarantine"
    " ORDER BY 1, 2, 3",
}
_BEHIND: Final = """
    SELECT count(*) FROM system.partition_head h
    JOIN system.partition_owner o USING (consumer, partition)
    LEFT JOIN system.publish_cursor c USING (partition)
    WHERE c.seq IS DISTINCT FROM o.next_seq - 1
"""
_HEADS: Final = "SELECT count(*) FROM system.partition_head WHERE consumer = 'ledger'"
_ODD: Final = "odd"
_TROUBLED: Final = ("make_month", "ledger.applied_blocks", "SET seq = k.seq")
_RELEASE: Final = "UPDATE system.publish_cursor SET blocked = NULL WHERE blocked IS NOT NULL"


def odd() -> Log:
    """Another network: a token that is minted while somebody has it, one whose movements are told twice each, and one
    with balances, which somebody has alone until that falls.

    The second movement is in a transaction of its own, because its block is as large as one may be; so is what makes
    the last one somebody's alone, and its retraction.
    """
    log = Log()
    mint = Event(tx="mint", contract="coin", target="alice")
    log.append(Block(1, [mint]))
    for number, (source, target) in enumerate((("", "alice"), ("alice", "bob")), 2):
        moved = Event(tx=f"t{number}", contract="hybrid", source=source, target=target)
        others = [Event(tx=f"o{number}", token=n, n=n, contract="coin", target="bob") for n in range(2, _EVENTS_MAX)]
        events = [moved, replace(moved, standard="erc1155"), *others[: _EVENTS_MAX * (number - 2)]]
        log.append(Block(number, events), echo=[False, True, *[False] * (len(events) - 2)])
    coins = Event(tx="coins", token=5, contract="hybrid", target="alice", quantity=10, standard="erc1155")
    log.append(Block(4, [replace(mint, tx="again", target="bob"), coins]))
    alone = Event(tx="alone", token=5, contract="hybrid", source="alice", target="bob")
    under = replace(alone, tx="under", source="bob", target="carol", standard="erc1155")
    others = [Event(tx="o5", token=100 + n, n=n, contract="coin", target="bob") for n in range(1, _EVENTS_MAX - 1)]
    log.append(Block(5, [alone, under, *others]))
    log.revert(log.chain[-1])
    return log


class LedgerWorld:
    """Normalized records on a real topic; the ledger with its publisher, and the loop that runs them."""

    def __init__(self, raw: RawTopic, *, is_troubled: bool = False) -> None:
        self.raw = raw
        self.is_troubled = is_troubled
        self.records: list[Record] = []
        names = raw.facts.topics
        self._partitions = raw.facts.partitions
        self._topic = names.normalized
        self._topics: dict[Topic, str] = {name: getattr(names, name) for name in TOPICS}
        self._codecs = {name: raw.facts.codecs[topic] for name, topic in self._topics.items()}
        self.sent = Topics(raw.config, [(topic, p) for topic in self._topics.values() for p in range(self._partitions)])

    async def write(self, records: Mapping[tuple[str, int], list[Record]]) -> None:
        """What normalize sent, as the world's input, and behind it what the ledger refuses."""
        producer, codec = Producer(self.raw.config), self.raw.facts.codecs[self._topic]
        last = max(record.offset for found in records.values() for record in found)
        unfit = NormalizedBatch(
            network=NETWORK, op="append", position=10_000 + last, partition=1, block_number=900, block_hash="0xodd",
            block_time=1, proof="receipts", digest="d", head_number=8, head_hash="0xhead", head_time=1_704_067_300,
            safe=2, finalized=2,
        )  # fmt: skip
        for partition, value in ((0, b"nonsense"), (1, codec.encode(to_record(unfit)))):
            producer.send(self._topic, partition, value)
        for message in odd().records[0]:
            record = from_record(NormalizedBatch, CODEC.decode(message.value))
            producer.send(self._topic, 0, codec.encode(to_record(replace(record, network=_ODD))))
        await producer.flush_acknowledged()
        log = Topics(self.raw.config, records)
        places = [(self._topic, partition) for partition in range(self._partitions)]
        self.records = round_robin(record for place, found in log.read().items() if place in places for record in found)
        log.close()

    @contextmanager
    def troubles(self) -> Iterator[None]:
        """Heads are soon due; rows are asked for in small pieces."""
        around = troubled(*_TROUBLED) if self.is_troubled else quick()
        with around, pytest.MonkeyPatch.context() as patch:
            patch.setattr("ft.agents.ledger.hop.FINALITY_INTERVAL_S", 0.1)
            patch.setattr("ft.agents.ledger.hop.TICK_S", 0.03)
            patch.setattr("ft.agents.publish.publisher.ROWS_MAX", 15)
            yield

    def begin(self) -> None:
        empty(self.raw.config.postgres)
        say_hashes_repeat(self.raw.config, not self.is_troubled, NETWORK)  # the cache knows, or the journal is asked
        normalized(self.raw.config, odd(), network=_ODD)
        self.sent.mark()

    async def live(self, life: Life) -> None:
        config = replace(self.raw.config, home=life.home, batch_events_max=_EVENTS_MAX)
        claims = Claims(config, f"{life.home}")
        claims.serve(self._topic, "ledger")
        ends = {(self._topic, p): (0, len(self.records)) for p in range(self._partitions)}
        await claims.take(ends)
        publisher = Publisher(config, claims, self._codecs, topic=self._topic, fail=life.fail)
        codec = self.raw.facts.codecs[self._topic]
        hop = Ledger(
            config, claims, codec, topic=self._topic, partitions=self._partitions, owner=claims.owner,
            publisher=publisher, fail=life.fail,
        )  # fmt: skip
        await hop.start()
        with psycopg.connect(config.postgres, autocommit=True) as conn:

            def is_told() -> bool:
                conn.execute(_RELEASE)  # as `ft dlq replay` does
                if conn.execute(_BEHIND).fetchall() != [(0,)]:
                    return False
                held = {claim.partition for claim in claims.held("ledger")}
                partition_heads, said = (
                    hop._cache.partition_heads(held),
                    {key: head.head for key, (head, _) in hop._last.items()},
                )
                all_said = all(not at.moved and said.get(key) == at.head for key, at in partition_heads.items())
                known = conn.execute(_HEADS).fetchall() == [
                    (len(partition_heads),)
                ]  # after an error they are read anew
                return known and all_said and not any(map(publisher._heads.waits, held))

            async def told() -> None:
                await settle(is_told)

            held = claims.of("ledger")
            stream = Stream(self.records, held, told, size=2)
            await run_hop(stream, hop, held, life.fail, batches_max=_BUNDLES, within_s=0.01)
        await hop.stop()

    def state(self) -> Any:
        """Tables, and the topics as a subscriber has them that drops what it has seen."""
        found: dict[str, Any] = dict(rows(self.raw.config.postgres, STATE))
        names = {topic: name for name, topic in self._topics.items()}
        for (topic, partition), records in self.sent.read().items():
            codec = self._codecs[names[topic]]
            decoded = [codec.decode(record.value) for record in records]
            found[f"{names[topic]} {partition}"] = (
                heads(decoded) if topic == self._topics["finality"] else subscribed(decoded)
            )
        return found


def subscribed(records: list[dict[str, Any]]) -> list[Any]:
    """What a subscriber keeps: each seq once, in order, none lost; of live events, how final they are known to be."""
    kept: dict[int, dict[str, Any]] = {}
    facts: list[dict[str, Any]] = []
    last = 0
    for record in records:
        seq, prev_seq = record.pop("seq"), record.pop("prev_seq")
        status = record.pop("finality_status", None)  # at publishing
        if seq <= last:
            assert kept[seq] == record, f"seq {seq}: expected {kept[seq]}, got {record}"
            continue
        assert prev_seq == last, f"seq {seq}: expected that it follows {last}, got {prev_seq}"
        last = seq
        kept[seq] = dict(record)
        if record.get("kind") != "finality":
            facts.append(record | {"known": status})
            continue
        for fact in facts:
            if fact["network"] == record["network"]:
                marks = Marks(record["safe"], record["finalized"])
                fact["known"] = marks.status(fact["block_number"])
    latest = {fact["event_id"]: fact for fact in facts if fact.get("kind")}
    live = [id(fact) for fact in latest.values() if fact["op"] == "apply"]
    return [fact if id(fact) in live else fact | {"known": None} for fact in facts]


def heads(records: list[dict[str, Any]]) -> list[Any]:
    """What a subscriber keeps of heads: the last of each network, of those whose seq rises."""
    latest: dict[str, dict[str, Any]] = {}
    last = 0
    for record in records:
        seq, prev_seq = record.pop("seq"), record.pop("prev_seq")
        if seq <= last:
            continue
        assert prev_seq <= last, f"seq {seq}: expected that it follows {last}, got {prev_seq}"
        last = seq
        before = latest.get(record["network"], record)
        for name in ("position", "ownership_seq"):
            assert before[name] <= record[name], f"seq {seq}: expected {name} of at least {before[name]}, got {record}"
        latest[record["network"]] = record
    return [{**latest[name], "position": None, "ownership_seq": None} for name in sorted(latest)]
