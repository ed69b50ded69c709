"""The schema registry (Confluent API): registers what ft writes, learns what it reads.

Confluent's client is slow to import (what it needs to log in by OAuth comes with it), and most processes register
nothing: who may need it imports this module then.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

import structlog
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # httpx or httpx2: its errors, not ours
from confluent_kafka.schema_registry.error import SchemaRegistryError

from ft.access.registry_security import RegistrySecurity
from ft.errors import MalformedRecord, SchemaError
from ft.schemas.meaning import difference, meaning, name_of
from ft.streams.kafka.registry_errors import (
    NOT_FOUND,
    RegistryUnavailable,
    in_a_line,
    is_nobodys,
    no_registry,
    remedy_of,
)

log = structlog.get_logger(__name__)

COMPATIBILITY: Final = ConfigCompatibilityLevel.FULL_TRANSITIVE
_CONFLICT: Final = 409
_NO_SUBJECT: Final = 40401
_TIMEOUT_S: Final = 10  # with every retry well below the watchdog's patience
_ID_MAX: Final = 2**31 - 1
_NO_SUCH_ID: Final = (400, 404, 422)
_NO_JSON: Final = ("Unknown Schema Registry Error: b'", 'Unknown Schema Registry Error: b"')
"""What Confluent's client puts before the body of an answer that is no JSON, which it tells as Python's bytes."""


class Registry:
    """Blocking; asked at start, and when a reader meets a schema id for the first time."""

    def __init__(self, url: str, security: RegistrySecurity | None = None) -> None:
        """``security``: what it asks for, where it asks for something."""
        self._url = url
        login = {} if security is None else security.confluent()
        self._client = SchemaRegistryClient({"url": url, "timeout": _TIMEOUT_S, "max.retries": 2, **login})
        self._kept: set[tuple[int, str]] = set()
        """Ids under which the registry keeps what it was given."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def register(self, subject: str, text: str) -> int:
        """Register a schema under FULL_TRANSITIVE; returns its id.

        Raises SchemaError if the registry holds an incompatible version, RegistryUnavailable if it does not answer.

        1. the level is set before the subject has its first schema, and set right where it is another one
        2. the schema is registered, unless the registry knows it
        3. what the registry keeps under the id is read back: some answer the id of a schema that only looks alike
        4. no version that came in under another level breaks it: of a subject that was new there is none
        """
        schema = Schema(text, "AVRO")
        with self._answering(subject):
            try:
                known, is_new = self._look_up(subject, schema)
                self._set_level(subject) if is_new else self._set_right(subject)  # 1
                schema_id = int(self._client.register_schema(subject, schema)) if known is None else known  # 2
                self._read_back(subject, schema_id, text)  # 3
                if not is_new and not self._client.test_compatibility_all_versions(subject, schema):  # 4
                    raise _incompatible(subject, "at least one of them breaks it")
            except SchemaRegistryError as exc:
                if exc.http_status_code == _CONFLICT:
                    raise _incompatible(subject, exc.error_message) from exc
                raise
        return schema_id

    def hold_level(self, subject: str) -> None:
        """Set the level of a subject that was put back. Raises RegistryUnavailable."""
        with self._answering(subject):
            self._set_level(subject)

    def _set_level(self, subject: str) -> None:
        self._client.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))

    def _set_right(self, subject: str) -> None:
        """A registry knows no level for a subject whose level was never set."""
        try:
            level = self._client.get_compatibility(subject)
        except SchemaRegistryError as exc:
            if not _knows_none(exc):
                raise
            level = ""
        if level != COMPATIBILITY.value:
            self._set_level(subject)
            if level:
                log.warning("schema level is set right", subject=subject, level=level, expected=COMPATIBILITY.value)

    def _read_back(self, subject: str, schema_id: int, text: str) -> None:
        if (schema_id, text) in self._kept:  # many subjects have the same one
            return
        self._client.clear_caches()  # type: ignore[no-untyped-call] # they would answer with what was asked for
        kept, wanted = json.loads(self._client.get_schema(schema_id).schema_str or "null"), json.loads(text)
        if meaning(kept) != meaning(wanted):
            raise SchemaError(
                f"{subject}: expected the registry to keep {name_of(wanted)} as it was given, got id {schema_id}, "
                f"which differs {difference(kept, wanted)}. It takes schemas for the same that differ in aliases or "
                "an enum's default only: change it together with a new optional field."
            )
        self._kept.add((schema_id, text))

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        """The writer's schema of an id.

        Raises MalformedRecord for an id that the registry does not know, or that is no Avro record: it never will be.
        Raises RegistryUnavailable where it gives no answer: the same question may be asked again.
        """
        if schema_id > _ID_MAX:
            raise MalformedRecord(f"schema id {schema_id}: expected one of at most {_ID_MAX}")
        with self._answering(f"id {schema_id}"):
            try:
                found = self._client.get_schema(schema_id)
            except SchemaRegistryError as exc:
                if exc.http_status_code in _NO_SUCH_ID and not is_nobodys(exc.http_status_code, exc.error_code):
                    raise MalformedRecord(f"schema id {schema_id}: expected one that the registry knows") from exc
                raise
        if not found.schema_str:
            raise no_registry(self._url, f"no schema for id {schema_id}")
        return _avro(schema_id, found)

    @contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        """An error of the registry, or none of its answers, is RegistryUnavailable, which names what was asked for."""
        try:
            yield
        except SchemaRegistryError as exc:
            if is_nobodys(exc.http_status_code, exc.error_code):
                raise no_registry(self._url, f"{what}: {_told(exc)}") from exc
            raise self._unavailable(f"{what}: {_told(exc)}", exc.http_status_code) from exc
        except ValueError as exc:  # an answer of success that is no JSON
            raise no_registry(self._url, f"{what}: {exc}") from exc
        except (httpx.HTTPError, OSError) as exc:
            raise self._unavailable(f"{what}: expected an answer, got: {exc}") from exc

    def _unavailable(self, what: str, status: int | None = None) -> RegistryUnavailable:
        return RegistryUnavailable(f"schema registry {self._url}, {what}. {remedy_of(status)}")

    def _look_up(self, subject: str, schema: Schema) -> tuple[int | None, bool]:
        """The id that a schema has under the subject, if any; and whether the subject has no schema at all."""
        try:
            return self._client.lookup_schema(subject, schema).schema_id, False
        except SchemaRegistryError as exc:
            if _knows_none(exc):
                return None, exc.error_code == _NO_SUBJECT
            raise


