"""Bytes <-> records: fastavro in the Confluent frame (0x00, int32 schema id, Avro body).

Wire format: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html
"""

import json
import struct
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from operator import itemgetter
from typing import Any, Final

import fastavro

from ft.errors import MalformedRecord, SchemaError
from ft.schemas import domains
from ft.schemas.picking import Pick, picker

SUBJECTS: Final = (
    "raw_block",
    "normalized_batch",
    "ownership_changed",
    "finality",
    "reorg_detected",
    "asset_created",
    "dead_letter",
    "deployment",
)
_FRAME: Final = struct.Struct(">bI")
_WHY_MAX: Final = 300  # characters

Fetch = Callable[[int], Mapping[str, Any]]
"""Schema id -> the writer's schema, asked once an id."""


@cache
def schema_text(name: str) -> str:
    """The schema of a record: the .avsc file, as shipped, or what a domain declares for a topic of its own. Raises
    SchemaError for a name that has none."""
    if name in SUBJECTS:
        return (files("ft.schemas") / f"{name}.avsc").read_text()
    if (announced := domains.announced().get(name)) is not None:
        return json.dumps(announced)
    raise SchemaError(f"expected one of {', '.join(SUBJECTS)}, got {name!r}")


@cache
def parsed(name: str) -> Any:
    """The parsed schema that this code reads with."""
    return fastavro.parse_schema(json.loads(schema_text(name)))


class Codec:
    """Encodes and decodes one kind of record under schema ids that the registry gave out."""

    def __init__(self, name: str, schema_id: int, fetch: Fetch) -> None:
        self.name = name
        self.schema_id = schema_id
        self._schema = parsed(name)
        self._header = _FRAME.pack(0, schema_id)
        self._fetch = fetch
        self._writers: dict[int, Any] = {schema_id: self._schema}
        self._quick: dict[tuple[str, ...], tuple[Pick | None, itemgetter[Any]]] = {}

    @property
    def frame(self) -> bytes:
        """What comes before every Avro body of this record: the magic byte and the schema id."""
        return self._header

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Frame and encode. Raises SchemaError if a field is missing or of the wrong type."""
        out = BytesIO()
        out.write(self._header)
        try:
            fastavro.schemaless_writer(out, self._schema, record)
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise SchemaError(
                f"{self.name}: expected its schema's fields, got a record that does not fit: {exc}"
            ) from exc
        return out.getvalue()

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """Read framed bytes. Raises MalformedRecord for anything that is not such a record, whole and alone."""
        if value is None or len(value) < _FRAME.size:
            raise MalformedRecord(f"{self.name}: expected a frame of at least 5 bytes, got {len(value or b'')}")
        magic, schema_id = _FRAME.unpack_from(value)
        if magic != 0:
            raise MalformedRecord(f"{self.name}: expected magic byte 0, got {magic}")
        writer = self._writers.get(schema_id)
        if writer is None:
            writer = self._writers[schema_id] = self._learn(schema_id)
        body = BytesIO(value)
        body.seek(_FRAME.size)
        reader = None if writer is self._schema else self._schema
        try:
            record = fastavro.schemaless_reader(body, writer, reader)
        except Exception as exc:  # fastavro raises whatever the bytes lead it to
            why = repr(exc)[:_WHY_MAX]  # which may hold the whole value
            raise MalformedRecord(f"{self.name}: body does not fit schema id {schema_id}: {why}") from exc
        if body.tell() != len(value):
            raise MalformedRecord(f"{self.name}: expected {body.tell()} bytes, got {len(value)}")
        if not isinstance(record, dict):
            raise MalformedRecord(f"{self.name}: expected a record, got {type(record).__name__}")
        return record

    def pick(self, value: bytes | None, fields: tuple[str, ...]) -> tuple[Any, ...]:
        """Some fields of a record, in this order. As :meth:`decode`, and raises what it raises."""
        quick = self._quick.get(fields)
        if quick is None:
            quick = self._quick[fields] = (picker(self._schema, fields), itemgetter(*fields))
        pick, of_record = quick
        if pick is not None and value is not None and value.startswith(self._header):
            try:
                return pick(value, _FRAME.size)
            except (ValueError, IndexError):  # decode tells what is wrong with it
                pass
        return of_record(self.decode(value))  # type: ignore[no-any-return]

    def _learn(self, schema_id: int) -> Any:
        writer = self._fetch(schema_id)
        named = f"{writer.get('namespace', '')}.{writer.get('name', '')}"
        if named != self._schema["name"]:
            got = f"{named[:_WHY_MAX]} (id {schema_id})"
            raise MalformedRecord(f"{self.name}: expected schema {self._schema['name']}, got {got}")
        try:
            return fastavro.parse_schema(dict(writer))
        except Exception as exc:  # anybody may have registered it: fastavro raises whatever it leads it to
            why = repr(exc)[:_WHY_MAX]
            raise MalformedRecord(f"{self.name}: schema id {schema_id}: expected an Avro schema, got: {why}") from exc
