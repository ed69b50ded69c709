"""A stand-in for a registry with mode IMPORT, as Confluent documents its API. It is none: what only a real one does,
such as its checks of compatibility, is not here.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.served import Served

Answer = tuple[int, Any]


class Documented(Served):
    """What it keeps is there to look at. ``mutable``: its setting mode.mutability."""

    content_type = "application/vnd.schemaregistry.v1+json"

    def __init__(self, *, mutable: bool = True) -> None:
        super().__init__()
        self.mutable = mutable
        self.schemas: dict[int, str] = {}
        self.subjects: dict[str, dict[int, int]] = {}
        """Subject -> version -> id."""
        self.modes: dict[str, str] = {}
        self.levels: dict[str, str] = {}
        self.asked: list[str] = []

    def respond(self, method: str, path: str, body: bytes, content_type: str | None) -> tuple[int, bytes]:
        del content_type
        status, content = self.answer(method, unquote(urlsplit(path).path), json.loads(body) if body else None)
        return status, json.dumps(content).encode()

    def lose(self) -> None:
        """Everything."""
        for kept in (self.schemas, self.subjects, self.modes, self.levels):
            kept.clear()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Status and body."""
        self.asked.append(f"{method} {path}")
        if found := re.fullmatch(r"/schemas/ids/(\d+)", path):
            schema = self.schemas.get(int(found[1]))
            return _missing(40403, "Schema") if schema is None else (200, {"schema": schema})
        if found := re.fullmatch(r"/mode/([^/]+)", path):
            return self._mode(method, found[1], body)
        if found := re.fullmatch(r"/config/([^/]+)", path):
            return self._level(method, found[1], body)
        if re.fullmatch(r"/compatibility/subjects/[^/]+/versions", path):
            return 200, {"is_compatible": True}
        if found := re.fullmatch(r"/subjects/([^/]+)", path):
            return self._look_up(found[1], body)
        if found := re.fullmatch(r"/subjects/([^/]+)/versions(?:/(\d+))?", path):
            return self._register(found[1], body) if method == "POST" else self._versions(found[1], found[2])
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _mode(self, method: str, subject: str, body: Any) -> Answer:
        if not self.mutable:
            return 422, {"error_code": 42205, "message": "Mode changes are not allowed"}
        if method == "DELETE":
            return 200, {"mode": self.modes.pop(subject, "READWRITE")}
        self.modes[subject] = body["mode"]
        return 200, body

    def _level(self, method: str, subject: str, body: Any) -> Answer:
        if method == "PUT":
            self.levels[subject] = body["compatibility"]
            return 200, body
        level = self.levels.get(subject)
        return _missing(40408, "Level") if level is None else (200, {"compatibilityLevel": level})

    def _look_up(self, subject: str, body: Any) -> Answer:
        if subject not in self.subjects:
            return _missing(40401, "Subject")
        for version, schema_id in self.subjects[subject].items():
            if json.loads(self.schemas[schema_id]) == json.loads(body["schema"]):
                return 200, {"subject": subject, "version": version, "id": schema_id, "schema": self.schemas[schema_id]}
        return _missing(40403, "Schema")

    def _versions(self, subject: str, version: str | None) -> Answer:
        if subject not in self.subjects:
            return _missing(40401, "Subject")
        if version is None:
            return 200, sorted(self.subjects[subject])
        schema_id = self.subjects[subject][int(version)]
        schema = self.schemas[schema_id]
        return 200, {"subject": subject, "version": int(version), "id": schema_id, "schema": schema}

    def _register(self, subject: str, body: Any) -> Answer:
        importing = self.modes.get(subject) == "IMPORT"
        if importing != ("id" in body):
            return 422, {
                "error_code": 42205,
                "message": f"Subject {subject} is {'' if importing else 'not '}in import mode",
            }
        versions = self.subjects.setdefault(subject, {})
        known = {schema: schema_id for schema_id, schema in self.schemas.items()}
        schema_id = body["id"] if importing else known.get(body["schema"], max(self.schemas, default=0) + 1)
        if self.schemas.get(schema_id, body["schema"]) != body["schema"]:
            return 422, {"error_code": 42205, "message": f"Overwrite new schema with id {schema_id} is not permitted."}
        self.schemas[schema_id] = body["schema"]
        versions[body["version"] if importing else max(versions, default=0) + 1] = schema_id
        return 200, {"id": schema_id}


def _missing(code: int, what: str) -> Answer:
    return 404, {"error_code": code, "message": f"{what} not found"}
