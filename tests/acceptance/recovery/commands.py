"""``ft`` as an operator types it."""

import os
import subprocess
import sys
import time
from typing import Final

import psycopg

from ft import children
from ft.children import FT
from ft.config import Config

BLOCKS: Final = 1_000 if os.environ.get("FT_FAULTS") == "long" else 20
"""Of the chain of a drill; 20 events each. ``FT_FAULTS=long`` and ``-s`` tell how long each step of it takes."""


def ft(config: Config, *words: str, code: int = 0) -> str:
    """What the command says, on both ways out."""
    environ, began = children.environment(config), time.monotonic()
    done = subprocess.run(
        [sys.executable, *FT, *words], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    print(f"ft {' '.join(words)}: {time.monotonic() - began:.1f} s")
    return done.stdout + done.stderr


def forget_processes(config: Config) -> None:
    """Those that were killed: what an operator waits a minute for."""
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute("UPDATE system.workers SET seen_at = 'epoch'")
        conn.execute("UPDATE ingest.leases SET seen_at = 'epoch'")
        conn.execute("UPDATE system.sync_cursors SET updated_at = 'epoch'")
