"""Old rows of kind finality go; the journal without them is still proved whole, and comes to the same on the topics."""

import asyncio
import secrets
from dataclasses import replace

import psycopg
import pytest

from ft.agents.ledger.forgetting import PAGES, Forgetter
from ft.config import Config
from ft.sql.queries import load
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from tests.integration.agents.ledger.harness import TOPIC, rows
from tests.integration.agents.publish.announcing import announce
from tests.integration.ops.verify.proven import PARTITIONS, execute, failing, run_ledger, run_project, verified

STARTS = "(SELECT count(*) FROM starts s WHERE s.partition = t.partition AND s.seq_from <= t.{})"
FINALITY = "SELECT count(*) FROM ledger.events WHERE op = 'finality'"
LAST = (
    "SELECT count(*) FROM (SELECT DISTINCT ON (partition) op FROM ledger.events ORDER BY partition, seq DESC) AS last"
)


@pytest.fixture
async def announced(config: Config) -> Config:
    """A journal that says where its partitions stand again and again, announced and projected."""
    await run_ledger(config)
    as_before(config)
    await run_project(config)
    create_topics(config, [], PARTITIONS)
    await announce(config, PARTITIONS)
    assert counted(config, FINALITY) > 40
    return config


def as_before(config: Config) -> None:
    """Before each slice a row of kind finality, as earlier versions wrote them; each row behind it moves on by one."""
    with psycopg.connect(config.postgres) as conn:
        conn.execute("CREATE TEMP TABLE starts AS SELECT * FROM ledger.applied_blocks")
        for table in ("ledger.events", "ledger.retracted"):
            conn.execute(f"UPDATE {table} t SET seq = - (seq + {STARTS.format('seq')})".encode())
            conn.execute(f"UPDATE {table} SET seq = - seq".encode())
        moved = STARTS.format("seq_from")
        conn.execute(
            f"UPDATE ledger.applied_blocks t SET seq_from = seq_from + {moved}, seq_to = seq_to + {moved}".encode()
        )
        conn.execute(
            "INSERT INTO ledger.events (partition, seq, network, block_number, block_hash, block_time, tx_hash,"
            " tx_from, contract, topic0, n, sub_index, log_index, revision, standard, token_id,"
            ' "from", "to", op, control)'
            " SELECT partition, seq_from - 1, network, number - 1, '', time, '', '', '', '', 0, 0, -1, 0, '', NULL, '',"
            """ '', 'finality', '{"safe": -1, "finalized": -1, "position": -1}' FROM ledger.applied_blocks"""
        )
        conn.execute(
            "UPDATE system.partition_owner t SET next_seq = next_seq + (SELECT count(*) FROM starts s"
            " WHERE s.partition = t.partition) WHERE consumer = 'ledger'"
        )


def counted(config: Config, statement: str) -> int:
    [(count,)] = rows(config, statement)
    return int(count)


async def forget(config: Config, pages: int = PAGES) -> None:
    """As a worker does, to the end."""
    forgetter = Forgetter(config, pages)
    while await forgetter.round():
        pass
    await forgetter.close()


async def test_what_is_announced_and_old_goes_and_the_journal_is_proved_whole(announced: Config) -> None:
    written, told = counted(announced, "SELECT count(*) FROM ledger.events"), counted(announced, FINALITY)

    await forget(announced, pages=1)

    left = counted(announced, FINALITY)
    report = verified(announced, topics=True)
    assert left == counted(announced, f"{LAST} WHERE op = 'finality'")
    assert counted(announced, "SELECT count(*) FROM ledger.events") == written - (told - left)
    assert failing(report) == {}
    assert report.notes == [
        f"{told - left:,} rows of kind finality are no longer kept: the journal's gaps are exactly theirs"
    ]


async def test_two_workers_forget_each_row_once(announced: Config) -> None:
    await asyncio.gather(*(forget(announced, pages=1) for _ in range(3)))

    assert failing(verified(announced, topics=True)) == {}


async def test_what_is_not_announced_stays(config: Config) -> None:
    await run_ledger(config)
    as_before(config)
    told = counted(config, FINALITY)

    await forget(config)

    assert counted(config, FINALITY) == told > 0


async def test_a_month_that_has_not_ended_and_one_that_is_filled_stay(announced: Config) -> None:
    execute(announced, "UPDATE ledger.months SET indexed = false")
    execute(announced, "SELECT ledger.ensure_month(now())")
    execute(
        announced,
        "INSERT INTO ledger.events SELECT (e).* FROM (SELECT jsonb_populate_record(e, jsonb_build_object('block_time',"
        " now(), 'seq', -1)) AS e FROM ledger.events e WHERE op = 'finality' LIMIT 1) AS e",
    )
    told = counted(announced, FINALITY)

    await forget(announced)

    assert counted(announced, FINALITY) == told


@pytest.mark.parametrize("op", ["apply", "finality"])
async def test_a_row_that_is_lost_besides_is_named(announced: Config, op: str) -> None:
    execute(announced, "UPDATE system.publish_cursor SET seq = seq - 20")
    await forget(announced)
    execute(announced, f"DELETE FROM ledger.events WHERE (partition, seq) IN (SELECT partition, max(seq) FROM"
            f" ledger.events WHERE partition = 1 AND op = '{op}' AND seq < (SELECT max(seq) FROM ledger.events"
            " WHERE partition = 1) GROUP BY partition)")  # fmt: skip

    found = failing(verified(announced))["journal"]

    assert len(found) == 1
    assert found[0].startswith("partition 1, rows that are missing: expected ")


async def test_what_is_left_is_announced_anew_to_the_same_end(announced: Config) -> None:
    await forget(announced)
    fresh = replace(announced, topic_prefix=f"t{secrets.token_hex(4)}.")
    with psycopg.connect(announced.postgres) as conn:
        conn.execute(load("anew")["reset_cursors"])
        conn.execute(
            "UPDATE system.partition_owner SET topic = CASE consumer WHEN 'ledger' THEN %s ELSE %s END",
            (TOPIC, Topics(fresh.topic_prefix).ownership_changed),
        )

    create_topics(fresh, [], PARTITIONS)
    await announce(fresh, PARTITIONS)

    assert failing(verified(fresh, topics=True)) == {}
