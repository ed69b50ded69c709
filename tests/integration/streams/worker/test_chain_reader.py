"""A second reader of a raw topic: its own topic and its own place, whatever the first one does."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ft.config import Config
from ft.schemas import domains
from ft.schemas.events import RawBlock
from tests import sample_reader
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, finalize, open_raw, revert
from tests.integration.agents.normalize.test_normalize import broken_log
from tests.integration.streams.worker.conftest import StartWorker
from tests.sample_reader import COUNTED, DOMAIN, UNLUCKY
from tests.synthetic.chain import Block, Chain, append
from tests.topic_ends import read_all

SPINE = "normalize,ledger,publisher,project"
PLACES = "SELECT consumer, next_offset FROM system.partition_owner WHERE topic LIKE '%%.raw' ORDER BY 1"
CHAIN = "SELECT number, hash, state, final, raw_offset FROM {}.blocks ORDER BY 1, 2"


@pytest.fixture
def raw(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawTopic]:
    monkeypatch.setitem(domains._declared, DOMAIN.name, DOMAIN)
    made = replace(config, session_timeout_s=6.0, domains=(sample_reader.__name__,))
    with open_raw(made, tmp_path) as opened:
        yield opened


def standing(raw: RawTopic) -> Counter[str]:
    """Logs a contract, of the blocks that count, by what a reader of the topic makes of it."""
    topic, found = f"{raw.facts.topics.own}{COUNTED}", Counter[str]()
    for partition in range(raw.facts.partitions):
        position, blocks = -1, dict[str, Counter[str]]()
        for message in read_all(raw.config, topic, partition, anew=True):
            record = raw.facts.codecs[topic].decode(message.value)
            if record["position"] <= position:
                continue
            position = record["position"]
            if record["op"] == "append":
                assert record["block_hash"] not in blocks
                blocks[record["block_hash"]] = Counter({each["contract"]: each["logs"] for each in record["events"]})
            elif record["op"] == "revert":
                blocks.pop(record["block_hash"], None)
        for counted in blocks.values():
            found += counted
    return found


def expected(blocks: list[Block]) -> Counter[str]:
    found = Counter[str]()
    for block in blocks:
        each = Counter(move.contract for move in block.moves)
        found += Counter({contract: count for contract, count in each.items() if count != UNLUCKY})
    return found


def logs_in(record: RawBlock) -> int:
    receipts = next(part.bytes for part in record.parts if part.name == "receipts")
    return sum(len(receipt["logs"]) for receipt in json.loads(receipts))


def written(raw: RawTopic) -> list[tuple[Any, ...]]:
    return [row for row in raw.rows(PLACES) if row[1] > 0]


async def test_a_second_reader_begins_at_the_first_record_and_goes_its_own_way(
    raw: RawTopic, start_worker: StartWorker
) -> None:
    chain = Chain(seed=8, network=NETWORK, logs=40, contracts=6)
    records = [claim(), *appends(chain, 10, lease=0, first=True)]
    undone = chain.undo(3)
    records += [*[revert(block, 0) for block in undone], *appends(chain, 4, lease=0), finalize(chain.blocks[2], 0)]
    await raw.write(*records)
    worker = start_worker(SPINE)
    await raw.until(lambda: written(raw) == [("normalize", len(records))], within_s=120)
    assert worker.terminate() == 0

    more = [*appends(chain, 3, lease=0), finalize(chain.blocks[5], 0)]
    await raw.write(*more)
    worker = start_worker(f"{SPINE},logs")
    end = len(records) + len(more)
    await raw.until(lambda: written(raw) == [("logs", end), ("normalize", end)], within_s=120)
    assert worker.terminate() == 0

    assert standing(raw) == expected(chain.blocks)
    assert raw.rows(CHAIN.format("logs_chain")) == raw.rows(CHAIN.format("ingest"))
    quarantined = raw.rows("SELECT contract, reason, error, state FROM logs_chain.quarantine WHERE state = 'open'")
    unlucky = [c for b in chain.blocks for c, n in Counter(move.contract for move in b.moves).items() if n == UNLUCKY]
    assert sorted(row[0] for row in quarantined) == sorted(unlucky) != []
    assert raw.rows("SELECT count(*) FROM ingest.quarantine") == [(0,)]


async def test_what_one_reader_cannot_read_stops_neither(raw: RawTopic, start_worker: StartWorker) -> None:
    """A log that is no NFT event is a hole of normalize alone; a record that is no block is a letter of both."""
    chain = Chain(seed=9, network=NETWORK, logs=5, contracts=3)
    first = append(chain.grow(), NETWORK, lease=0, starts_range=True)
    second: RawBlock = broken_log(append(chain.grow(), NETWORK, lease=0))
    await raw.write(claim(), first, b"nonsense", second)

    worker = start_worker(f"{SPINE},logs")
    await raw.until(lambda: written(raw) == [("logs", 4), ("normalize", 4)], within_s=120)
    assert worker.terminate() == 0

    assert standing(raw).total() == logs_in(first) + logs_in(second)
    assert raw.rows("SELECT consumer, reason FROM system.dlq ORDER BY 1") == [
        ("logs", "malformed"),
        ("normalize", "malformed"),
    ]
    assert raw.rows("SELECT count(*) FROM ingest.quarantine") == [(1,)]
    assert raw.rows("SELECT count(*) FROM logs_chain.quarantine") == [(0,)]
