"""Schema ids are kept beside the registry that gave them out: read without it, given back to it, compared with it."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from ft.cli import commands
from ft.config import Config
from ft.errors import FtError, MalformedRecord, ServerError
from ft.schemas.codec import schema_text
from ft.schemas.events import Finality, to_record
from ft.schemas.registered import Registered
from ft.streams.deployment.identity import OtherDeployment
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.registry import Registry
from ft.streams.kafka.registry_errors import RegistryUnavailable
from ft.streams.kafka.registry_ids import Ids
from tests.deployments import with_fresh_database
from tests.integration.streams.conftest import at
from tests.integration.streams.documented import Documented
from tests.integration.streams.own_registry import OwnRegistry

NOWHERE = "http://127.0.0.1:9/apis/ccompat/v7"
FINALITY, CREATED = "x.ledger.finality", "x.catalog.asset_created"
MARK = to_record(
    Finality(seq=1, prev_seq=0, network="polygon", head_number=7, head_hash="0x7", head_time=1, safe=5, finalized=3)
)


def later(name: str) -> str:
    """The schema as a version to come may have it."""
    schema = json.loads(schema_text(name))
    schema["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
    return json.dumps(schema)


def written(config: Config) -> dict[int, bytes]:
    """Registers two subjects, one of them in two versions, and keeps them; a record under each id."""
    with Schemas(config) as schemas, Registry(config.schema_registry) as registry:
        first = schemas.codec("finality", FINALITY)
        schemas.codec("asset_created", CREATED)
        second = registry.register(f"{FINALITY}-value", later("finality"))
        with Ids(config.schema_registry) as ids:
            schemas.keep(ids.versions(f"{FINALITY}-value"))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(later("finality"))), MARK | {"later": "x"})
    return {first.schema_id: first.encode(MARK), second: b"\0" + second.to_bytes(4, "big") + body.getvalue()}


def kept(config: Config) -> list[Registered]:
    with Schemas(config) as schemas:
        return list(schemas.kept)


def by_the_registry_alone(config: Config, value: bytes) -> Any:
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        return AvroDeserializer(client)(value, SerializationContext(FINALITY, MessageField.VALUE))


def asked(url: str, path: str) -> Any:
    return httpx.get(f"{url}{path}", timeout=30).json()


def restored(config: Config) -> list[int]:
    with Schemas(config) as schemas:
        return schemas.restore()


def test_what_is_registered_is_kept_with_its_id_subject_version_and_text(with_own: Config) -> None:
    records = written(with_own)

    rows = kept(with_own)

    assert {row.id for row in rows if row.subject == f"{FINALITY}-value"} == set(records)
    assert [(row.version, row.schema) for row in rows if row.subject == f"{FINALITY}-value"] == [
        (1, schema_text("finality")),
        (2, later("finality")),
    ]


def test_an_empty_registry_gets_the_same_ids_back_and_hands_out_others_after_them(
    with_own: Config, own: OwnRegistry
) -> None:
    records = written(with_own)
    before = kept(with_own)
    own.empty()

    assert restored(with_own) == sorted({row.id for row in before})

    for value in records.values():
        read = by_the_registry_alone(with_own, value)
        assert {name: read[name] for name in MARK} == MARK
    assert asked(own.url, f"/subjects/{FINALITY}-value/versions") == [1, 2]
    assert asked(own.url, f"/config/{FINALITY}-value")["compatibilityLevel"] == "FULL_TRANSITIVE"
    assert restored(with_own) == []
    with Schemas(with_own) as schemas:
        assert schemas.codec("finality", FINALITY).schema_id == min(records)
        assert schemas.codec("dead_letter", "x.system.dead_letter").schema_id > max(row.id for row in before)


def test_a_registry_that_lost_its_last_ids_only_gets_those_back(with_own: Config, own: OwnRegistry) -> None:
    records = written(with_own)
    own.empty()
    with Registry(own.url) as registry:
        assert registry.register(f"{FINALITY}-value", schema_text("finality")) == min(records)

    assert restored(with_own) == [row.id for row in kept(with_own) if row.id != min(records)]

    assert asked(own.url, f"/subjects/{FINALITY}-value/versions") == [1, 2]
    with Registry(own.url) as registry, pytest.raises(FtError, match="FULL_TRANSITIVE"):
        registry.register(f"{FINALITY}-value", later("finality").replace('["null", "string"]', '["null", "long"]'))


def test_what_a_registry_leaves_out_of_an_import_that_it_calls_done_is_told(with_own: Config, own: OwnRegistry) -> None:
    written(with_own)
    own.empty()
    with Registry(own.url) as registry:
        registry.register(f"{FINALITY}-value", schema_text("finality"))
    with psycopg.connect(with_own.postgres) as conn:
        conn.execute("UPDATE system.schemas SET version = 1 WHERE version = 2")

    with pytest.raises(ServerError, match=r"expected ids 2, 3 after they were put back, got none for 3"):
        restored(with_own)


def test_a_version_that_was_deleted_for_good_gets_its_id_back_beside_the_one_that_was_not(
    with_own: Config, own: OwnRegistry
) -> None:
    records = written(with_own)
    with SchemaRegistryClient({"url": own.url, "timeout": 30}) as client:
        client.delete_version(f"{FINALITY}-value", 2)
        client.delete_version(f"{FINALITY}-value", 2, permanent=True)

    assert restored(with_own) == [max(records)]

    assert asked(own.url, f"/subjects/{FINALITY}-value/versions") == [1, 2]
    assert asked(own.url, f"/subjects/{FINALITY}-value/versions/latest")["id"] == max(records)
    assert by_the_registry_alone(with_own, records[max(records)])["later"] == "x"


def test_a_version_that_would_get_another_id_is_not_left_in_the_registry(with_own: Config, own: OwnRegistry) -> None:
    with Registry(own.url) as registry:
        for number in range(5):
            registry.register(
                f"theirs.{number}-value", json.dumps({"type": "record", "name": f"T{number}", "fields": []})
            )
    written(with_own)
    own.empty()
    with Registry(own.url) as registry:
        registry.register("theirs-value", schema_text("finality"))

    with pytest.raises(ServerError, match=r"expected ids 6, 7, 8 after they were put back, got none for 6"):
        restored(with_own)

    assert asked(own.url, f"/subjects/{FINALITY}-value/versions") == [2]
    assert asked(own.url, "/schemas/ids/1/versions") == [{"subject": "theirs-value", "version": 1}]


def test_others_subjects_in_the_registry_stay_as_they_are(with_own: Config, own: OwnRegistry) -> None:
    with Registry(own.url) as registry:
        for number in range(3):
            registry.register(f"theirs.{number}-value", json.dumps({"type": "record", "name": "T", "fields": []}))
        registry.register("theirs-value", schema_text("deployment"))
    theirs = asked(own.url, "/subjects/theirs-value/versions/1")["id"]
    written(with_own)
    own.empty()
    with Registry(own.url) as registry:
        registry.register("theirs-value", json.dumps({"type": "record", "name": "T", "fields": []}))

    restored(with_own)

    assert asked(own.url, "/subjects/theirs-value/versions/1")["id"] == 1
    assert theirs not in {row.id for row in kept(with_own)}


def test_several_processes_that_restore_at_once_come_to_the_same(with_own: Config, own: OwnRegistry) -> None:
    records = written(with_own)
    own.empty()

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: restored(with_own), range(3)))

    assert sorted(map(len, done)) == [0, 0, len(records) + 1]


@pytest.mark.parametrize("order", [("asset_created", "finality"), ("deployment", "finality", "asset_created")])
def test_a_registry_that_gave_the_ids_out_anew_is_refused_and_left_alone(
    with_own: Config, own: OwnRegistry, order: tuple[str, ...]
) -> None:
    written(with_own)
    own.empty()
    with Registry(own.url) as registry:
        for name in order:
            registry.register(f"{FINALITY if name == 'finality' else name}-value", schema_text(name))
    before = asked(own.url, "/subjects")

    with pytest.raises(OtherDeployment, match="FT_SCHEMA_REGISTRY is likely wrong") as caught:
        restored(with_own)
    with pytest.raises(OtherDeployment), Schemas(with_own) as schemas:
        schemas.codec("dead_letter", "x.system.dead_letter")

    assert f"of {FINALITY}-value: expected supply.ft.Finality, got" in str(caught.value)
    assert asked(own.url, "/subjects") == before


def test_a_schema_that_the_registry_has_under_another_id_is_refused(with_own: Config, own: OwnRegistry) -> None:
    with Registry(own.url) as registry:
        for number in range(5):
            registry.register(
                f"theirs.{number}-value", json.dumps({"type": "record", "name": f"T{number}", "fields": []})
            )
    written(with_own)
    own.empty()
    with Registry(own.url) as registry:
        registry.register(f"{FINALITY}-value", schema_text("finality"))

    with pytest.raises(OtherDeployment, match=r"id 6 of .*expected supply\.ft\.Finality, got nothing: .* its id 1"):
        restored(with_own)


def test_an_id_that_is_kept_is_never_given_another_meaning(with_own: Config) -> None:
    written(with_own)
    other = Registered(id=1, subject="theirs-value", version=1, schema=schema_text("dead_letter"))

    with Schemas(with_own) as schemas, pytest.raises(OtherDeployment, match="id 1 of"):
        schemas.keep([other])

    assert "theirs-value" not in {row.subject for row in kept(with_own)}


def test_records_are_read_and_written_by_what_is_kept_while_the_registry_is_away(with_own: Config) -> None:
    records = written(with_own)
    away = at(with_own, NOWHERE)

    with Schemas(away) as schemas:
        for value in records.values():
            assert schemas.reader("finality").decode(value) == MARK
        assert schemas.codec("finality", FINALITY).encode(MARK) == records[min(records)]
        assert schemas.agreement() is None


def test_records_are_read_where_no_registry_is_named(with_own: Config) -> None:
    records = written(with_own)
    without = {name: value for name, value in with_own.addresses.items() if name != "FT_SCHEMA_REGISTRY"}

    with Schemas(replace(with_own, addresses=without)) as schemas:
        assert schemas.reader("finality").decode(records[min(records)]) == MARK


def test_a_schema_that_is_new_needs_the_registry_and_says_so(with_own: Config) -> None:
    written(with_own)

    with Schemas(at(with_own, NOWHERE)) as schemas, pytest.raises(RegistryUnavailable) as caught:
        schemas.codec("dead_letter", "x.system.dead_letter")

    assert "x.system.dead_letter-value has a schema that is new and must be registered" in str(caught.value)
    assert caught.value.retryable


def test_an_id_that_is_not_kept_is_asked_from_the_registry(with_own: Config) -> None:
    with Registry(with_own.schema_registry) as registry:
        strange = registry.register("theirs-value", schema_text("finality"))

    with Schemas(with_own) as schemas:
        assert schemas.schema(strange)["name"] == "Finality"
        with pytest.raises(MalformedRecord, match="schema id 999"):
            schemas.schema(999)
    with Schemas(at(with_own, NOWHERE)) as schemas, pytest.raises(RegistryUnavailable):
        schemas.schema(strange)


def test_what_another_process_has_kept_meanwhile_is_read(with_own: Config) -> None:
    with Schemas(at(with_own, NOWHERE)) as reading:
        records = written(with_own)

        assert reading.reader("finality").decode(records[max(records)]) == MARK


def test_an_address_that_is_no_registry_is_not_taken_for_an_empty_one(with_own: Config, own: OwnRegistry) -> None:
    written(with_own)
    wrong = at(with_own, own.url.replace("/ccompat/", "/nothing/"))

    with Schemas(wrong) as schemas:
        found = schemas.agreement()
        assert found is not None
        assert "answers, but is no registry" in found.wrong
        with pytest.raises(RegistryUnavailable, match="answers, but is no registry"):
            schemas.restore()


def test_a_registry_that_hands_out_global_ids_gets_those_back(with_own: Config, own: OwnRegistry) -> None:
    setting = own.url.replace(
        "/ccompat/v7", "/registry/v3/admin/config/properties/apicurio.ccompat.legacy-id-mode.enabled"
    )
    assert httpx.put(setting, json={"value": "true"}, timeout=30).is_success
    try:
        records = written(with_own)
        with Schemas(with_own) as schemas:
            schemas.codec("finality", "x.twin")
        before = kept(with_own)
        own.empty()

        restored(with_own)

        assert len({row.id for row in before}) == len(before) == 4
        assert all(asked(own.url, f"/subjects/{row.subject}/versions/{row.version}")["id"] == row.id for row in before)
        assert by_the_registry_alone(with_own, records[min(records)]) == MARK
    finally:
        httpx.put(setting, json={"value": "false"}, timeout=30)


@pytest.fixture
def documented() -> Iterator[Documented]:
    with Documented() as made:
        yield made


def test_confluents_documented_mode_import_is_used_where_it_is_no_apicurio(
    config: Config, documented: Documented
) -> None:
    there = at(config, documented.url)
    written(there)
    ids, subjects = dict(documented.schemas), {name: dict(each) for name, each in documented.subjects.items()}
    documented.lose()
    documented.asked.clear()

    assert restored(there) == sorted(ids)

    assert (documented.schemas, documented.subjects) == (ids, subjects)
    assert documented.modes == {}
    assert documented.levels[f"{FINALITY}-value"] == "FULL_TRANSITIVE"
    assert f"PUT /mode/{FINALITY}-value" in documented.asked


def test_a_registry_whose_mode_may_not_be_changed_is_told_of(config: Config) -> None:
    with Documented(mutable=False) as fixed:
        there = at(config, fixed.url)
        written(there)
        fixed.lose()

        with pytest.raises(ServerError, match=r"mode\.mutability=true"):
            restored(there)


def ft(config: Config, *words: str) -> Result:
    return CliRunner().invoke(commands, ["schemas", *words], env=config.environ())


def test_check_says_whether_the_registry_agrees_by_its_exit_code_too(with_own: Config, own: OwnRegistry) -> None:
    assert ft(with_own, "check").exit_code == 2
    assert "Run `ft migrate`" in ft(with_own, "check").output
    written(with_own)

    same, away = ft(with_own, "check"), ft(at(with_own, NOWHERE), "check")
    own.empty()
    lost = ft(with_own, "check")
    with Registry(own.url) as registry:
        registry.register("asset_created-value", schema_text("asset_created"))
    other = ft(with_own, "check")

    assert (same.exit_code, same.output) == (0, "same     3 ids\n")
    assert away.exit_code == 2
    assert "expected an answer" in away.output
    assert lost.exit_code == 1
    assert f"lost     id 1 of {FINALITY}-value: supply.ft.Finality" in lost.output
    assert other.exit_code == 1
    assert f"differs  id 1 of {FINALITY}-value: expected supply.ft.Finality, got supply.ft.AssetCreated" in other.output


def test_list_shows_each_id_and_what_the_registry_says(with_own: Config, own: OwnRegistry) -> None:
    assert "`ft migrate`" in ft(with_own, "list").stdout
    written(with_own)

    lines = ft(with_own, "list").stdout.splitlines()
    own.empty()

    assert lines[0].split() == ["id", "subject", "version", "record", "registry"]
    assert lines[1].split() == ["1", f"{FINALITY}-value", "1", "supply.ft.Finality", "same"]
    assert len(lines) == 4
    assert ft(with_own, "list").stdout.splitlines()[1].split()[-1] == "lost"
    assert ft(at(with_own, NOWHERE), "list").stdout.splitlines()[1].split()[-1] == "?"


def test_what_is_exported_brings_the_ids_back_although_the_database_is_lost_too(
    with_own: Config, own: OwnRegistry, tmp_path: Path
) -> None:
    records, file = written(with_own), tmp_path / "ids.json"
    assert ft(with_own, "export", "--to", str(file)).stdout == f"{file}: 3 ids\n"
    assert ft(with_own, "export").stdout == file.read_text()
    own.empty()

    with with_fresh_database(with_own) as lost:
        tried, done, again = (
            ft(lost, "import", str(file), "--dry-run"),
            ft(lost, "import", str(file)),
            ft(lost, "import"),
        )

    assert (tried.exit_code, tried.stdout) == (0, "would put back ids 1, 2, 3; 3 in all. Nothing was changed\n")
    assert (done.exit_code, done.stdout) == (0, "put back ids 1, 2, 3; 3 in all\n")
    assert again.stdout == "no schema is kept, and no file was named: nothing to put back\n"
    assert by_the_registry_alone(with_own, records[min(records)]) == MARK


def test_import_without_a_file_gives_back_what_the_database_keeps(with_own: Config, own: OwnRegistry) -> None:
    written(with_own)
    own.empty()

    assert ft(with_own, "import").stdout == "put back ids 1, 2, 3; 3 in all\n"
    assert ft(with_own, "import").stdout == "the registry has all of 3 ids\n"


def test_what_only_a_file_has_is_kept_from_then_on(with_own: Config, own: OwnRegistry, tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    written(with_own)
    ft(with_own, "export", "--to", str(file))
    rows = kept(with_own)
    with psycopg.connect(with_own.postgres) as conn:
        conn.execute("DELETE FROM system.schemas WHERE version = 2")

    done = ft(with_own, "import", str(file))

    assert done.stdout == "the registry has all of 3 ids\nthe database keeps 1 schemas more\n"
    assert kept(with_own) == rows


def test_a_file_of_another_deployment_or_with_other_meanings_changes_nothing(
    with_own: Config, own: OwnRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "ids.json"
    written(with_own)
    ft(with_own, "export", "--to", str(file))
    other = json.loads(file.read_text())
    other["schemas"][0]["schema"] = schema_text("dead_letter")
    own.empty()

    file.write_text(json.dumps(other))
    meaning = ft(with_own, "import", str(file))
    with psycopg.connect(with_own.postgres) as conn:
        conn.execute(
            "INSERT INTO system.deployment (id, topic_prefix, cluster_id)"
            " VALUES ('00000000-0000-0000-0000-000000000001', '', 'c')"
        )
    file.write_text(json.dumps(other | {"deployment": "00000000-0000-0000-0000-000000000002"}))
    whose = ft(with_own, "import", str(file))

    assert isinstance(meaning.exception, OtherDeployment)
    assert "id 1 of x.ledger.finality-value: expected supply.ft.Finality, got supply.ft.DeadLetter" in str(
        meaning.exception
    )
    assert isinstance(whose.exception, OtherDeployment)
    assert "got those of 00000000-0000-0000-0000-000000000002" in str(whose.exception)
    assert asked(own.url, "/subjects") == []
