"""ownership_changed on a real broker, projections in a real Postgres: each record takes effect exactly once."""

from dataclasses import replace
from random import Random

import psycopg
import pytest

from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged
from ft.streams.kafka.message import Message
from ft.streams.worker.subscriber import LostRecords
from tests.integration.agents.project.subscribing import Process, encoded, publish, published, tables
from tests.synthetic.changes import History, history, recount


@pytest.mark.parametrize("seed", [27, 33])
async def test_what_is_read_late_and_what_came_back_are_told_apart_from_one_record_and_process_to_the_next(
    config: Config, codec: Codec, seed: int
) -> None:
    made = history(Random(seed))
    await publish(config, encoded(codec, made.records))
    messages = published(config)

    for end in range(10, len(messages) + 10, 10):
        await Process(config, codec, f"until {end}").work_through(messages[:end], 1)

    assert tables(config.postgres) == recount(made)


async def test_a_rebuild_from_the_beginning_gives_equal_rows(
    config: Config, codec: Codec, messages: list[Message]
) -> None:
    await Process(config, codec, "one").work_through(messages, 50)
    before = _everything(config.postgres)
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "TRUNCATE projection.holdings, projection.asset_cards, projection.collection_holders, catalog.assets,"
            " projection.collection_stats, projection.collection_activity, system.partition_owner"
        )

    await Process(config, codec, "anew").work_through(messages, 17)

    assert _everything(config.postgres) == before


def _everything(url: str) -> list[object]:
    names = ("holdings", "asset_cards", "collection_stats")
    with psycopg.connect(url) as conn:
        return [conn.execute(f"SELECT * FROM projection.{n} ORDER BY 1, 2, 3, 4".encode()).fetchall() for n in names]


def finality(seq: int, prev_seq: int) -> OwnershipChanged:
    return OwnershipChanged(
        seq=seq,
        prev_seq=prev_seq,
        kind="finality",
        op="finality",
        network="synthetic",
        block_number=500,
        block_hash="0xhead",
        block_time=1_704_070_000,
        safe=490,
        finalized=480,
        position=77,
    )


async def test_the_head_comes_from_the_record_of_kind_finality(config: Config, codec: Codec, made: History) -> None:
    last = made.records[-1].seq
    await publish(config, encoded(codec, [*made.records, finality(last + 1, last)]))

    await Process(config, codec, "one").work_through(published(config), 1000)

    with psycopg.connect(config.postgres) as conn:
        head = conn.execute(
            "SELECT partition, network, position, head_number, head_hash, safe, finalized FROM system.partition_head"
            " WHERE consumer = 'project'"
        ).fetchall()
        next_seq = conn.execute("SELECT next_seq FROM system.partition_owner").fetchone()
    assert head == [(3, "synthetic", 77, 500, "0xhead", 490, 480)]
    assert next_seq == (last + 2,)
    assert tables(config.postgres) == recount(made)


async def test_a_lost_record_stops_the_process(config: Config, codec: Codec, made: History) -> None:
    await publish(config, encoded(codec, [*made.records[:10], *made.records[11:]]))
    async with Process(config, codec, "one") as process:
        await process.claim()

        with pytest.raises(LostRecords, match=f"expected a record that follows seq {made.records[9].seq}"):
            await process.deliver(published(config))


async def test_a_subscriber_may_begin_where_the_topic_begins(config: Config, codec: Codec) -> None:
    await publish(config, encoded(codec, [finality(1000, 999)]))

    await Process(config, codec, "one").work_through(published(config), 10)

    with psycopg.connect(config.postgres) as conn:
        assert conn.execute("SELECT next_seq FROM system.partition_owner").fetchone() == (1001,)


@pytest.mark.parametrize("batch_size", [1, 50])
async def test_what_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(
    config: Config, codec: Codec, made: History, batch_size: int
) -> None:
    *records, last = made.records
    unknown = [
        replace(last, kind="auction"),
        replace(last, op="amend", seq=last.seq + 1, prev_seq=last.seq),
        replace(last, standard="erc9999", seq=last.seq + 2, prev_seq=last.seq + 1),
        replace(last, token_id="one", seq=last.seq + 3, prev_seq=last.seq + 2),
        replace(last, to_account="\0", seq=last.seq + 4, prev_seq=last.seq + 3),
        replace(last, block_time=9_000_000_000, seq=last.seq + 5, prev_seq=last.seq + 4),
        replace(last, schema_version=2, seq=last.seq + 6, prev_seq=last.seq + 5),
    ]
    values = encoded(codec, [*records, *unknown])
    await publish(config, [*values, b"\0\0", *encoded(codec, [finality(last.seq + 9, last.seq + 8)])])

    await Process(config, codec, "one").work_through(published(config), batch_size)

    with psycopg.connect(config.postgres) as conn:
        reasons = conn.execute('SELECT reason FROM system.dlq ORDER BY "offset"').fetchall()
        payload = conn.execute('SELECT payload FROM system.dlq ORDER BY "offset" LIMIT 1').fetchone()
        next_seq = conn.execute("SELECT next_seq FROM system.partition_owner").fetchone()
    unfit = ["unfit_value"] * 3
    words = ["unknown_kind", "unknown_op", "unknown_standard", *unfit, "unknown_schema_version", "malformed_record"]
    assert [reason for (reason,) in reasons] == words
    assert payload == (values[len(records)],)
    assert next_seq == (last.seq + 10,)


HEADS = "SELECT head_number, head_hash, open_block FROM system.partition_head WHERE consumer = 'project'"


def of_block(number: int, *ends: bool, first: int) -> list[OwnershipChanged]:
    """Mints of a block, a token each; ``ends``: whether each record is the block's last."""
    made = History(Random(1))
    return [
        replace(
            event := made.fresh(),
            holder=event.to_account if event.standard == "erc721" else None,
            seq=first + place,
            prev_seq=first + place - 1,
            block_number=number,
            block_hash=f"0x{number}",
            block_time=1_704_067_200 + number,
            log_index=place,
            block_end=end,
        )
        for place, end in enumerate(ends)
    ]


async def test_a_transaction_ends_where_a_block_ends_and_the_rest_waits_for_its_own(
    config: Config, codec: Codec
) -> None:
    await publish(config, encoded(codec, [*of_block(7, False, True, first=1), *of_block(8, False, True, first=3)]))
    messages = published(config)
    async with Process(config, codec, "one") as process:
        claim = await process.claim()
        await process.deliver(messages[:3])
        between, next_offset = rows(config, HEADS), claim.next_offset
        await process.deliver(messages[3:])

    assert (between, next_offset) == ([(7, "0x7", None)], messages[2].offset)
    assert rows(config, HEADS) == [(8, "0x8", None)]


async def test_a_block_that_is_larger_than_a_batch_is_said_to_be_open_until_it_is_whole(
    config: Config, codec: Codec
) -> None:
    await publish(config, encoded(codec, of_block(7, False, False, False, True, first=1)))
    messages, seen = published(config), []
    async with Process(config, codec, "one") as process:
        await process.claim()
        for message in messages:
            await process.deliver([message])
            seen += rows(config, HEADS)

    assert seen == [(7, "0x7", 7), (7, "0x7", 7), (7, "0x7", 7), (7, "0x7", None)]


def rows(config: Config, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(config.postgres) as conn:
        return conn.execute(query.encode()).fetchall()