def _knows_none(exc: SchemaRegistryError) -> bool:
    """Whether it is a registry that knows no such thing."""
    status = exc.http_status_code
    return status == NOT_FOUND and not is_nobodys(status, exc.error_code)


def _told(exc: SchemaRegistryError) -> str:
    """What it says, for a message."""
    text = str(exc)
    for prefix in _NO_JSON:
        if text.startswith(prefix):
            return in_a_line(exc.http_status_code, text.removeprefix(prefix).replace("\\n", " "))
    return " ".join(text.split())


def _incompatible(subject: str, why: str) -> SchemaError:
    return SchemaError(
        f"{subject}: the registry holds versions that this schema is not {COMPATIBILITY.value} with: {why}. "
        "Add fields with defaults only; a version that another program registered must be deleted there."
    )


def _avro(schema_id: int, found: Schema) -> Mapping[str, Any]:
    """The schema as JSON. Raises MalformedRecord for another kind, or one that needs others."""
    try:
        schema = json.loads(found.schema_str or "null") if found.schema_type in (None, "AVRO") else None
    except ValueError:
        schema = None
    if not isinstance(schema, dict) or found.references:
        got = f"{found.schema_type or 'AVRO'} {(found.schema_str or '')[:80]!r}"
        raise MalformedRecord(f"schema id {schema_id}: expected an Avro record schema of its own, got {got}")
    return schema
