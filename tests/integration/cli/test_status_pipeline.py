"""ft status against a real database and a real broker."""

from dataclasses import replace
from io import StringIO

import psycopg
from rich.console import Console

from ft.cli.status_pipeline import read, show
from ft.config import Config
from ft.streams.producer import Producer
from ft.streams.topics import Topics, create_topics
from tests.integration.verify.proven import run_ledger, run_project


async def test_lag_is_counted_from_where_the_log_ends(config: Config) -> None:
    topic = Topics(config.topic_prefix).ownership_changed
    create_topics(config, [], config.partitions)
    producer = Producer(config.kafka)
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


def test_a_database_without_tables_says_what_to_do(config: Config) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute("DROP SCHEMA ref CASCADE")
    out = StringIO()

    show(config, Console(file=out, width=300))

    assert "run `ft migrate`" in out.getvalue()
