"""How a worker process ends: its exit code is what its supervisor goes by."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

# Nothing listens on port 9 of this machine: the worker's start comes as far as its Kafka client.
_WORKER: Final = """
import asyncio
from ft.config import Config
from ft.streams import process
from ft.streams.app import create_app

async def prepare():
    {prepare}

app = create_app(Config.from_env())
app.prepare = prepare
process.Worker(app).execute_from_commandline()
"""
_PREPARE: Final = {
    "cancelled": "asyncio.current_task().cancel(); await asyncio.sleep(60)",
    "without a broker": "pass",
    "told": "import os, signal; os.kill(os.getpid(), signal.SIGTERM); await asyncio.sleep(60)",
}


@pytest.mark.parametrize(("start", "code"), [("cancelled", 1), ("without a broker", 1), ("told", 0)])
def test_only_a_worker_that_was_told_to_stop_ends_with_code_0(start: str, code: int, tmp_path: Path) -> None:
    nowhere = "127.0.0.1:9"
    environment = {
        "FT_HOME": str(tmp_path),
        "FT_KAFKA": nowhere,
        "FT_POSTGRES": f"postgresql://{nowhere}/ft",
        "FT_SCHEMA_REGISTRY": f"http://{nowhere}",
    }

    ended = subprocess.run(
        [sys.executable, "-c", _WORKER.format(prepare=_PREPARE[start])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == code, ended.stderr
