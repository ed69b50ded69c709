"""raw -> normalized on a real broker and a real Postgres."""

import json
import shutil
from dataclasses import replace
from typing import Any

import pytest

from ft.errors import Fenced
from ft.schemas.events import RawBlock
from ft.streams.worker.chain_reader import sender
from ft.streams.worker.fence import Writer
from tests.integration.agents.normalize.conftest import MakeNormalizer, Normalizer
from tests.integration.agents.normalize.rawtopic import (
    NETWORK,
    RawTopic,
    appends,
    claim,
    events_of,
    expected_events,
    finalize,
    revert,
)
from tests.synthetic.chain import TRANSFER_SINGLE, Chain
from tests.synthetic.creation import creation
from tests.topic_ends import read_all


def chain_of(seed: int = 1, logs: int = 8, start: int = 1) -> Chain:
    return Chain(seed=seed, network=NETWORK, logs=logs, contracts=12, start=start)


async def test_a_delivered_block_reaches_each_partition_once(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 3, lease=0, first=True))

    await normalizer.run()

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.next_offset() == 4
    assert raw.rows("SELECT number, state, final FROM ingest.blocks ORDER BY 1") == [
        (1, "canonical", False),
        (2, "canonical", False),
        (3, "canonical", False),
    ]
    assert raw.rows('SELECT "from", "to", proof FROM ingest.coverage') == [(1, 3, "receipts")]


async def test_every_record_says_its_position_and_its_trace(raw: RawTopic, normalizer: Normalizer) -> None:
    trace = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    await raw.write(claim())
    await raw.write(*appends(chain_of(), 1, lease=0, first=True), headers=[("traceparent", trace)])

    await normalizer.run()

    sent = [record for records in raw.normalized().values() for record in records]
    assert {record.headers["position"] for record in sent} == {b"1"}
    assert {record.batch.position for record in sent} == {1}
    assert {record.headers["traceparent"] for record in sent} == {trace}


async def test_a_reorg_goes_to_all_partitions_and_leaves_the_other_branch(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    chain = chain_of()
    records = [claim(), *appends(chain, 4, lease=0, first=True)]
    undone = chain.undo(2)
    records += [revert(block, 0) for block in undone]
    records += appends(chain, 3, lease=0)
    await raw.write(*records)

    await normalizer.run()

    taken = raw.read_once()
    assert events_of(taken) == expected_events(chain.blocks)
    assert all(sum(batch.op == "revert" for batch in batches) == 2 for batches in taken.values())
    assert raw.rows("SELECT head_number, head_hash FROM ingest.heads") == [(5, chain.blocks[-1].hash)]
    assert raw.rows('SELECT "from", "to" FROM ingest.coverage') == [(1, 5)]
    assert raw.rows("SELECT count(*) FROM ingest.blocks WHERE state = 'reverted'") == [(2,)]


async def test_a_crash_between_produce_and_commit_repeats_positions_only(
    raw: RawTopic, make_normalizer: MakeNormalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = chain_of()
    records = [claim(), *appends(chain, 3, lease=0, first=True)]
    undone = chain.undo(1)
    await raw.write(*records, *[revert(block, 0) for block in undone], *appends(chain, 2, lease=0))
    first = await make_normalizer("one")

    async def crash(self: Writer, work: object) -> None:
        raise RuntimeError("killed before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "commit", crash)
        with pytest.raises(RuntimeError):
            await first.run()
    second = await make_normalizer("two")
    await second.run()

    sent = raw.normalized()
    assert sum(len(records) for records in sent.values()) > sum(len(found) for found in raw.read_once().values())
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.next_offset() == 7


async def test_of_two_processes_at_once_the_fenced_one_stops(raw: RawTopic, make_normalizer: MakeNormalizer) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 3, lease=0, first=True))
    first = await make_normalizer("one")
    second = await make_normalizer("two")

    await second.run()
    with pytest.raises(Fenced):
        await first.run()

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows("SELECT count(*) FROM ingest.blocks") == [(3,)]


async def test_a_new_process_goes_on_where_the_last_one_stood(raw: RawTopic, make_normalizer: MakeNormalizer) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 3, lease=0, first=True))
    await (await make_normalizer("one")).run()
    undone = chain.undo(2)
    await raw.write(*[revert(block, 0) for block in undone], *appends(chain, 2, lease=0))

    await (await make_normalizer("two")).run()

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]


