"""ft status against a real database and a real broker."""

from dataclasses import replace
from io import StringIO

import psycopg
from rich.console import Console

from ft.cli.status_pipeline import read, show
from ft.config import Config
from ft.sql.queries import LIVE, load
from ft.streams.deployment import failures
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from tests.integration.ops.verify.proven import run_ledger, run_project


async def test_lag_is_counted_from_where_the_log_ends(config: Config) -> None:
    topic = Topics(config.topic_prefix).ownership_changed
    create_topics(config, [], config.partitions)
    producer = Producer(config)
    for _ in range(5):
        producer.send(topic, 2, b"x")
    await producer.flush_acknowledged(30)
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO system.partition_owner (consumer, topic, partition, next_offset) VALUES ('project', %s, 2, 3)",
            (topic,),
        )

    status = read(config)

    assert status.consumers == [("project", topic, 2, 3, "")]
    assert status.ends == {(topic, 2): 5}


async def test_a_running_pipeline_is_shown(config: Config) -> None:
    unprefixed = replace(config, topic_prefix="")
    chain = await run_ledger(unprefixed)
    await run_project(unprefixed)
    out = StringIO()

    show(unprefixed, Console(file=out, width=300))

    head = chain.blocks[-1].number
    network = next(line.split() for line in out.getvalue().splitlines() if line.startswith("synthetic"))
    assert network[1] == str(head)
    assert f"1-{head}" in network
    assert "publisher: " in out.getvalue()


def test_a_worker_that_noted_how_it_ended_is_not_shown_as_running_nor_seen_again(config: Config) -> None:
    seen = {"agents": "ledger", "metrics_url": "http://127.0.0.1:1/metrics"}
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        for worker in ("host:1:1", "host:2:2"):
            conn.execute(load("fence", LIVE)["register_worker"].encode(), seen | {"worker": worker})
        failures.note(config, "worker", "ledger", ValueError("lost"), "host:1:1")
        conn.execute(load("fence", LIVE)["register_worker"].encode(), seen | {"worker": "host:1:1"})  # its last tick

    assert [worker for worker, *_ in read(config).workers] == ["host:2:2"]


def test_what_a_domain_has_not_announced_is_told(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO system.outbox_cursor (topic, partition, written, announced, announced_at) VALUES"
            " ('sample.reached', 0, 12, 5, now() - interval '90 seconds'), ('sample.reached', 1, 3, 0, now()),"
            " ('sample.done', 0, 4, 4, now())"
        )
    out = StringIO()

    show(config, Console(file=out, width=300))

    assert "publisher of sample.reached: 10 records wait; nothing went out for 90 s" in out.getvalue()
    assert "sample.done" not in out.getvalue()


def test_final_blocks_that_are_less_proven_are_named_for_replace(config: Config) -> None:
    coverage = [
        (1, 9, "receipts", ""), (10, 19, "logs", "bloom_superset"), (20, 29, "receipts", "state_sync"),
        (30, 45, "receipts", "header"), (46, 60, "logs", ""),
    ]  # fmt: skip
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO ingest.heads (network, head_number, finalized) VALUES ('polygon', 60, 40), ('cronos', 60, 60)"
        )
        for network in ("polygon", "cronos"):
            conn.cursor().executemany(
                'INSERT INTO ingest.coverage (network, "from", "to", proof, reasons, raw_offset)'
                f" VALUES ('{network}', %s, %s, %s, %s, 0)",
                coverage,
            )
        conn.execute(
            "INSERT INTO system.sync_cursors (job, network, next_height, waits_for, waits_since, waits_error)"
            " VALUES ('follow:polygon', 'polygon', 61, 61, now() - interval '7 minutes', 'nobody has it')"
        )

    status = read(config)

    assert [row for row in status.lesser if row[0] == "polygon"] == [
        ("polygon", 10, 19, "logs, bloom_superset", 2),
        ("polygon", 30, 40, "receipts, header", 2),
    ]
    assert [row[1] for row in status.lesser if row[0] == "cronos"] == [10, 30]
    assert [(row[0], row[1], row[2] // 60, row[3]) for row in status.waits] == [("polygon", 61, 7, "nobody has it")]


def test_blocks_without_the_receipt_of_their_state_sync_are_holes_and_are_named_until_they_are_final(
    config: Config,
) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("INSERT INTO ingest.heads (network, head_number, finalized) VALUES ('polygon', 60, 40)")
        conn.cursor().executemany(
            'INSERT INTO ingest.coverage (network, "from", "to", proof, reasons, raw_offset)'
            " VALUES ('polygon', %s, %s, 'receipts', %s, 0)",
            [(1, 31, ""), (32, 32, "state_sync_missing"), (33, 47, ""), (48, 48, "header,state_sync_missing")],
        )

    status = read(config)

    assert status.lacking == [("polygon", 48, 48)]
    assert [(row[1], row[2]) for row in status.lesser] == [(32, 32)]
    assert [row[-3] for row in status.networks if row[0] == "polygon"] == [2 + 12]


def test_holes_are_blocks_that_were_not_read_and_quarantine_is_none_of_them(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            "INSERT INTO ingest.heads (network, head_number) VALUES ('polygon', 70), ('base', 9), ('cronos', 3)"
        )
        conn.cursor().executemany(
            'INSERT INTO ingest.coverage (network, "from", "to", proof, raw_offset) VALUES (%s, %s, %s, %s, 0)',
            [
                ("polygon", 10, 19, "receipts"), ("polygon", 20, 29, "logs"), ("polygon", 31, 40, "receipts"),
                ("polygon", 51, 70, "receipts"), ("base", 5, 9, "receipts"),
            ],
        )  # fmt: skip
        conn.execute(
            "INSERT INTO ingest.quarantine (network, block_number, block_hash, reason, error, payload, raw_offset)"
            " VALUES ('polygon', 12, '0x1', 'bad_value', '', '', 0)"
        )

    told = {row[0]: row[-3:-1] for row in read(config).networks}

    assert told == {"polygon": (11, 1), "base": (0, 0), "cronos": (0, 0)}


def test_a_database_without_tables_says_what_to_do(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP SCHEMA ref CASCADE")
    out = StringIO()

    show(config, Console(file=out, width=300))

    assert "run `ft migrate`" in out.getvalue()
