#!/usr/bin/env bash
# schemathesis 4.32.5, phase coverage, an optional header parameter with a `pattern` that has a literal separator (a
# colon, a dash), as `^[a-z]+:[0-9]+$`: where a value that fits is to be sent, it sends `0`, whatever `example` and
# `examples` say. An API that checks the pattern refuses that, and is reported for it: ST202 "Schema-valid request
# rejected". Patterns without a literal between their parts are kept to. Make the header right in a hook (`map_case`).
#
# Seen: the patterns with a separator get `0` and exit 1, those without get a value that fits and exit 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATTERNS = {"^[a-z]+:[0-9]+$": "a:1", "^[a-z]+-[0-9]+$": "a-1", "^[a-z]+[0-9]+$": "a1", "^[0-9]+$": "1"}
SEPARATED = ("^[a-z]+:[0-9]+$", "^[a-z]+-[0-9]+$")
sent: set[str | None] = set()
pattern = ""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        at = self.headers.get("X-At")
        sent.add(at)
        self.send_response(200 if at is None or re.search(pattern, at) else 422)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
for pattern, example in PATTERNS.items():
    sent.clear()
    schema = {"type": "string", "pattern": pattern, "examples": [example]}
    header = {"name": "X-At", "in": "header", "required": False, "example": example, "schema": schema}
    answers = {"200": {"description": "right"}, "422": {"description": "wrong"}}
    spec = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}}
    spec |= {"paths": {"/x": {"get": {"parameters": [header], "responses": answers}}}}
    Path("spec.json").write_text(json.dumps(spec))
    done = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "run", "spec.json", "--phases", "coverage", "--no-color",
         "--checks", "positive_data_acceptance", "--url", f"http://127.0.0.1:{server.server_port}"],
        capture_output=True, text=True,
    )  # fmt: skip
    fits = sorted(each for each in sent if each is not None and re.search(pattern, each))
    print(f"{pattern}: exit {done.returncode}, sent {sorted(map(str, sent))}, of which fit {fits}")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    if pattern in SEPARATED:
        assert done.returncode == 1 and "0" in sent and not fits, done.stdout
        assert "Schema-valid request rejected" in done.stdout and "X-At: 0" in done.stdout, done.stdout
    else:
        assert done.returncode == 0 and fits, done.stdout
PYTHON
