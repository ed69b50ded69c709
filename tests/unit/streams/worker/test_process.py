"""How a worker process ends: its exit code is what its supervisor goes by."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

# Nothing listens on port 9 of this machine: the worker's start comes as far as its Kafka client.
_WORKER: Final = """
import asyncio
from ft.config import Config
from ft.streams.worker import process
from ft.streams.worker.app import create_app

async def prepare():
    {prepare}

app = create_app(Config.from_env())
app.prepare = prepare
process.Worker(app).execute_from_commandline()
"""
_PREPARE: Final = {
    "cancelled": "asyncio.current_task().cancel(); await asyncio.sleep(60)",
    "without a broker": "pass",
    "interrupted": "import os, signal; os.kill(os.getpid(), signal.SIGINT); await asyncio.sleep(60)",
    "told": "import os, signal; os.kill(os.getpid(), signal.SIGTERM); await asyncio.sleep(60)",
}


def worker(home: Path, start: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """To its end."""
    nowhere = "127.0.0.1:9"
    return subprocess.run(
        [sys.executable, "-c", _WORKER.format(prepare=_PREPARE[start])],
        env={
            "FT_HOME": str(home),
            "FT_KAFKA": nowhere,
            "FT_POSTGRES": f"postgresql://{nowhere}/ft",
            "FT_SCHEMA_REGISTRY": f"http://{nowhere}",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("start", "code"), [("cancelled", 1), ("without a broker", 1), ("told", 0), ("interrupted", 130)]
)
def test_only_a_worker_that_was_told_to_stop_ends_with_another_code_than_1(
    start: str, code: int, tmp_path: Path
) -> None:
    ended = worker(tmp_path, start)

    assert ended.returncode == code, ended.stderr
    assert {type(json.loads(line)) for line in (ended.stdout + ended.stderr).splitlines()} == {dict}


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = worker(tmp_path, "told", FT_METRICS_PORT=str(port))

    said = [json.loads(line) for line in ended.stderr.splitlines()]
    (exits,) = (line for line in said if line["level"] == "critical")
    assert ended.returncode == 1
    assert exits["error"].startswith(f"FT_METRICS_PORT: cannot listen on 127.0.0.1:{port}")
    assert [line for line in said if "exception" in line] == []


_ENDS: Final = """
import asyncio
from ft.config import Config
from ft.errors import ConfigError
from ft.streams.deployment import failures
from ft.streams.worker import process
from ft.streams.worker.app import create_app

def noted(config, role, what, exc, worker):
    print("noted", role, type(exc).__name__, flush=True)

async def ends():
    {ends}

failures.note = noted
process.end = lambda code: None
app = create_app(Config.from_env())
asyncio.run(ends())
"""


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ("tasks = [asyncio.create_task(app.fail(each)) for each in (ConfigError(), ValueError())]", "ConfigError"),
        ("task = asyncio.create_task(app.fail(ConfigError())); await asyncio.sleep(0); app._crash(ValueError())",
         "ConfigError"),
        ("[app._crash(ValueError()) for _ in range(3)]; task = asyncio.create_task(app.fail(ConfigError()))",
         "ValueError"),
        ("task = asyncio.create_task(app.fail(ConfigError())); await asyncio.sleep(0); app.note_of('a', ValueError())",
         "ConfigError"),
    ],
    ids=["two errors", "a crash after an error", "an error after a crash", "a consumer after an error"],
)  # fmt: skip
def test_a_process_has_one_end_and_what_comes_after_its_reason_is_not_noted(
    ends: str, reason: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _ENDS.format(ends=ends + "; await asyncio.sleep(0.5)")],
        env={"FT_HOME": str(tmp_path), "FT_KAFKA": "127.0.0.1:9"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert [line for line in ended.stdout.splitlines() if line.startswith("noted")] == [f"noted worker {reason}"]
