"""``ft`` as an operator types it."""

import subprocess
import sys

import psycopg

from ft import children
from ft.children import FT
from ft.config import Config


def ft(config: Config, *words: str, code: int = 0) -> str:
    """What the command says, on both ways out."""
    environ = children.environment(config)
    done = subprocess.run(
        [sys.executable, *FT, *words], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def forget_processes(config: Config) -> None:
    """Those that were killed: what an operator waits a minute for."""
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute("UPDATE system.workers SET seen_at = 'epoch'")
        conn.execute("UPDATE ingest.leases SET seen_at = 'epoch'")
        conn.execute("UPDATE system.sync_cursors SET updated_at = 'epoch'")
