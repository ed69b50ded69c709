"""The schema registry (Confluent API): registers what ft writes, learns what it reads."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # httpx or httpx2: its errors, not ours
from confluent_kafka.schema_registry.error import SchemaRegistryError

from ft.errors import MalformedRecord, SchemaError, ServerError
from ft.schemas.codec import Codec, schema_text

COMPATIBILITY: Final = ConfigCompatibilityLevel.FULL_TRANSITIVE
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_TIMEOUT_S: Final = 10  # with every retry well below the watchdog's patience
_ID_MAX: Final = 2**31 - 1
_NO_SUCH_ID: Final = (400, 404, 422)


class RegistryUnavailable(ServerError):
    """The registry gives no answer, for reasons that pass."""

    retryable: ClassVar[bool] = True


class Registry:
    """Blocking; asked at start, and when a reader meets a schema id for the first time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = SchemaRegistryClient({"url": url, "timeout": _TIMEOUT_S, "max.retries": 2})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def codec(self, name: str, topic: str) -> Codec:
        """Register ``schemas/<name>.avsc`` for the topic (idempotent) and return its codec.

        Raises SchemaError if the registry holds an incompatible version, RegistryUnavailable if it does not answer.
        """
        subject = f"{topic}-value"
        return Codec(name, self.register(subject, schema_text(name)), self.schema)

    def register(self, subject: str, text: str) -> int:
        """Register a schema under FULL_TRANSITIVE; returns its id. Raises as :meth:`codec`."""
        schema = Schema(text, "AVRO")
        try:
            known = self._known_id(subject, schema)
            if known is not None:
                return known
            registered = int(self._client.register_schema(subject, schema))
            self._client.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
            return registered
        except SchemaRegistryError as exc:
            if exc.http_status_code == _CONFLICT:
                raise SchemaError(
                    f"{subject}: the registry holds versions that this schema is not {COMPATIBILITY.value} with: "
                    f"{exc.error_message}. Add fields with defaults only."
                ) from exc
            raise self._unavailable(f"{subject}: {exc}") from exc
        except (httpx.HTTPError, OSError) as exc:
            raise self._unavailable(f"{subject}: expected an answer, got: {exc}") from exc

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        """The writer's schema of an id.

        Raises MalformedRecord for an id that the registry does not know, or that is no Avro record: it never will be.
        Raises RegistryUnavailable where it gives no answer: the same question may be asked again.
        """
        if schema_id > _ID_MAX:
            raise MalformedRecord(f"schema id {schema_id}: expected one of at most {_ID_MAX}")
        try:
            found = self._client.get_schema(schema_id)
        except SchemaRegistryError as exc:
            if exc.http_status_code in _NO_SUCH_ID:
                raise MalformedRecord(f"schema id {schema_id}: expected one that the registry knows") from exc
            raise self._unavailable(f"id {schema_id}: {exc}") from exc
        except (httpx.HTTPError, OSError) as exc:
            raise self._unavailable(f"id {schema_id}: expected an answer, got: {exc}") from exc
        return _avro(schema_id, found)

    def _unavailable(self, what: str) -> RegistryUnavailable:
        remedy = "Is it running (`ft status`), and is FT_SCHEMA_REGISTRY right?"
        return RegistryUnavailable(f"schema registry {self._url}, {what}. {remedy}")

    def _known_id(self, subject: str, schema: Schema) -> int | None:
        try:
            return self._client.lookup_schema(subject, schema).schema_id
        except SchemaRegistryError as exc:
            if exc.http_status_code == _NOT_FOUND:
                return None
            raise


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
