"""raw -> normalized on a real broker and a real Postgres."""

import pytest

from ft.errors import Fenced
from ft.streams.checkpoint import Writer
from tests.integration.normalize.conftest import MakeNormalizer, Normalizer
from tests.integration.normalize.rawtopic import (
    NETWORK,
    RawTopic,
    appends,
    claim,
    events_of,
    expected_events,
    finalize,
    revert,
)
from tests.synthetic.chain import Chain


def chain_of(seed: int = 1, logs: int = 8) -> Chain:
    return Chain(seed=seed, network=NETWORK, logs=logs, contracts=12)


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
