"""What a registry says of ids that were given out, and how they are put back into one that lost them.

Two ways, since no API has one for all:
1. Apicurio Registry 3: its own import of a zip with the very content ids (with global ids where it is set to hand those
   out). Its Confluent API takes mode IMPORT and an id, and hands out another one all the same. The import leaves out
   what it has left over of subjects that were deleted for good: their versions are made anew one by one.
2. every other: Confluent's mode IMPORT for the subject, and a registration that names id and version.

The import answers with success whatever it left out: whoever puts back asks again afterwards.
"""

import io
import json
import ssl
import time
import zipfile
from collections.abc import Generator, Iterable, Sequence
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from ft.access.registry_security import RegistrySecurity
from ft.errors import ServerError
from ft.schemas.registered import Agreement, Registered, compare, same
from ft.streams.kafka.registry_errors import (
    TOLD_MAX,
    RegistryUnavailable,
    in_a_line,
    is_nobodys,
    no_registry,
    remedy_of,
)

_TIMEOUT_S: Final = 5.0
_IMPORT_TIMEOUT_S: Final = 60.0
_CONFLUENT_API: Final = "/apis/ccompat/"
"""In the address of an Apicurio Registry, what stands before its Confluent API."""
_APICURIO: Final = "/apis/registry/v3"
_GLOBAL_IDS: Final = "apicurio.ccompat.legacy-id-mode.enabled"
_NO_SUCH: Final = (40401, 40403)
"""Codes of a registry that knows no such subject, or no such schema; whatever else is not found is no registry's."""


