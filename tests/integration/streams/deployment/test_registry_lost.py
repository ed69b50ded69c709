"""A deployment whose registry is lost, is another one, or is away: what migrations, workers and commands make of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from ft.cli.status_attention import asked
from ft.config import Config
from ft.errors import SchemaError
from ft.networks import load_networks
from ft.ops.dlq import Letter, decoded
from ft.ops.verify.subscriber import Subscriber
from ft.schemas.codec import schema_text
from ft.streams.deployment.comparing import require_one, settle
from ft.streams.deployment.guard import Guard
from ft.streams.deployment.identity import BELIEVED, OtherDeployment
from ft.streams.deployment.preflight import verify as facts
from ft.streams.deployment.provision import admit, prepare
from ft.streams.deployment.schema_files import exported, put_back
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.ingest.raw_log import RawLog
from ft.streams.kafka.registry import Registry
from ft.streams.kafka.registry_errors import NoRegistry, RegistryUnavailable
from ft.streams.kafka.registry_ids import Ids
from ft.streams.kafka.topic_admin import topic_names
from ft.streams.kafka.topics import Topics
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, claim, open_raw
from tests.integration.streams.conftest import at
from tests.integration.streams.deployment import starting
from tests.integration.streams.own_registry import OwnRegistry
from tests.integration.streams.worker.workers import WorkerProcess
from tests.served import Served
from tests.synthetic.chain import Chain, append
from tests.topic_ends import read_all

NOWHERE = "http://127.0.0.1:9/apis/ccompat/v7"


@pytest.fixture
def deployed(with_own: Config) -> Config:
    prepare(with_own)
    return with_own


def rows(config: Config, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(config.postgres) as conn:
        return conn.execute(query.encode()).fetchall()


def kept(config: Config) -> list[tuple[Any, ...]]:
    return rows(config, "SELECT id, subject, version, schema FROM system.schemas ORDER BY id, subject")


def ids(config: Config) -> set[int]:
    return {row[0] for row in kept(config)}


def said(config: Config) -> list[dict[str, Any]]:
    topic = Topics(config.topic_prefix).deployment
    with Schemas(config) as schemas:
        codec = schemas.reader("deployment")
        return [codec.decode(message.value) for message in read_all(config, topic, 0)]


def say_as_before(config: Config) -> None:
    """What the deployment says of itself, as a version that kept no schemas said it."""
    topic, producer = Topics(config.topic_prefix).deployment, Producer(config.kafka_client)
    record = said(config)[-1] | {"schemas": []}
    with Schemas(config) as schemas:
        producer.produce(topic, schemas.codec("deployment", topic).encode(record), record["id"].encode(), 0)
    assert producer.flush(20) == 0


def by_the_registry_alone(config: Config, topic: str) -> list[Any]:
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        stock = AvroDeserializer(client)
        context = SerializationContext(topic, MessageField.VALUE)
        return [stock(message.value or b"", context) for message in read_all(config, topic, 0)]


def with_another_field(name: str) -> str:
    """The schema as a version to come may have it."""
    field = {"name": "z", "type": "int", "default": 0}
    return schema_text(name).rstrip().removesuffix("]\n}").rstrip() + f", {json.dumps(field)}]}}"


def gave_out_anew(own: OwnRegistry) -> None:
    """Lost, and asked for schemas in another order by somebody who did not know."""
    own.empty()
    with Registry(own.url) as registry:
        for name in ("deployment", "finality", "raw_block"):
            registry.register(f"{name}-value", schema_text(name))


async def test_after_a_loss_of_the_registry_a_migration_brings_the_same_ids_and_old_records_are_read(
    deployed: Config, own: OwnRegistry
) -> None:
    before, topic = kept(deployed), Topics(deployed.topic_prefix).raw("polygon")
    log = await RawLog.open(deployed, "polygon")
    await log.claim("before")
    log.close()

    own.lose()

    assert require_one(deployed) == "restore"
    (lacks,) = asked(deployed)
    assert lacks.reason == "registry"
    assert f"has lost {len(ids(deployed))} of {len(ids(deployed))} schema ids" in lacks.detail
    lost = next(outcome for outcome in starting.verify(deployed).outcomes if outcome.name == "schemas")
    assert (lost.count, lost.differences[0].got) == (len(before), "none: `ft migrate` restores it")
    prepare(deployed)
    assert require_one(deployed) == "one"
    assert list(asked(deployed)) == []
    assert next(o.count for o in starting.verify(deployed).outcomes if o.name == "schemas") == 0
    assert kept(deployed) == before
    assert [record["provider"] for record in by_the_registry_alone(deployed, topic)] == ["before"]
    (record,) = said(deployed)
    assert [(row["id"], row["subject"], row["version"], row["schema"]) for row in record["schemas"]] == before


async def test_subjects_that_were_deleted_for_good_get_the_same_ids_and_versions_back_from_a_migration(
    deployed: Config, own: OwnRegistry
) -> None:
    finality, topic = f"{Topics(deployed.topic_prefix).finality}-value", Topics(deployed.topic_prefix).raw("polygon")
    log = await RawLog.open(deployed, "polygon")
    await log.claim("before")
    log.close()
    with Registry(own.url) as registry, Ids(own.url) as asking, Schemas(deployed) as schemas:
        registry.register(finality, with_another_field("finality"))
        schemas.keep(asking.versions(finality))
    before = kept(deployed)

    with SchemaRegistryClient({"url": own.url, "timeout": 30}) as client:
        for subject in {row[1] for row in before}:
            client.delete_subject(subject)
            client.delete_subject(subject, permanent=True)
        assert client.get_subjects() == []

    assert require_one(deployed) == "restore"
    prepare(deployed)
    assert require_one(deployed) == "one"
    assert kept(deployed) == before
    with Ids(own.url) as asking:
        found = [row for subject in {row[1] for row in before} for row in asking.versions(subject)]
    assert sorted((row.id, row.subject, row.version, row.schema) for row in found) == before
    assert [record["provider"] for record in by_the_registry_alone(deployed, topic)] == ["before"]
    broken = with_another_field("finality").replace('"type": "int", "default": 0', '"type": "string", "default": ""')
    with Registry(own.url) as registry, pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
        registry.register(finality, broken)


async def _open(config: Config) -> None:
    (await RawLog.open(config, "polygon")).close()


async def test_a_registry_that_says_something_else_is_refused_by_whatever_runs(
    deployed: Config, own: OwnRegistry
) -> None:
    runs: list[Callable[[Config], object]] = [prepare, facts, settle, starting.verify, starting.ingest]
    guard = Guard(deployed)
    guard.look()
    gave_out_anew(own)
    with SchemaRegistryClient({"url": own.url, "timeout": 30}) as client:
        before = client.get_subjects()

        for run in runs:
            with pytest.raises(OtherDeployment, match="FT_SCHEMA_REGISTRY is likely wrong"):
                run(deployed)
        with pytest.raises(OtherDeployment):
            await _open(deployed)

        assert client.get_subjects() == before
    (other,) = asked(deployed)
    assert other.reason == "registry"
    assert (
        f"id 1 of {deployed.topic_prefix}chain.arbitrum.raw-value: expected supply.ft.RawBlock, got supply."
        in other.detail
    )
    for _ in range(BELIEVED - 1):
        guard.look()
    with pytest.raises(OtherDeployment, match="FT_SCHEMA_REGISTRY is likely wrong"):
        guard.look()


def test_what_runs_gives_a_registry_that_is_emptied_its_ids_back(deployed: Config, own: OwnRegistry) -> None:
    guard = Guard(deployed)
    guard.look()
    own.empty()

    guard.look()

    assert require_one(deployed) == "one"


async def test_what_is_known_goes_on_without_a_registry_and_what_is_new_says_that_it_needs_it(
    deployed: Config,
) -> None:
    away, topics = at(deployed, NOWHERE), Topics(deployed.topic_prefix)
    guard = Guard(away)

    found = facts(away)
    log = await RawLog.open(away, "polygon")
    await log.claim("without")
    log.close()
    for _ in range(BELIEVED):
        guard.look()

    with found.schemas as schemas:
        (message,) = read_all(away, topics.raw("polygon"), 0)
        assert schemas.reader("raw_block").decode(message.value)["provider"] == "without"
    assert decoded(away, _letter(topics, message.value or b""))[1] == "raw_block"
    assert "its schema ids were not compared" in str(starting.verify(away).notes)
    assert [(each.reason, each.detail[:18]) for each in asked(away)] == [("registry", "it does not answer")]
    done = prepare(away)
    assert done.unasked == done.subjects
    assert prepare(deployed).unasked == []
    with Subscriber(away, lambda *_: None):
        pass
    with pytest.raises(RegistryUnavailable, match=r"chain\.another\.raw-value has a schema that is new"):
        admit(away, replace(load_networks(None)["polygon"], slug="another"))


class Another(Served):
    """A service that answers everything so."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self._answer = status, body

    def respond(self, method: str, path: str, body: bytes, content_type: str | None) -> tuple[int, bytes]:
        return self._answer


