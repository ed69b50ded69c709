"""ft verify as a subscriber: the topics alone come to what the ledger holds, and what is missing in them is named."""

import psycopg
import pytest
from click.testing import CliRunner

from ft.agents.publish.announcements import Topic
from ft.cli.verify import command
from ft.config import Config
from ft.ops.verify.run import Report
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from tests.integration.agents.publish.announcing import announce, codecs, messages, name_read
from tests.integration.ops.verify.doctored import Doctor, changed, doctored
from tests.integration.ops.verify.proven import PARTITIONS, execute, failing, run_ledger, run_project, verified


@pytest.fixture
async def announced(config: Config) -> Config:
    await run_ledger(config)
    await run_project(config)
    create_topics(config, [], PARTITIONS)
    await announce(config, PARTITIONS)
    return config


def of_topics(report: Report) -> dict[str, list[str]]:
    """Differences of the checks that read topics."""
    return {name: found for name, found in failing(report).items() if name in ("announced", "subscriber")}


async def test_a_subscriber_comes_to_what_the_ledger_holds(announced: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in announced.environ().items():
        monkeypatch.setenv(name, value)

    report = verified(announced, topics=True)
    result = CliRunner().invoke(command, ["--wait", "0"])

    assert failing(report) == {}
    assert report.notes == []
    claims = {outcome.name: outcome.claim for outcome in report.outcomes}
    with psycopg.connect(announced.postgres) as conn:
        (held,) = conn.execute("SELECT count(*) FROM market.ownership_current").fetchone() or (0,)
    assert held > 100
    assert claims["subscriber"] == f"{held:,} holdings of a subscriber, from the topics alone, equal the ledger's"
    assert (result.exit_code, "four topics follow each other" in result.output) == (0, True), result.output


def _without(place: int) -> Doctor:
    def doctor(values: list[bytes]) -> list[bytes]:
        return [value for n, value in enumerate(values) if n != place % len(values)]

    return doctor


async def test_what_is_missing_or_changed_in_a_topic_is_named(announced: Config) -> None:
    changed_codec, created_codec = codecs(announced)["ownership_changed"], codecs(announced)["asset_created"]
    no_uuid, thief = "00000000-0000-0000-0000-000000000000", "0x" + "e" * 40

    def another_receiver(values: list[bytes]) -> list[bytes]:
        records = [changed_codec.decode(value) for value in values]
        last_of = {record["asset_id"]: n for n, record in enumerate(records) if record["kind"] != "finality"}
        last = next(n for n in last_of.values() if (records[n]["standard"], records[n]["op"]) == ("erc721", "apply"))
        return [*values[:last], changed(changed_codec, values[last], holder=thief), *values[last + 1 :]]

    def another_uuid(values: list[bytes]) -> list[bytes]:
        return [changed(created_codec, values[0], uuid=no_uuid), *values[1:]]

    first = await doctored(
        announced,
        {
            ("ownership_changed", 0): _without(7),
            ("ownership_changed", 1): another_receiver,
            ("asset_created", 0): another_uuid,
            ("asset_created", 1): _without(3),
        },
    )
    found = of_topics(verified(first, topics=True))
    second = await doctored(first, {("ownership_changed", 0): _without(0), ("ownership_changed", 1): _without(-1)})
    ends = "\n".join(of_topics(verified(second, topics=True))["announced"])

    lines = "\n".join(found["announced"])
    assert f"{Topics(first.topic_prefix).ownership_changed}-0, offset 7, seq " in lines
    assert "ownership_changed in partition 0: expected " in lines
    assert f"got {no_uuid}" in lines
    assert "asset_created in partition 1: expected " in lines
    assert any(f"got {thief} by block " in line for line in found["subscriber"])
    assert "before it, got nothing between it and seq 0" in ends
    assert f"{Topics(second.topic_prefix).ownership_changed}-1, last seq: expected " in ends


async def test_repeats_are_no_difference_and_what_others_wrote_is_told(announced: Config) -> None:
    def twice(values: list[bytes]) -> list[bytes]:
        return [*values[:20], b"no record", *values[10:30], *values[25:]]

    config = await doctored(announced, {("ownership_changed", 1): twice})

    report = verified(config, topics=True)

    assert of_topics(report) == {}
    assert report.notes == ["1 records of ownership_changed-1 are not the publisher's"]


async def test_a_holding_that_no_event_gave_is_named(announced: Config) -> None:
    execute(
        announced,
        "UPDATE market.ownership_current SET quantity = quantity + 5"
        " WHERE ctid = (SELECT min(ctid) FROM market.ownership_current WHERE slot <> '')",
    )

    report = of_topics(verified(announced, topics=True))

    assert list(report) == ["subscriber"]


async def test_what_is_not_announced_yet_is_not_compared(announced: Config) -> None:
    columns: dict[Topic, str] = {
        "ownership_changed": "ownership_seq", "finality": "finality_seq", "reorg_detected": "reorg_seq",
        "asset_created": "created_seq",
    }  # fmt: skip
    known = codecs(announced)
    for partition in (0, 1):
        seqs = {
            topic: [known[topic].decode(m.value)["seq"] for m in messages(announced, topic, partition)]
            for topic in columns
        }
        last = seqs["ownership_changed"][-30]
        execute(announced, f"UPDATE system.publish_cursor SET seq = {last} WHERE partition = {partition}")
        for topic, column in columns.items():
            cursor = max((seq for seq in seqs[topic] if seq <= last), default=0)
            execute(announced, f"UPDATE system.publish_cursor SET {column} = {cursor} WHERE partition = {partition}")

    report = verified(announced, topics=True)

    assert of_topics(report) == {}
    assert any("are not announced yet: their tokens are not compared" in note for note in report.notes)


async def test_holes_and_weak_proofs_are_listed(config: Config) -> None:
    await run_ledger(config)
    await run_project(config)
    name_read(config, Topics(config.topic_prefix).normalized)
    execute(config, "DELETE FROM ingest.blocks WHERE number IN (3, 4)")
    execute(config, "INSERT INTO ingest.coverage SELECT network, 5, \"to\", 'logs', 0 FROM ingest.coverage")
    execute(config, 'UPDATE ingest.coverage SET "to" = 2 WHERE "from" <= 1')
    execute(config, "UPDATE ingest.blocks SET proof = 'logs' WHERE number >= 5")

    report = verified(config)

    (head,) = [note for note in report.notes if "by logs only" in note]
    assert "synthetic: blocks 3 to 4 (2) not read" in report.notes
    assert head.startswith("synthetic: blocks 5 to ")
    assert "stretches" not in failing(report)


async def test_a_topic_whose_beginning_was_deleted_is_named(announced: Config) -> None:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    topic = Topics(announced.topic_prefix).ownership_changed
    admin = AdminClient(announced.kafka_client)
    for future in admin.delete_records([TopicPartition(topic, 0, 5)]).values():
        future.result(15)

    report = of_topics(verified(announced, topics=True))

    assert f"{topic}-0: expected records from offset 0, got from offset 5" in report["announced"]
