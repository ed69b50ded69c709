"""Schemas against the real registry: what may change, and what every Kafka tool can read."""

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from ft.config import Config
from ft.errors import MalformedRecord, SchemaError
from ft.schemas.codec import SUBJECTS, Codec, schema_text
from ft.schemas.events import OwnershipChanged, from_record, to_record
from ft.streams.kafka.registry import Registry
from ft.streams.kafka.registry_errors import RegistryUnavailable
from ft.streams.kafka.topics import Topics
from tests.integration.streams.between import OF_KNOWN, OF_NEW, Between

CHANGE = OwnershipChanged(
    seq=7,
    prev_seq=6,
    kind="transfer",
    op="apply",
    network="polygon",
    block_number=1,
    block_hash="0xb",
    block_time=1_700_000_000,
    token_id=str(2**256 - 1),
    from_account="0xf",
    to_account="0x7",
    quantity="1",
)


@pytest.fixture
def topic(config: Config) -> str:
    return Topics(config.topic_prefix).ownership_changed


@pytest.fixture
def registry(config: Config) -> Iterator[Registry]:
    with Registry(config.schema_registry) as registry:
        yield registry


def made(registry: Registry, name: str, topic: str) -> Codec:
    return Codec(name, registry.register(f"{topic}-value", schema_text(name)), registry.schema)


def with_fields(name: str, *fields: dict[str, Any], without: str = "") -> str:
    schema = json.loads(schema_text(name))
    schema["fields"] = [f for f in schema["fields"] if f["name"] != without] + list(fields)
    return json.dumps(schema)


INCOMPATIBLE = with_fields("ownership_changed", {"name": "price", "type": "string"})


@pytest.mark.parametrize("name", SUBJECTS)
def test_registering_a_schema_twice_gives_the_same_id(registry: Registry, config: Config, name: str) -> None:
    topic = f"{config.topic_prefix}{name}"

    assert made(registry, name, topic).schema_id == made(registry, name, topic).schema_id


def test_an_incompatible_schema_is_refused(registry: Registry, topic: str) -> None:
    made(registry, "ownership_changed", topic)

    with pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
        registry.register(f"{topic}-value", INCOMPATIBLE)


def test_a_required_field_cannot_be_taken_away(registry: Registry, topic: str) -> None:
    made(registry, "ownership_changed", topic)

    with pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
        registry.register(f"{topic}-value", with_fields("ownership_changed", without="network"))


def test_a_subject_has_its_level_before_its_first_schema(config: Config, topic: str) -> None:
    for failing in OF_NEW:
        subject = f"{topic}.{failing.method.lower()}.{OF_NEW.index(failing)}-value"
        with Between(config.schema_registry) as between, Registry(between.url) as registry:
            between.failing = failing
            with pytest.raises(RegistryUnavailable):
                registry.register(subject, schema_text("ownership_changed"))
        with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
            assert level(client, subject) in (None, "FULL_TRANSITIVE"), failing
            assert level(client, subject) or not known(client, subject), failing
        with Registry(config.schema_registry) as registry:
            registry.register(subject, schema_text("ownership_changed"))
            with pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
                registry.register(subject, INCOMPATIBLE)


def test_a_registry_that_fails_amid_the_questions_about_a_known_schema_is_told_of(
    registry: Registry, config: Config, topic: str
) -> None:
    text = schema_text("ownership_changed")
    first = registry.register(f"{topic}-value", text)
    for failing in OF_KNOWN:
        with Between(config.schema_registry) as between, Registry(between.url) as asking:
            between.failing = failing
            with pytest.raises(RegistryUnavailable):
                asking.register(f"{topic}-value", text)
            between.failing = None
            assert asking.register(f"{topic}-value", text) == first


def test_a_subject_found_at_another_level_is_set_right(registry: Registry, config: Config, topic: str) -> None:
    text = schema_text("ownership_changed")
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        before = client.register_schema(f"{topic}-value", Schema(text, "AVRO"))
        assert level(client, f"{topic}-value") == "NONE"

        assert registry.register(f"{topic}-value", text) == before
        assert level(client, f"{topic}-value") == "FULL_TRANSITIVE"
    with pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
        registry.register(f"{topic}-value", INCOMPATIBLE)


def test_a_version_that_came_in_under_another_level_and_breaks_the_schema_is_told_of(
    registry: Registry, config: Config, topic: str
) -> None:
    text = schema_text("ownership_changed")
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        for version in (text, INCOMPATIBLE):
            client.register_schema(f"{topic}-value", Schema(version, "AVRO"))

    for _ in range(2):
        with pytest.raises(SchemaError, match="at least one of them breaks it"):
            registry.register(f"{topic}-value", text)