@contextmanager
def no_registry(config: Config, kind: str) -> Iterator[Config]:
    """FT_SCHEMA_REGISTRY names what is none."""
    root, url = config.schema_registry.partition("/apis/")[0], config.schema_registry
    urls = {"root": root, "longer": f"{url}/x", "later": f"{root}/apis/ccompat/v9", "own": f"{root}/apis/registry/v3"}
    answers = {"page": (200, b"<html>"), "json": (200, b'{"name": "x"}'), "gone": (404, b"<html>"), "moved": (302, b"")}
    answers["node"] = 501, b'<!DOCTYPE HTML>\n<html lang="en">\n<h1>Unsupported method</h1>\n</html>'
    if kind in urls:
        yield at(config, urls[kind])
        return
    with Another(*answers[kind]) as another:
        yield at(config, another.url)


@pytest.mark.parametrize("kind", ["root", "longer", "later", "own", "page", "json", "gone", "moved", "node"])
async def test_what_answers_and_is_no_registry_is_refused_by_what_starts_and_left_alone_by_what_runs(
    deployed: Config, kind: str
) -> None:
    before = kept(deployed)
    with no_registry(deployed, kind) as wrong:
        guard = Guard(wrong)
        for _ in range(BELIEVED):
            guard.look()
        for start in (prepare, facts):
            with pytest.raises(NoRegistry, match=r"answers, but is no registry.*FT_SCHEMA_REGISTRY is likely wrong"):
                start(wrong)
        with pytest.raises(NoRegistry):
            await _open(wrong)
        with Schemas(wrong) as schemas, pytest.raises(NoRegistry):
            schemas.reader("finality").decode(b"\0" + (2**31 - 2).to_bytes(4, "big"))

        (reason,) = asked(wrong)
        assert (reason.reason, "answers, but is no registry" in reason.detail) == ("registry", True)
        assert "answers, but is no registry" in str(starting.verify(wrong).notes)
        assert require_one(wrong) == "one"
        assert kept(wrong) == before