class Ids:
    """A registry, asked for ids. Blocking; nothing is asked twice."""

    def __init__(self, url: str, security: RegistrySecurity | None = None) -> None:
        """``security``: what it asks for, where it asks for something."""
        login = security or RegistrySecurity()
        self._url = url.rstrip("/")
        self._http = httpx.Client(timeout=_TIMEOUT_S, verify=_certificates(login.ca), auth=_login(login))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def holds(self, row: Registered) -> bool:
        """Whether an id is what it was. Raises RegistryUnavailable."""
        found = self._schema(row.id)
        return found is not None and same(row.schema, found)

    def agreement(self, kept: Sequence[Registered]) -> Agreement:
        """What it says of all that was kept. Raises RegistryUnavailable."""
        said = {schema_id: self._schema(schema_id) for schema_id in sorted({row.id for row in kept})}
        known = {row: self._known_as(row) for row in kept if said[row.id] is None}
        return compare(self._url, kept, said, {row: found for row, found in known.items() if found is not None})

    def require_registry(self, subject: str) -> None:
        """Raises NoRegistry, RegistryUnavailable. ``subject``: one that it may know or not."""
        self._numbers_of(subject)

    def versions(self, subject: str) -> list[Registered]:
        """Every version of a subject that is an Avro record of its own, as it was registered; none of one that is new.

        Raises RegistryUnavailable. A version may be answered in another form than it was given; a look-up has that one.
        """
        found = []
        for version in self._numbers_of(subject) or ():
            answer = self._ask("GET", f"{self._subject(subject)}/versions/{version}")
            if answer is None or answer.get("schemaType", "AVRO") != "AVRO" or answer.get("references"):
                continue
            given = self._ask("POST", self._subject(subject), json={"schema": answer["schema"]}) or answer
            text = given["schema"] if given["id"] == answer["id"] else answer["schema"]
            found.append(Registered(id=answer["id"], subject=subject, version=answer["version"], schema=text))
        return found

    def put_back(self, rows: Sequence[Registered]) -> None:
        """Register ``rows``, none of which it knows, under their ids. Raises RegistryUnavailable, ServerError."""
        rows = sorted(rows, key=_place)
        if (own := self._apicurio()) is not None:
            self._import_into_apicurio(*own, rows)
        else:
            for subject, versions in groupby(rows, lambda row: row.subject):
                self._register(subject, list(versions))

    def _schema(self, schema_id: int) -> str | None:
        answer = self._ask("GET", f"{self._url}/schemas/ids/{schema_id}")
        if answer is None:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
            raise no_registry(self._url, f"no schema for id {schema_id}: {str(answer)[:TOLD_MAX]}")
        return str(answer["schema"])

    def _known_as(self, row: Registered) -> int | None:
        answer = self._ask("POST", self._subject(row.subject), json={"schema": row.schema})
        return None if answer is None else int(answer["id"])

    def _apicurio(self) -> tuple[str, str] | None:
        """Root of the registry's own API and its version, of an Apicurio Registry."""
        root, found, _ = self._url.partition(_CONFLUENT_API)
        if not found:
            return None
        try:
            answer = self._http.get(f"{root}{_APICURIO}/system/info")
        except httpx.HTTPError as exc:
            raise self._unavailable(exc) from exc
        version = _object(answer).get("version")
        if not isinstance(version, str):
            raise ServerError(
                f"schema registry {self._url}: expected an Apicurio Registry 3 with its own API at {root}{_APICURIO}, "
                f"got {answer.status_code}. Ids cannot be put back by way of it: let FT_SCHEMA_REGISTRY name its "
                "address without a proxy that hides that API, or import what `ft schemas export` writes by its means."
            )
        return f"{root}{_APICURIO}", version

    def _import_into_apicurio(self, own: str, version: str, rows: Sequence[Registered]) -> None:
        """1. whichever id it hands out by the Confluent API; 2. the import; 3. what the import left out, where ids are
        those of contents: a global id is handed out only once.
        """
        answer = self._ask("GET", f"{own}/admin/config/properties/{_GLOBAL_IDS}")  # 1
        global_ids = answer is not None and answer.get("value") == "true"
        self._import(own, version, rows, global_ids=global_ids)  # 2
        if not global_ids:  # 3
            left_out = {schema_id for schema_id in {row.id for row in rows} if self._schema(schema_id) is None}
            for row in rows:
                if row.id in left_out:
                    self._make_anew(own, row)

    def _make_anew(self, own: str, row: Registered) -> None:
        """Add a version by the registry's own API, which takes the version's number.

        A subject that is deleted for good leaves its contents behind, each under its id, and a new version whose text
        is the same gets that content. A version that gets another one is deleted again for good. One that the registry
        refuses, because the number is taken or the subject's level forbids it, is left out.
        """
        content = {"content": row.schema, "contentType": "application/json"}
        first = {"version": str(row.version), "content": content}
        try:
            made = self._http.post(
                f"{own}/groups/default/artifacts?ifExists=CREATE_VERSION",
                json={"artifactId": row.subject, "artifactType": "AVRO", "firstVersion": first},
            )
        except httpx.HTTPError as exc:
            raise self._unavailable(exc) from exc
        if made.status_code == httpx.codes.CONFLICT:
            return
        if not made.is_success:
            raise self._refused(f"version {row.version} of {row.subject}", made)
        if _object(made).get("version", {}).get("contentId") != row.id:
            place = f"/subjects/{quote(row.subject, '')}/versions/{row.version}"
            self._confluent("DELETE", place)
            self._confluent("DELETE", f"{place}?permanent=true")

    def _import(self, own: str, version: str, rows: Sequence[Registered], *, global_ids: bool) -> None:
        new = [subject for subject in sorted({row.subject for row in rows}) if not self._has_subject(subject)]
        try:
            done = self._http.post(
                f"{own}/admin/import?requireEmptyRegistry=false",
                content=_zip(rows, new, version, global_ids=global_ids),
                headers={
                    "Content-Type": "application/zip",
                    "X-Registry-Preserve-GlobalId": str(global_ids).lower(),
                    "X-Registry-Preserve-ContentId": str(not global_ids).lower(),
                },
                timeout=_IMPORT_TIMEOUT_S,
            )
        except httpx.HTTPError as exc:
            raise self._unavailable(exc) from exc
        if not done.is_success:
            raise self._refused("its import", done)

    def _has_subject(self, subject: str) -> bool:
        return self._numbers_of(subject) is not None

    def _numbers_of(self, subject: str) -> list[int] | None:
        """The versions of a subject; None: it knows no such subject."""
        answer = self._ask("GET", f"{self._subject(subject)}/versions")
        if answer is not None and not (isinstance(answer, list) and all(isinstance(each, int) for each in answer)):
            raise no_registry(self._url, f"no versions of {subject}: {str(answer)[:TOLD_MAX]}")
        return answer

    def _subject(self, subject: str) -> str:
        return f"{self._url}/subjects/{quote(subject, '')}"

    def _register(self, subject: str, versions: Sequence[Registered]) -> None:
        place = quote(subject, "")
        self._confluent("PUT", f"/mode/{place}?force=true", {"mode": "IMPORT"})
        try:
            for row in versions:
                body = {"schema": row.schema, "id": row.id, "version": row.version}
                got = self._confluent("POST", f"/subjects/{place}/versions", body).get("id")
                if got != row.id:
                    raise ServerError(
                        f"schema registry {self._url}: expected it to take {row.record} of {subject} under id {row.id} "
                        f"in mode IMPORT, got id {got}. It does not restore ids: restore its own backup."
                    )
        finally:
            self._confluent("DELETE", f"/mode/{place}")

    def _confluent(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, f"{self._url}{path}", json=body)
        except httpx.HTTPError as exc:
            raise self._unavailable(exc) from exc
        if not answer.is_success:
            raise self._refused(f"{method} {path}", answer)
        return _object(answer)

    def _ask(self, method: str, url: str, **kwargs: Any) -> Any:
        """Its answer; None: it knows no such thing. Raises NoRegistry, RegistryUnavailable."""
        try:
            answer = self._http.request(method, url, **kwargs)
        except httpx.HTTPError as exc:
            raise self._unavailable(exc) from exc
        if answer.is_success and (found := _json(answer)) is not None:
            return found
        code, got = _object(answer).get("error_code"), _told(answer)
        if answer.status_code == httpx.codes.NOT_FOUND and code in _NO_SUCH:
            return None
        if answer.is_success or is_nobodys(answer.status_code, code):
            raise no_registry(self._url, got)
        raise self._unavailable(got, answer.status_code)

    def _unavailable(self, what: object, status: int | None = None) -> RegistryUnavailable:
        return RegistryUnavailable(f"schema registry {self._url}: expected an answer, got: {what}. {remedy_of(status)}")

    def _refused(self, what: str, answer: httpx.Response) -> ServerError:
        return ServerError(
            f"schema registry {self._url}: expected it to take ids that are put back ({what}), got "
            f"{_told(answer)}. Allow it there (Apicurio: the role of an admin; others: "
            "mode.mutability=true), or restore its own backup."
        )