def test_docs_white_space_and_the_order_of_keys_may_differ(registry: Registry, topic: str) -> None:
    schema = json.loads(schema_text("ownership_changed"))
    first = registry.register(f"{topic}-value", json.dumps(schema))
    schema["fields"] = [field | {"doc": "said anew"} for field in schema["fields"]]
    anew = dict(reversed(schema.items())) | {"doc": "another"}

    assert registry.register(f"{topic}-value", json.dumps(anew, indent=4)) == first


def test_an_alias_that_the_registry_drops_is_told_of(registry: Registry, topic: str) -> None:
    schema = json.loads(schema_text("ownership_changed"))
    registry.register(f"{topic}-value", json.dumps(schema))
    schema["fields"][0]["aliases"] = ["formerly"]

    with pytest.raises(SchemaError, match=r"fields\[0\]\.aliases: expected \['formerly'\], got None"):
        registry.register(f"{topic}-value", json.dumps(schema))


def test_an_enums_default_that_the_registry_drops_is_told_of(registry: Registry, topic: str) -> None:
    def schema(default: str) -> str:
        letters = {"type": "enum", "name": "Letter", "symbols": ["A", "B"], "default": default}
        return json.dumps({"type": "record", "name": "R", "fields": [{"name": "x", "type": letters}]})

    registry.register(f"{topic}-value", schema("A"))

    with pytest.raises(SchemaError, match=r"type\.default: expected B, got A"):
        registry.register(f"{topic}-value", schema("B"))


def level(client: SchemaRegistryClient, subject: str) -> str | None:
    try:
        return client.get_compatibility(subject)
    except SchemaRegistryError:  # the subject is not there
        return None


def known(client: SchemaRegistryClient, subject: str) -> bool:
    return subject in client.get_subjects()


def test_a_new_optional_column_is_accepted_and_older_readers_pass_over_it(registry: Registry, topic: str) -> None:
    codec = made(registry, "ownership_changed", topic)
    later = with_fields("ownership_changed", {"name": "price", "type": ["null", "string"], "default": None})
    new_id = registry.register(f"{topic}-value", later)
    written = _encode(later, new_id, to_record(CHANGE) | {"price": "12"})

    assert new_id != codec.schema_id
    assert from_record(OwnershipChanged, codec.decode(written)) == CHANGE


def test_a_kind_from_the_future_needs_no_new_schema(registry: Registry, topic: str) -> None:
    codec = made(registry, "ownership_changed", topic)

    assert codec.decode(codec.encode(to_record(CHANGE) | {"kind": "fractionalised"}))["kind"] == "fractionalised"


def test_a_schema_id_that_the_registry_does_not_know_is_a_malformed_record(registry: Registry, topic: str) -> None:
    codec = made(registry, "ownership_changed", topic)

    with pytest.raises(MalformedRecord, match="schema id 99999999"):
        codec.decode(b"\x00" + (99_999_999).to_bytes(4, "big") + b"x")


def test_another_kind_of_record_is_a_malformed_record(registry: Registry, topic: str) -> None:
    codec = made(registry, "ownership_changed", topic)
    other = made(registry, "finality", f"{topic}.other")

    with pytest.raises(MalformedRecord, match=r"expected schema supply\.ft\.OwnershipChanged"):
        codec.decode(b"\x00" + other.schema_id.to_bytes(4, "big") + b"x")


def test_the_stock_avro_deserializer_reads_a_record_with_the_registry_alone(
    registry: Registry, config: Config, topic: str
) -> None:
    value = made(registry, "ownership_changed", topic).encode(to_record(CHANGE))

    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        stock = AvroDeserializer(client)
        assert stock(value, SerializationContext(topic, MessageField.VALUE)) == to_record(CHANGE)


def _encode(schema: str, schema_id: int, record: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(schema)), record)
    return b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()


def test_a_codec_is_made_for_known_names_only() -> None:
    with pytest.raises(SchemaError, match="expected one of"):
        Codec("nothing", 1, lambda _: {})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("JSON", '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}'),
        ("PROTOBUF", 'syntax = "proto3";\nmessage OwnershipChanged {\n  string op = 1;\n}\n'),
        ("AVRO", '"string"'),
    ],
)
def test_an_id_of_something_else_is_a_malformed_record(
    registry: Registry, config: Config, topic: str, kind: str, text: str
) -> None:
    codec = made(registry, "ownership_changed", topic)
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        strange = client.register_schema(f"{topic}.{kind}", Schema(text, kind))

    with pytest.raises(MalformedRecord, match=f"schema id {strange}: expected an Avro record schema of its own"):
        codec.decode(b"\x00" + strange.to_bytes(4, "big") + b"x")


def test_a_registry_that_is_away_is_no_fault_of_the_record() -> None:
    with Registry("http://127.0.0.1:9/apis/ccompat/v7") as away, pytest.raises(RegistryUnavailable) as caught:
        away.schema(5)

    assert caught.value.retryable
    assert "Is it running (`ft status`), and is FT_SCHEMA_REGISTRY right?" in str(caught.value)
