"""Ctrl-C ends whatever runs with 130 and one line. The servers are addresses that accept and never answer."""

import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from ft.ops.recovery import manifest
from ft.schemas.registered import file_of
from tests.unit.pages import CHECKOUT

_COMMANDS: Final = {
    "ft up": ["-m", "ft.cli", "up"],
    "ft down": ["-m", "ft.cli", "down"],
    "ft migrate": ["-m", "ft.cli", "migrate"],
    "ft status": ["-m", "ft.cli", "status"],
    "ft verify": ["-m", "ft.cli", "verify"],
    "ft dlq list": ["-m", "ft.cli", "dlq", "list"],
    "ft dlq show": ["-m", "ft.cli", "dlq", "show", "1"],
    "ft dlq replay": ["-m", "ft.cli", "dlq", "replay", "1"],
    "ft dlq drop": ["-m", "ft.cli", "dlq", "drop", "1"],
    "ft schemas list": ["-m", "ft.cli", "schemas", "list"],
    "ft schemas check": ["-m", "ft.cli", "schemas", "check"],
    "ft schemas export": ["-m", "ft.cli", "schemas", "export", "--to", "{folder}/ids.json"],
    "ft schemas import": ["-m", "ft.cli", "schemas", "import"],
    "ft backup": ["-m", "ft.cli", "backup", "--to", "{folder}/backup"],
    "ft restore": ["-m", "ft.cli", "restore", "--from", "{folder}/backed-up"],
    "ft restore --as-it-stands": ["-m", "ft.cli", "restore", "--as-it-stands"],
    "ft reannounce": ["-m", "ft.cli", "reannounce"],
    "ft reset": ["-m", "ft.cli", "reset"],
    "ft index": ["-m", "ft.cli", "index"],
    "ft ingest": ["-m", "ft.cli", "ingest", "polygon", "--rpc", "http://127.0.0.1:9", "--from", "1", "--to", "2"],
    "ft ingest --follow": ["-m", "ft.cli", "ingest", "polygon", "--rpc", "http://127.0.0.1:9", "--follow"],
    "ft replace": ["-m", "ft.cli", "replace", "polygon", "--from", "1", "--to", "2"],
    "ft rebuild project": ["-m", "ft.cli", "rebuild", "project"],
    "ft rebuild ledger": ["-m", "ft.cli", "rebuild", "ledger"],
    "ft demo": ["-m", "ft.cli", "demo"],
    "ft api": ["-m", "ft.cli", "api", "--port", "{port}"],
    "worker": ["-m", "faust", "-A", "ft", "worker"],
}
_OF_SERVERS: Final = ("ft up", "ft down")
_ENDS: Final = (
    "ft: interrupted",
    "polygon: stopped",
    "polygon: stopped, nothing was written",
    "stopping",
    "worker stops",
)


class Silent:
    """A server that takes connections and says nothing."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.connected = threading.Event()
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        for each in (self._listening, *self._taken):
            each.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self._taken.append(self._listening.accept()[0])
                self.connected.set()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Of somebody's `ft up` that is at work."""
    run = tmp_path / "home" / "run"
    run.mkdir(parents=True)
    with (run / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        backed_up(tmp_path / "home" / "backed-up")
        yield tmp_path / "home"


def backed_up(folder: Path) -> None:
    """A backup of a deployment in which nothing is."""
    folder.mkdir()
    (folder / manifest.SCHEMAS_FILE).write_text(file_of("x", []))
    numbers = {"epoch": 0, "partitions": 1, "made_at": 0, "tables": 0, "version": manifest.VERSION}
    words = dict.fromkeys(("ft", "postgres", "deployment", "cluster_id"), "x") | {"topic_prefix": ""}
    said: dict[str, Any] = {**numbers, **words, "networks": [], "journal_ends": [0], "positions": [], "topic_ends": {}}
    manifest.write(folder, manifest.Manifest(**said, files=manifest.summed(folder, lambda said: None)))


@pytest.mark.parametrize(("name", "form"), [*((name, "json") for name in _COMMANDS), ("ft status", "console")])
def test_ctrl_c_is_130_and_a_line(name: str, form: str, silent: Silent, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    at = f"127.0.0.1:{silent.port}"
    servers = {"FT_KAFKA": at, "FT_POSTGRES": f"postgresql://ft:x@{at}/ft", "FT_SCHEMA_REGISTRY": f"http://{at}"}
    settings = {"FT_HOME": str(home), "FT_LOG_FORMAT": form, "PYTHONPATH": str(CHECKOUT)}
    with (
        subprocess.Popen(
            [sys.executable, *(word.format(port=free, folder=home) for word in _COMMANDS[name])],
            env={"PATH": os.environ["PATH"], **settings, **({} if name in _OF_SERVERS else servers)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        ) as running,
        _killed(running),
    ):
        if name in _OF_SERVERS:
            assert running.stderr is not None
            assert "waiting" in _line(running.stderr)
        else:
            assert silent.connected.wait(60)
        began = time.monotonic()
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30)

    assert running.returncode == 130, err
    assert time.monotonic() - began < 10
    assert "Traceback" not in err + out
    said = [json.loads(line)["event"] for line in err.splitlines()] if form == "json" else err.splitlines()
    assert len([line for line in said if line in _ENDS]) == 1, err
    assert (out == "") == (name != "ft status")


def test_ctrl_c_is_130_where_addresses_are_printed_and_a_secret_does_not_come(tmp_path: Path) -> None:
    """`ft env` asks no server; what it may wait for is a file that names a secret."""
    secret = tmp_path / "secret"
    os.mkfifo(secret)
    environ = {"PATH": os.environ["PATH"], "FT_HOME": str(tmp_path), "FT_KAFKA_PASSWORD_FILE": str(secret)}
    with (
        subprocess.Popen(
            [sys.executable, "-m", "ft.cli", "env"],
            env={**environ, "PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running,
        _killed(running),
        secret.open("w"),  # returns once somebody reads
    ):
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)

    assert (running.returncode, out, err.strip()) == (130, "", "ft: interrupted")


@contextmanager
def _killed(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Whatever comes: it does not outlive the test."""
    try:
        yield
    finally:
        process.kill()


def _line(stream: object) -> str:
    with selectors.DefaultSelector() as ready:
        ready.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
        assert ready.select(60)
        return str(stream.readline())  # type: ignore[attr-defined]