@pytest.mark.parametrize("kind", ["root", "page", "json", "node"])
def test_a_first_migration_refuses_what_is_no_registry_before_it_makes_anything(with_own: Config, kind: str) -> None:
    with no_registry(with_own, kind) as wrong, pytest.raises(NoRegistry, match="FT_SCHEMA_REGISTRY is likely wrong"):
        prepare(wrong)

    assert kept(with_own) == []
    assert [name for name in topic_names(with_own) if name.startswith(with_own.topic_prefix)] == []


def test_both_of_the_registrys_confluent_apis_that_it_has_serve_a_deployment(deployed: Config) -> None:
    other = at(deployed, deployed.schema_registry.replace("/v7", "/v8"))

    assert prepare(other).unasked == []
    assert list(asked(other)) == []


def test_a_page_of_html_is_not_repeated_in_what_is_said_of_no_registry(deployed: Config) -> None:
    with no_registry(deployed, "node") as wrong, Schemas(wrong) as schemas, Registry(wrong.schema_registry) as registry:
        with pytest.raises(NoRegistry, match=r"got 501, a page of HTML\. FT_SCHEMA_REGISTRY") as by_one:
            schemas.restore()
        with pytest.raises(NoRegistry, match=r"got id 7: 501, a page of HTML\. FT_SCHEMA_REGISTRY") as by_other:
            registry.schema(7)

    assert "\n" not in f"{by_one.value} {by_other.value}"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_proxy_before_a_registry_that_is_away_is_taken_for_one_that_is_away(deployed: Config, status: int) -> None:
    with Another(status, b"<html>no upstream</html>") as proxy:
        (reason,) = asked(at(deployed, proxy.url))
        done = prepare(at(deployed, proxy.url))

    assert reason.detail.startswith("it does not answer")
    assert done.unasked == done.subjects


