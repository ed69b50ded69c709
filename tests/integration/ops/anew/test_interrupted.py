"""The migration ended in the middle, or not begun: what it refuses, and that the next run goes on."""

from typing import Any, NoReturn

import psycopg
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from ft.agents.publish.announcements import TOPICS
from ft.cli.migrate import command
from ft.config import Config
from ft.errors import BrokerError, BrokerUnavailable, ConfigError
from ft.ops.anew import announce as announcing
from ft.ops.anew.run import announce_anew
from ft.ops.anew.state import state_of
from ft.ops.rebuild.domain import rebuild_project
from ft.sql.migrate import StillRunning, migrate
from ft.streams.deployment import failures
from ft.streams.deployment.identity import OtherDeployment
from ft.streams.deployment.preflight import verify as preflight
from ft.streams.kafka.topics import Topics
from tests.integration.agents.publish.announcing import announce, messages
from tests.integration.ops.anew.before import PARTITIONS, recorded, rows, run_project
from tests.integration.ops.anew.later import differences, unheard
from tests.integration.ops.anew.model import Model
from tests.topic_settings import change

LIVE = {
    "worker host:1:1": "INSERT INTO system.workers (worker, agents) VALUES ('host:1:1', 'ledger')",
    "ft ingest synthetic --follow (host)": "INSERT INTO ingest.leases (network, claim_offset, topic_id, owner)"
    " VALUES ('synthetic', 0, 't', 'host')",
    "ft ingest synthetic --from 1 --to 9 --bulk": 'INSERT INTO ingest.bulk (network, "from", "to", from_time, to_time)'
    " VALUES ('synthetic', 1, 9, now(), now())",
    "ft ingest (range:synthetic:1-9)": "INSERT INTO system.sync_cursors (job, network, next_height)"
    " VALUES ('range:synthetic:1-9', 'synthetic', 3)",
}


def of_no_kafka(config: Config) -> None:
    """What was recorded was read from another Kafka, under no prefix."""
    rows(config, "UPDATE system.partition_owner SET cluster_id = '', topic_id = '' RETURNING 1")


class Killed(Exception):
    """The process ended here."""


def execute(config: Config, statement: str) -> None:
    with psycopg.connect(config.postgres) as conn:
        conn.execute(statement.encode())


def set_policy(config: Config, policy: str) -> None:
    """How ownership_changed forgets."""
    change(config, Topics(config.topic_prefix).ownership_changed, "cleanup.policy", policy)


def step_of(config: Config) -> str:
    """The step that is next."""
    with psycopg.connect(config.postgres) as conn:
        return "done" if (state := state_of(conn)) is None else state.step


