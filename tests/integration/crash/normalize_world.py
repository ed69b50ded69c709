"""normalize's story: a raw log with everything in it that a network's log may have."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import psycopg
import pytest

from ft.agents.decode.topics import TRANSFER_BATCH
from ft.schemas.events import NormalizedBatch, RawBlock, from_record
from ft.streams.worker.ceilings import UNBOUNDED
from ft.streams.worker.chain_reader.hop import ChainReading
from ft.streams.worker.claims import Claims
from ft.streams.worker.hop import run_hop
from ft.streams.worker.room import Room
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, Sent, claim, finalize, revert, taken
from tests.integration.agents.normalize.test_normalize import broken_log
from tests.integration.crash.dying import settle
from tests.integration.crash.feeding import Record, Stream, Topics, empty, rows
from tests.integration.crash.life import Life
from tests.integration.crash.troubles import quick, troubled
from tests.synthetic.chain import Chain, append

_BUNDLES: Final = 2  # of a batch
STATE: Final = {
    "blocks": "SELECT number, hash, parent, time, state, final, digest, proof, raw_offset FROM ingest.blocks"
    " ORDER BY 1, 2",
    "coverage": 'SELECT "from", "to", proof, raw_offset FROM ingest.coverage ORDER BY 1',
    "heads": "SELECT * FROM ingest.heads",
    "created": "SELECT contract, number, hash, tx_hash, reasons FROM ingest.created ORDER BY 1",
    "contracts": f"SELECT contract, in_force_from FROM ref.contracts WHERE network = '{NETWORK}' ORDER BY 1",
    "undecoded": "SELECT contract, heights FROM ingest.undecoded ORDER BY 1",
    "quarantine": "SELECT block_number, block_hash, contract, tx_hash, log_index, reason, error, payload, raw_offset,"
    " state FROM ingest.quarantine ORDER BY 1, 2, 3, 5",
    "dlq": 'SELECT consumer, "offset", reason, error, payload, state FROM system.dlq ORDER BY 2, 3',
    "cursor": "SELECT consumer, partition, next_offset FROM system.partition_owner",
}


def story() -> list[RawBlock | bytes | None]:
    """A claim, blocks, a batch, holes, letters, finality, a reorg that brings some back, a new claim, a correction."""
    chain = Chain(seed=5, network=NETWORK, logs=8, contracts=8, accounts=40, start=19)

    def grown(**fields: Any) -> RawBlock:
        return append(chain.grow(), NETWORK, **fields)

    first = grown(lease=0, starts_range=True)
    blocks = [replace(first, proof="logs"), batched(grown(lease=0)), broken_log(grown(lease=0))]
    blocks += [grown(lease=0), grown(lease=0)]
    final = chain.blocks[0]
    records: list[RawBlock | bytes | None] = [claim(), *blocks[:3], b"nonsense", *blocks[3:], finalize(final, 0)]
    stray = chain.blocks[-1]
    records += [revert(block, 0) for block in chain.undo(3)]
    records += [batched(grown(lease=0)), grown(lease=0), None, grown(lease=0), grown(lease=0)]
    records += [append(stray, NETWORK, lease=77), first]  # of somebody who lost the lease; the same, better proven
    again = len(records)
    records += [claim(), *[revert(block, again) for block in chain.undo(2)]]
    records += [grown(lease=again), grown(lease=again), finalize(chain.blocks[1], again)]
    records += [revert(final, 0, reason="replace"), append(final, NETWORK, finalized=final.number, starts_range=True)]
    return [*records, grown(lease=again)]


def batched(record: RawBlock) -> RawBlock:
    """The block with its first log an ERC-1155 batch of three tokens, minted."""
    parts = {part.name: part for part in record.parts}
    receipts = json.loads(parts["receipts"].bytes)
    log = receipts[0]["logs"][0]
    log["address"] = "0x" + "77" * 20
    log["topics"] = [TRANSFER_BATCH, *["0x" + word.rjust(64, "0") for word in ("0e", "00", "ab")]]
    words = (0x40, 0xC0, 3, 11, 12, 13, 3, 5, 6, 7)
    log["data"] = "0x" + "".join(f"{word:064x}" for word in words)
    parts["receipts"] = replace(parts["receipts"], bytes=json.dumps(receipts).encode())
    return replace(record, parts=list(parts.values()))


class NormalizeWorld:
    """Raw records on a real topic, and the normalizer with the loop that runs it."""

    def __init__(self, raw: RawTopic, *, is_troubled: bool = False) -> None:
        self.raw = raw
        self.is_troubled = is_troubled
        self.records: list[Record] = []
        self._topics = raw.facts.topics
        single = [(name, 0) for name in (self._topics.dead_letter, self._topics.quarantine)]
        places = [(self._topics.normalized, p) for p in range(raw.facts.partitions)]
        self.sent = Topics(raw.config, [*places, *single])

    async def write(self) -> None:
        """The story, on the raw topic."""
        records = story()
        await self.raw.write(*records)
        log = Topics(self.raw.config, [(self.raw.topic, 0)])
        self.records = log.read()[self.raw.topic, 0]
        log.close()

    @contextmanager
    def troubles(self) -> Iterator[None]:
        """Blocks are decoded in a thread; partitions are told of the head at once."""
        around = troubled("FROM ingest.heads", "INSERT INTO ingest.heads") if self.is_troubled else quick()
        with around, pytest.MonkeyPatch.context() as patch:
            patch.setattr("ft.streams.worker.chain_reader.fold._THREAD_BYTES", 1)
            patch.setattr("ft.streams.worker.chain_reader.hop.WATERMARK_S", 0.02)
            yield

    def begin(self) -> None:
        empty(self.raw.config.postgres)
        with psycopg.connect(self.raw.config.postgres) as conn:
            conn.execute("DELETE FROM ref.contracts WHERE network = %s", (NETWORK,))
            conn.execute(
                "INSERT INTO ref.contracts (network, contract, layout) VALUES (%s, %s, 'id_in_data')",
                (NETWORK, "0x" + "ab" * 20),
            )
        self.sent.mark()

    async def live(self, life: Life) -> None:
        claims = Claims(self.raw.config, f"{life.home}")
        claims.serve(self.raw.topic, "normalize")
        await claims.take({(self.raw.topic, 0): (0, len(self.records))})
        config = replace(self.raw.config, home=life.home)
        room = Room()
        room.most = UNBOUNDED  # no ledger takes anything away
        hop = ChainReading(config, claims, self.raw.reading(), self.raw.codec, self.raw.sender, life.fail, room)
        partitions = [(self._topics.normalized, p) for p in range(self.raw.facts.partitions)]

        async def told() -> None:
            last = len(self.records) - 1
            await settle(lambda: all(life.told.get(place, -1) == last for place in partitions))

        await hop.start()
        held = claims.of("normalize")
        stream = Stream(self.records, held, told, size=2)
        await run_hop(stream, hop, held, life.fail, batches_max=_BUNDLES, within_s=0.01)
        await asyncio.sleep(0)
        await hop.stop()

    def state(self) -> Any:
        """Tables, and the topics as a reader that checks positions has them; letters are at least once."""
        found: dict[str, Any] = dict(rows(self.raw.config.postgres, STATE))
        for (topic, partition), records in self.sent.read().items():
            codec = self.raw.facts.codecs[topic]
            values = [codec.decode(record.value) for record in records]
            if topic == self._topics.normalized:
                batches = [from_record(NormalizedBatch, value) for value in values]
                found[f"normalized {partition}"] = taken(Sent(0, {}, batch) for batch in batches)
                found[f"told {partition}"] = (batches[-1].position, batches[-1].head_hash, batches[-1].finalized)
            else:
                letters = {(v["offset"], v["reason"], v["error"], v["contract"]) for v in values}
                found[topic] = sorted(letters)
        return found