async def test_finality_is_of_rows_and_reaches_every_partition(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of()
    await raw.write(claim(), *appends(chain, 4, lease=0, first=True))
    await raw.write(finalize(chain.blocks[2], 0))

    await normalizer.run()
    await normalizer.hop.start()
    await raw.until(lambda: all(records[-1].batch.position == 5 for records in raw.normalized().values()))

    assert raw.rows("SELECT number FROM ingest.blocks WHERE final ORDER BY 1") == [(1,), (2,), (3,)]
    assert {records[-1].batch.finalized for records in raw.normalized().values()} == {3}
    assert {records[-1].batch.op for records in raw.normalized().values()} == {"watermark"}


async def test_what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of()
    good = appends(chain, 2, lease=0, first=True)
    await raw.write(claim(), b"nonsense", good[0], None, good[1])

    await normalizer.run()

    assert raw.rows('SELECT "offset", reason FROM system.dlq ORDER BY 1') == [(1, "malformed"), (3, "malformed")]
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.next_offset() == 5


def broken_log(record: RawBlock) -> RawBlock:
    """The block with one ERC-1155 log cut short: its topic is that of an NFT event, its data is not."""
    parts = {part.name: part for part in record.parts}
    receipts = json.loads(parts["receipts"].bytes)
    log = receipts[0]["logs"][0]
    log["topics"][0], log["data"] = TRANSFER_SINGLE, "0x12"
    parts["receipts"] = replace(parts["receipts"], bytes=json.dumps(receipts).encode())
    return replace(record, parts=list(parts.values()))


async def test_a_log_that_cannot_be_read_is_a_hole_and_the_block_goes_on(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of()
    first, second = appends(chain, 2, lease=0, first=True)
    await raw.write(claim(), first, broken_log(second))

    await normalizer.run()
    holes = raw.rows("SELECT block_number, contract <> '', state FROM ingest.quarantine")
    await raw.write(revert(chain.blocks[1], 0))
    await normalizer.run()

    assert holes == [(2, True, "open")]
    assert raw.rows("SELECT state FROM ingest.quarantine") == [("reverted",)]
    assert len(read_all(raw.config, raw.facts.topics.quarantine)) == 1
    assert events_of(raw.read_once()) == expected_events(chain.blocks[:1])


async def test_a_block_that_is_not_its_envelopes_is_one_whole_hole(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of()
    first, second = appends(chain, 2, lease=0, first=True)
    await raw.write(claim(), first, replace(second, parts=first.parts))

    await normalizer.run()

    assert raw.rows("SELECT block_number, contract, reason FROM ingest.quarantine") == [(2, "", "malformed")]
    assert raw.rows("SELECT head_number FROM ingest.heads") == [(2,)]
    assert events_of(raw.read_once()) == expected_events(chain.blocks[:1])


async def test_a_final_block_is_replaced_in_place(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of()
    records = appends(chain, 3, lease=0, first=True, finalized=3)
    await raw.write(broken_log(records[0]), *records[1:])
    await normalizer.run()

    await raw.write(revert(chain.blocks[0], 0, reason="replace"), records[0])
    await normalizer.run()

    taken = raw.read_once()
    assert events_of(taken) == expected_events(chain.blocks)
    assert {b.reason for batches in taken.values() for b in batches if b.op == "revert"} == {"replace"}
    assert raw.rows("SELECT state FROM ingest.quarantine") == [("reverted",)]
    assert raw.rows("SELECT head_number, finalized, late_position FROM ingest.heads") == [(3, 3, 4)]
    assert raw.rows(LATE) == [(1, 1, 4)]
    assert raw.rows('SELECT "from", "to" FROM ingest.coverage') == [(1, 3)]


LATE = 'SELECT "from", "to", raw_offset FROM ingest.late ORDER BY raw_offset'


async def test_heights_that_came_late_are_named_with_the_record_that_a_partition_must_have_read(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    chain = chain_of()
    records = appends(chain, 9, lease=0, first=True, finalized=9)
    begin = replace(records[6], starts_range=True)
    await raw.write(begin, *records[7:])
    await normalizer.run()
    on_top = raw.rows(LATE)

    await raw.write(records[0], *records[1:4], replace(records[5], starts_range=True))
    await normalizer.run()

    assert on_top == []
    assert raw.rows(LATE) == [(1, 4, 6), (6, 6, 7)]


async def test_late_heights_are_forgotten_once_every_partition_has_read_so_far(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    chain = chain_of()
    records = appends(chain, 6, lease=0, first=True, finalized=6)
    others = raw.facts.partitions - 1
    found = []

    await raw.write(replace(records[5], starts_range=True), records[0])
    await normalizer.run()
    for positions, record in (
        ([1] * others, records[1]),
        ([1] * others + [0], records[2]),
        ([2] * others + [3], records[3]),
    ):
        stand(raw, positions)
        await raw.write(record)
        await normalizer.run()
        found.append([row[2] for row in raw.rows(LATE)])

    assert found == [[1, 2], [1, 2, 3], [3, 4]]


def stand(raw: RawTopic, positions: list[int]) -> None:
    """The raw offsets up to which partitions of the ledger have read."""
    query = (
        "INSERT INTO system.partition_head (consumer, partition, network, position)"
        " SELECT 'ledger', place, %(network)s, position"
        " FROM unnest(%(positions)s::bigint[]) WITH ORDINALITY AS p (position, place)"
        " ON CONFLICT (consumer, partition, network) DO UPDATE SET position = excluded.position RETURNING 1"
    )
    raw.rows(query, network=NETWORK, positions=positions)


async def test_a_branch_that_was_proven_leaves_nothing_late_and_what_was_not_does(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    chain = chain_of()
    records = appends(chain, 3, lease=0, first=True)
    await raw.write(claim(), records[0], replace(records[1], proof="logs", reasons=["bloom_superset"]), records[2])
    await raw.write(revert(chain.blocks[2], 0))
    await normalizer.run()
    proven = raw.rows(LATE)

    await raw.write(revert(chain.blocks[1], 0), records[1], records[2])
    await normalizer.run()

    assert proven == []
    assert raw.rows(LATE) == [(2, 2, 5)]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_reverted_block_with_a_hole_is_late(raw: RawTopic, normalizer: Normalizer, at_once: bool) -> None:
    chain = chain_of()
    records = appends(chain, 2, lease=0, first=True)
    await raw.write(claim(), records[0], broken_log(records[1]))
    if not at_once:
        await normalizer.run()

    await raw.write(revert(chain.blocks[1], 0))
    await normalizer.run()

    assert raw.rows(LATE) == [(2, 2, 3)]


async def test_a_better_proof_of_equal_content_is_noted_and_of_other_content_is_a_letter(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    chain = chain_of()
    records = appends(chain, 2, lease=0, first=True, finalized=2)
    await raw.write(replace(records[0], proof="logs"), broken_log(replace(records[1], proof="logs")))
    await normalizer.run()

    await raw.write(*records)
    await normalizer.run()

    assert raw.rows("SELECT number, proof FROM ingest.blocks ORDER BY 1") == [(1, "receipts"), (2, "logs")]
    assert raw.rows('SELECT "from", proof FROM ingest.coverage ORDER BY 1') == [(1, "receipts"), (2, "logs")]
    assert raw.rows("SELECT reason FROM system.dlq") == [("content_differs",)]
    assert raw.rows(LATE) == []


async def test_reasons_go_into_blocks_and_coverage_and_fewer_of_them_are_a_better_proof(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    chain = chain_of()
    records = appends(chain, 3, lease=0, first=True, finalized=3)
    doubted = [replace(record, reasons=["state_sync", "header"]) for record in records]
    await raw.write(*doubted)
    await normalizer.run()
    before = raw.rows('SELECT "from", "to", proof, reasons FROM ingest.coverage')

    await raw.write(records[1])
    await normalizer.run()

    assert before == [(1, 3, "receipts", "header,state_sync")]
    assert raw.rows("SELECT number, reasons, state FROM ingest.blocks ORDER BY 1") == [
        (1, "header,state_sync", "canonical"),
        (2, "", "canonical"),
        (3, "header,state_sync", "canonical"),
    ]
    assert raw.rows('SELECT "from", "to", reasons FROM ingest.coverage ORDER BY 1') == [
        (1, 1, "header,state_sync"),
        (2, 2, ""),
        (3, 3, "header,state_sync"),
    ]
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]


async def test_a_block_without_events_may_have_any_time_and_one_with_events_may_not(
    raw: RawTopic, normalizer: Normalizer
) -> None:
    quiet, busy = Chain(seed=1, network=NETWORK, logs=0), Chain(seed=1, network=NETWORK, logs=9)
    empty = at_time(appends(quiet, 1, lease=0, first=True, finalized=1)[0], 0)
    await raw.write(empty)
    await normalizer.run()
    assert raw.rows("SELECT count(*) FROM ingest.quarantine") == [(0,)]
    assert raw.rows('SELECT "from", "to" FROM ingest.coverage') == [(1, 1)]

    full = at_time(appends(busy, 1, lease=0, first=True, finalized=1)[0], 0)
    await raw.write(revert(quiet.blocks[0], 0, reason="replace"), full)
    await normalizer.run()

    ((error,),) = raw.rows("SELECT error FROM ingest.quarantine")
    assert "expected 2009 to 2099 of a block with events, got 0" in error


def at_time(record: RawBlock, time: int) -> RawBlock:
    """The same block, stating another time."""
    header = json.loads(record.parts[0].bytes) | {"timestamp": hex(time)}
    block = replace(record.parts[0], bytes=json.dumps(header).encode())
    return replace(record, time=time, parts=[block, *record.parts[1:]])


async def test_a_long_backfill_tells_every_partition_where_it_is(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = Chain(seed=1, network=NETWORK, logs=0)
    await raw.write(*appends(chain, 600, lease=0, first=True, finalized=10_000))

    await normalizer.run()

    for records in raw.normalized().values():
        assert [(r.batch.op, r.batch.position) for r in records] == [("watermark", 255), ("watermark", 511)]


@pytest.mark.parametrize("damage", ["deleted", "garbage", "stale"])
async def test_losing_the_rocksdb_table_changes_nothing(
    raw: RawTopic, make_normalizer: MakeNormalizer, damage: str
) -> None:
    chain = chain_of()
    records = appends(chain, 6, lease=0, first=True, finalized=4)
    await raw.write(claim(), *records)
    first = await make_normalizer("one")
    await first.run()
    await first.hop.stop()
    folder = raw.config.home / "rocksdb" / "normalize" / f"{raw.topic}-0"
    assert folder.is_dir()
    if damage == "deleted":
        shutil.rmtree(folder)
    elif damage == "garbage":
        for file in folder.iterdir():
            file.write_bytes(b"garbage")
    undone = chain.undo(1)
    await raw.write(records[1], *[revert(block, 0) for block in undone], *appends(chain, 2, lease=0))

    second = await make_normalizer("one" if damage != "stale" else "two")
    await second.run()

    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows("SELECT count(*) FROM system.dlq") == [(0,)]


CREATED = creation(20)[1]["contractAddress"]


async def test_a_created_contract_is_known_by_its_block(raw: RawTopic, normalizer: Normalizer) -> None:
    chain = chain_of(start=19)
    await raw.write(claim(), *appends(chain, 2, lease=0, first=True))

    await normalizer.run()
    created = raw.rows("SELECT contract, number, reasons, checked FROM ingest.created")
    await raw.write(revert(chain.blocks[1], 0))
    await normalizer.run()

    assert created == [(CREATED, 20, "", True)]
    assert raw.rows("SELECT count(*) FROM ingest.created") == [(0,)]


@pytest.mark.parametrize(
    ("part", "old", "new", "rows"),
    [
        ("block", '"transactionsRoot": "0x', '"transactionsRoot": "0xff', [(CREATED, 20, "transactions_root")]),
        ("block", '"to": null', '"to": "0x' + "cd" * 20 + '"', []),
        ("receipts", CREATED, "0x" + "cc" * 20, []),
    ],
)
async def test_a_creation_that_does_not_prove_itself_is_doubted_or_none(
    raw: RawTopic, normalizer: Normalizer, part: str, old: str, new: str, rows: list[Any]
) -> None:
    first, second = appends(chain_of(start=19), 2, lease=0, first=True)
    await raw.write(claim(), first, changed(second, part, old, new))

    await normalizer.run()

    assert raw.rows("SELECT contract, number, reasons FROM ingest.created") == rows


def changed(record: RawBlock, name: str, old: str, new: str) -> RawBlock:
    """The block with other text in a part."""
    parts = [
        replace(part, bytes=part.bytes.replace(old.encode(), new.encode())) if part.name == name else part
        for part in record.parts
    ]
    return replace(record, parts=parts)


async def test_a_slice_that_is_too_large_is_a_hole_of_its_contracts(
    raw: RawTopic, normalizer: Normalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = chain_of(logs=40)
    monkeypatch.setattr(sender, "SLICE_BYTES_MAX", 100)
    await raw.write(claim(), *appends(chain, 1, lease=0, first=True))

    await normalizer.run()

    contracts = {move.contract for tx in chain.blocks[0].txs for move in tx.moves}
    holes = raw.rows("SELECT contract, reason FROM ingest.quarantine")
    assert sorted(holes) == sorted((contract, "slice_too_large") for contract in contracts)
    assert events_of(raw.read_once()) == []
    assert raw.next_offset() == 2