async def test_killed_at_any_statement_the_next_run_goes_on(earlier: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(earlier.postgres, earlier)
    monkeypatch.setattr("ft.ops.anew.journal.ROWS_AT_ONCE", 3)
    execute_it, left, died_at = psycopg.Connection.execute, [0], []

    def dying(self: Any, *args: Any, **settings: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return execute_it(self, *args, **settings)

    monkeypatch.setattr(psycopg.Connection, "execute", dying)
    for statements in range(200):
        left[0] = statements
        try:
            announce_anew(earlier, unheard)
        except Killed:
            left[0] = 1000
            died_at.append(step_of(earlier))
        else:
            break
    left[0] = 10**9

    assert step_of(earlier) == "done"
    assert {"journal", "holdings", "topics"} <= set(died_at)
    assert died_at.count("topics") >= 10
    model = Model.of(earlier)
    assert model.written == model.expected
    await announce(earlier, PARTITIONS)
    await run_project(earlier)
    assert differences(earlier) == {}


@pytest.mark.parametrize(("who", "statement"), LIVE.items(), ids=["worker", "follower", "bulk", "range"])
async def test_while_somebody_is_at_work_nothing_is_touched(earlier: Config, who: str, statement: str) -> None:
    execute(earlier, statement)

    with pytest.raises(StillRunning) as refused:
        migrate(earlier.postgres, earlier)

    assert who in str(refused.value)
    assert "Stop workers and ingestion, then `ft migrate` again" in str(refused.value)
    assert rows(earlier, "SELECT max(name) FROM system.migrations") == [("0010_bulk.sql",)]


async def test_a_worker_that_came_meanwhile_stops_the_next_step(earlier: Config) -> None:
    migrate(earlier.postgres, earlier)
    execute(earlier, LIVE["worker host:1:1"])

    with pytest.raises(StillRunning, match="worker host:1:1"):
        announce_anew(earlier, unheard)

    execute(earlier, "UPDATE system.workers SET seen_at = now() - interval '2 minutes'")  # killed: nobody takes it away
    assert announce_anew(earlier, unheard)


async def test_workers_that_noted_how_they_ended_are_not_waited_for(earlier: Config) -> None:
    migrate(earlier.postgres, earlier)
    for worker in ("host:1:1", "host:2:2"):  # one selection, one error: system.failures has one row of both
        execute(earlier, LIVE["worker host:1:1"].replace("host:1:1", worker))
        failures.note(earlier, "worker", "ledger", OtherDeployment("another"), worker)

    assert announce_anew(earlier, unheard)


async def test_a_worker_is_waited_for_of_which_only_a_consumer_failed(earlier: Config) -> None:
    migrate(earlier.postgres, earlier)
    execute(earlier, LIVE["worker host:1:1"])
    failures.note(earlier, "consumer", "sample", ValueError("of a domain"), "host:1:1")

    with pytest.raises(StillRunning, match="worker host:1:1"):
        announce_anew(earlier, unheard)


async def test_no_worker_and_no_rebuild_starts_before_the_end(earlier: Config) -> None:
    migrate(earlier.postgres, earlier)
    of_no_kafka(earlier)

    with pytest.raises(ConfigError, match=r"half migrated.* Run `ft migrate`: it goes on"):
        preflight(earlier)
    with pytest.raises(ConfigError, match="half migrated"):
        await rebuild_project(earlier, unheard)


async def test_without_kafka_it_says_so_and_the_next_run_finishes(
    earlier: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(earlier.postgres, earlier)

    def away(*_: object) -> NoReturn:
        raise BrokerUnavailable("Kafka: no broker answers")

    with monkeypatch.context() as patched:
        patched.setattr(announcing, "delete_records", away)
        with pytest.raises(BrokerUnavailable, match="no broker answers"):
            announce_anew(earlier, unheard)

    counts = [[len(messages(earlier, topic, p)) for p in range(PARTITIONS)] for topic in TOPICS]
    assert counts == [list(map(len, recorded()["records"][topic])) for topic in TOPICS]
    assert step_of(earlier) == "topics"
    assert rows(earlier, "SELECT min(seq) > 0 FROM system.publish_cursor") == [(True,)]
    assert announce_anew(earlier, unheard)
    assert step_of(earlier) == "done"


async def test_a_record_that_comes_meanwhile_is_noticed(earlier: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(earlier.postgres, earlier)
    topic, begin_at = Topics(earlier.topic_prefix).finality, announcing._begin_at
    producer = Producer(earlier.kafka_client)

    def slowly(*args: Any) -> None:
        begin_at(*args)
        producer.produce(topic, b"of a worker that nobody stopped", partition=1)
        producer.flush(30)

    monkeypatch.setattr(announcing, "_begin_at", slowly)
    with pytest.raises(ConfigError, match=r"finality-1: expected nobody to write .* got 1 records\. Stop the"):
        announce_anew(earlier, unheard)

    monkeypatch.setattr(announcing, "_begin_at", begin_at)
    assert announce_anew(earlier, unheard)
    assert messages(earlier, "finality", 1) == []


async def test_the_command_tells_of_it_once(earlier: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in earlier.environ().items():
        monkeypatch.setenv(name, value)
    of_no_kafka(earlier)

    first = CliRunner().invoke(command)
    second = CliRunner().invoke(command)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    count = len(recorded()["tables"]["ledger.events"]["rows"])
    assert f"holders, written into the journal: {count} of {count} records (100 %)" in first.output
    assert "journal   says who holds what, and is announced anew" in first.output
    assert "journal" not in second.output


async def test_a_fresh_database_has_nothing_to_do(config: Config) -> None:
    heard: list[object] = []

    assert not announce_anew(config, heard.append)

    assert heard == []
    assert rows(config, "SELECT count(*) FROM system.topic_begins") == [(0,)]


async def test_a_topic_that_keeps_its_records_is_named(earlier: Config) -> None:
    migrate(earlier.postgres, earlier)
    set_policy(earlier, "compact")

    with pytest.raises(BrokerError, match=r"ownership_changed-0: its records before .* could not be deleted"):
        announce_anew(earlier, unheard)

    set_policy(earlier, "delete")
    assert announce_anew(earlier, unheard)