def _told(answer: httpx.Response) -> str:
    """Its status and what it says, for a message."""
    return in_a_line(answer.status_code, answer.text, answer.headers.get("Content-Type", ""))


def _json(answer: httpx.Response) -> Any:
    """None: it is none."""
    try:
        return answer.json()
    except ValueError:
        return None


def _object(answer: httpx.Response) -> dict[str, Any]:
    found = _json(answer)
    return found if isinstance(found, dict) else {}


def _zip(rows: Iterable[Registered], new: Iterable[str], system: str, *, global_ids: bool) -> bytes:
    """The archive of Apicurio's import: contents, then subjects that are ``new`` to it, then their versions."""
    now, out = int(time.time() * 1000), io.BytesIO()
    told = {"owner": "", "createdOn": now, "modifiedBy": "", "modifiedOn": now, "groupId": None, "description": None}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:

        def entity(path: str, content: dict[str, Any]) -> None:
            archive.writestr(path, json.dumps(content))

        entity(
            "manifest-ft.Manifest.json",
            {"exportVersion": "3.0", "systemVersion": system, "exportedOn": now, "exportedBy": "ft"},
        )
        contents: dict[str, int] = {}
        for row in rows:
            digest = sha256(row.schema.encode()).hexdigest()
            if digest not in contents:
                contents[digest] = row.id
                content = {
                    "contentId": row.id,
                    "contentHash": digest,
                    "canonicalHash": None,
                    "serializedReferences": None,
                }
                content |= {"artifactType": "AVRO", "contentType": "application/json"}
                entity(f"content/{digest}.Content.json", content)
                archive.writestr(f"content/{digest}.Content.data", row.schema)
        for subject in new:
            folder, artifact = f"groups/default/artifacts/{subject}", {"artifactId": subject}
            mine = [str(row.version) for row in rows if row.subject == subject]
            details = {"artifactType": "AVRO", "name": None, "labels": None}
            branch = {"branchId": "latest", "systemDefined": True, "versions": mine}
            entity(f"{folder}/MetaData.Artifact.json", told | artifact | details)
            entity(f"{folder}/branches/latest.Branch.json", told | artifact | branch)
        for row in rows:
            path = f"groups/default/artifacts/{row.subject}/versions/{row.version}.ArtifactVersion.json"
            version = {"artifactId": row.subject, "version": str(row.version), "versionOrder": row.version}
            version |= {"state": "ENABLED", "name": None, "labels": None}
            version |= {"globalId": row.id if global_ids else -1}
            version |= {"contentId": contents[sha256(row.schema.encode()).hexdigest()]}
            entity(path, told | version)
    return out.getvalue()


def _place(row: Registered) -> tuple[str, int]:
    return row.subject, row.version


@cache
def _certificates(ca: Path | None) -> ssl.SSLContext:
    """Read once: it takes longer than a request."""
    return ssl.create_default_context(cafile=ca)


def _login(security: RegistrySecurity) -> httpx.Auth:
    """What each request shows: nothing, name and password, or the token of now."""
    return httpx.BasicAuth(security.username, security.password) if security.username else _Bearer(security)


class _Bearer(httpx.Auth):
    """The token of now, if there is one, and the cluster that it is for."""

    def __init__(self, security: RegistrySecurity) -> None:
        self._security = security

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if token := self._security.bearer():
            request.headers["Authorization"] = f"Bearer {token}"
            if self._security.cluster:
                request.headers["target-sr-cluster"] = self._security.cluster
        yield request
