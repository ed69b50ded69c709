"""Worker processes as an operator starts them: ``faust -A ft worker``, with nothing but the environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ft.config import Config

CHECKOUT: Final = Path(__file__).resolve().parents[4]


class WorkerProcess:
    """One worker. ``log`` holds what it said."""

    def __init__(
        self, config: Config, log: Path, agents: str, environment: Mapping[str, str], module: str = "ft"
    ) -> None:
        self.log = log
        modules = {"PYTHONPATH": str(CHECKOUT)} if config.domains else {}  # those of tests
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", module, "worker"],
                env={
                    **os.environ,
                    **replace(config, log_format="json").environ(),
                    "FT_AGENTS": agents,
                    **modules,
                    **environment,
                },
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
            )

    def terminate(self, within_s: float = 15.0) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(within_s)

    def kill(self) -> None:
        """SIGKILL, also to one that is stopped."""
        self.process.kill()
        self.process.wait(10)

    def wait(self, within_s: float) -> int:
        """The exit code, once it ended."""
        return self.process.wait(within_s)

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of that event."""
        found = []
        for line in self.log.read_text().splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("event") == event:
                    found.append(entry)
        return found
