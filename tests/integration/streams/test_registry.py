"""Schemas against the real registry: what may change, and what every Kafka tool can read."""

import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from ft.config import Config
from ft.errors import MalformedRecord, SchemaError
from ft.schemas.codec import SUBJECTS, Codec, schema_text
from ft.schemas.events import OwnershipChanged, from_record, to_record
from ft.streams.registry import Registry, RegistryUnavailable
from ft.streams.topics import Topics

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


def with_fields(name: str, *fields: dict[str, Any], without: str = "") -> str:
    schema = json.loads(schema_text(name))
    schema["fields"] = [f for f in schema["fields"] if f["name"] != without] + list(fields)
    return json.dumps(schema)


@pytest.mark.parametrize("name", SUBJECTS)
def test_registering_a_schema_twice_gives_the_same_id(registry: Registry, config: Config, name: str) -> None:
    topic = f"{config.topic_prefix}{name}"

    assert registry.codec(name, topic).schema_id == registry.codec(name, topic).schema_id


def test_an_incompatible_schema_is_refused(registry: Registry, topic: str) -> None:
    registry.codec("ownership_changed", topic)
    incompatible = with_fields("ownership_changed", {"name": "price", "type": "string"})

    with pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
        registry.register(f"{topic}-value", incompatible)


def test_a_required_field_cannot_be_taken_away(registry: Registry, topic: str) -> None:
    registry.codec("ownership_changed", topic)

    with pytest.raises(SchemaError, match="FULL_TRANSITIVE"):
        registry.register(f"{topic}-value", with_fields("ownership_changed", without="network"))


def test_a_new_optional_column_is_accepted_and_older_readers_pass_over_it(registry: Registry, topic: str) -> None:
    codec = registry.codec("ownership_changed", topic)
    later = with_fields("ownership_changed", {"name": "price", "type": ["null", "string"], "default": None})
    new_id = registry.register(f"{topic}-value", later)
    written = _encode(later, new_id, to_record(CHANGE) | {"price": "12"})

    assert new_id != codec.schema_id
    assert from_record(OwnershipChanged, codec.decode(written)) == CHANGE


def test_a_kind_from_the_future_needs_no_new_schema(registry: Registry, topic: str) -> None:
    codec = registry.codec("ownership_changed", topic)

    assert codec.decode(codec.encode(to_record(CHANGE) | {"kind": "fractionalised"}))["kind"] == "fractionalised"


def test_a_schema_id_that_the_registry_does_not_know_is_a_malformed_record(registry: Registry, topic: str) -> None:
    codec = registry.codec("ownership_changed", topic)

    with pytest.raises(MalformedRecord, match="schema id 99999999"):
        codec.decode(b"\x00" + (99_999_999).to_bytes(4, "big") + b"x")


def test_another_kind_of_record_is_a_malformed_record(registry: Registry, topic: str) -> None:
    codec = registry.codec("ownership_changed", topic)
    other = registry.codec("finality", f"{topic}.other")

    with pytest.raises(MalformedRecord, match=r"expected schema supply\.ft\.OwnershipChanged"):
        codec.decode(b"\x00" + other.schema_id.to_bytes(4, "big") + b"x")


def test_the_stock_avro_deserializer_reads_a_record_with_the_registry_alone(
    registry: Registry, config: Config, topic: str
) -> None:
    value = registry.codec("ownership_changed", topic).encode(to_record(CHANGE))

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
    codec = registry.codec("ownership_changed", topic)
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        strange = client.register_schema(f"{topic}.{kind}", Schema(text, kind))

    with pytest.raises(MalformedRecord, match=f"schema id {strange}: expected an Avro record schema of its own"):
        codec.decode(b"\x00" + strange.to_bytes(4, "big") + b"x")


def test_a_registry_that_is_away_is_no_fault_of_the_record() -> None:
    with Registry("http://127.0.0.1:9/apis/ccompat/v7") as away, pytest.raises(RegistryUnavailable) as caught:
        away.schema(5)

    assert caught.value.retryable
    assert "Is it running (`ft status`), and is FT_SCHEMA_REGISTRY right?" in str(caught.value)
