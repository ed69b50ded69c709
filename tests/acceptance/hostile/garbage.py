"""Values that are no record of a topic, whatever the topic: each with the reason for which it is put aside."""

import io
import json
from collections.abc import Iterator
from typing import Any, Final

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from ft.config import Config
from ft.schemas.codec import Codec, schema_text
from ft.streams.kafka.registry import Registry

JSON_SCHEMA: Final = '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}'
PROTOBUF: Final = 'syntax = "proto3";\nmessage RawBlock {\n  string op = 1;\n}\n'


def frames(config: Config, codec: Codec, good: bytes) -> Iterator[tuple[str, bytes | None]]:
    """(what it is, the value). ``good``: a record of the topic, which is cut and bent."""
    yield "null", None
    yield "empty", b""
    yield "one byte", b"\x00"
    yield "frame and nothing else", good[:5]
    yield "wrong magic byte", b"\x01" + good[1:]
    yield "no avro", b"not avro at all, but longer than a frame"
    yield "cut in half", good[: len(good) // 2]
    yield "one byte less", good[:-1]
    yield "one byte more", good + b"\x00"
    yield "unknown schema id", b"\x00\x7f\xff\xff\xf0" + good[5:]
    yield "schema id beyond int32", b"\x00\xff\xff\xff\xff" + good[5:]
    yield "a text that is no utf-8", codec.frame + b"\x02" + _text(b"\xff" * 1_000_000) + b"\x00" * 40
    yield "a text of a stated 2^62 bytes", codec.frame + b"\x02" + _long(2**62) + b"x"
    yield "a text of a stated negative length", codec.frame + b"\x02" + _long(-(2**62)) + b"x"
    for what, schema_id in _strange_schemas(config, codec.name):
        yield what, b"\x00" + schema_id.to_bytes(4, "big") + good[5:]


def with_wider_numbers(codec: Codec, record: dict[str, Any], *names: str) -> bytes:
    """The record with 64-bit numbers where the schema has 32: Avro writes both alike, and no reader checks."""
    schema = json.loads(schema_text(codec.name))
    for field in schema["fields"]:
        if field["name"] in names:
            field["type"] = {"type": "array", "items": "long"} if isinstance(field["type"], dict) else "long"
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record)
    return codec.frame + body.getvalue()


def _strange_schemas(config: Config, name: str) -> Iterator[tuple[str, int]]:
    """Schemas that somebody has registered, under subjects of their own."""
    prefix = f"{config.topic_prefix}strange.{name}"
    with Registry(config.schema_registry) as registry:
        other = "finality" if name != "finality" else "dead_letter"
        yield "a record of another topic", registry.register(f"{prefix}.other", schema_text(other))
        same_name = json.loads(schema_text(name))
        same_name["fields"] = [{"name": "price", "type": "double"}]
        yield "a schema of the same name", registry.register(f"{prefix}.same", json.dumps(same_name))
    with SchemaRegistryClient({"url": config.schema_registry, "timeout": 30}) as client:
        yield "a JSON schema", client.register_schema(f"{prefix}.json", Schema(JSON_SCHEMA, "JSON"))
        yield "a protobuf schema", client.register_schema(f"{prefix}.proto", Schema(PROTOBUF, "PROTOBUF"))
        yield "no record", client.register_schema(f"{prefix}.string", Schema('"string"', "AVRO"))


def _long(value: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema("long"), value)
    return out.getvalue()


def _text(value: bytes) -> bytes:
    return _long(len(value)) + value