def _letter(topics: Topics, payload: bytes) -> Letter:
    values: dict[str, Any] = dict.fromkeys(Letter.__slots__, 0)
    return Letter(**values | {"consumer": "normalize", "topic": topics.raw("polygon"), "payload": payload})


def test_the_first_migration_of_a_deployment_of_an_earlier_version_keeps_what_the_registry_has(
    deployed: Config,
) -> None:
    subject = f"{Topics(deployed.topic_prefix).finality}-value"
    later = with_another_field("finality")
    with Registry(deployed.schema_registry) as registry:
        second = registry.register(subject, later)
    before = kept(deployed)
    say_as_before(deployed)
    rows(deployed, "DELETE FROM system.schemas RETURNING 1")

    prepare(deployed)

    assert [row for row in kept(deployed) if row[0] != second] == before
    assert [row[1:] for row in kept(deployed) if row[0] == second] == [(subject, 2, later)]
    assert [row["id"] for row in said(deployed)[-1]["schemas"]] == [row[0] for row in kept(deployed)]


def test_a_database_of_an_older_state_keeps_again_what_its_topic_names_and_the_registry_gets_it_too(
    deployed: Config, own: OwnRegistry
) -> None:
    before = kept(deployed)
    rows(
        deployed, "DELETE FROM system.schemas WHERE subject LIKE '%finality%' OR subject LIKE '%arbitrum%' RETURNING 1"
    )
    own.empty()

    settle(deployed)

    assert kept(deployed) == before
    with Ids(own.url) as asked, Schemas(deployed) as schemas:
        assert (asked.agreement(schemas.kept).lost, asked.agreement(schemas.kept).different) == ((), ())


def test_a_deployment_of_an_earlier_version_whose_registry_is_lost_is_refused_until_its_ids_are_imported(
    deployed: Config, own: OwnRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "ids.json"
    file.write_text(exported(deployed)[0])
    before = kept(deployed)
    rows(deployed, "DELETE FROM system.schemas RETURNING 1")
    own.empty()

    for run in (prepare, facts):
        with pytest.raises(OtherDeployment, match=r"got none that can be read.*`ft schemas import`"):
            run(deployed)
    done = put_back(deployed, file, dry_run=False)

    assert (len(done.lost), done.kept) == (len({row[0] for row in before}), len(before))
    prepare(deployed)
    assert (require_one(deployed), kept(deployed)) == ("one", before)


@pytest.fixture
def raw(with_own: Config, tmp_path: Path) -> Any:
    with open_raw(replace(with_own, partitions=3, session_timeout_s=6.0), tmp_path) as opened:
        yield opened


@pytest.mark.timeout(180)
async def test_a_worker_runs_without_a_registry_restores_one_that_is_empty_and_ends_at_another(
    raw: RawTopic, own: OwnRegistry, tmp_path: Path
) -> None:
    records = [claim(), append(Chain(seed=3, network=NETWORK).grow(), NETWORK)]
    own.remove()
    worker = WorkerProcess(raw.config, tmp_path / "worker.log", "normalize", {})
    try:
        await raw.write(*records)
        await raw.until(lambda: raw.next_offset() == len(records), 60)

        own.start()
        await raw.until(lambda: worker.said("registry had lost ids and has them again"), 30)
        assert require_one(raw.config) == "one"

        gave_out_anew(own)
        code = worker.wait(60)
    finally:
        worker.kill()
    assert code == 1
    assert [line["ids"] for line in worker.said("registry had lost ids and has them again")] == [
        sorted(ids(raw.config))
    ]
    assert "FT_SCHEMA_REGISTRY is likely wrong" in worker.said("worker exits")[0]["error"]
