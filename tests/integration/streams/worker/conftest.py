"""Worker processes on a fresh database and fresh topics."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from tests.integration.agents.normalize.rawtopic import RawTopic, open_raw
from tests.integration.streams.worker.workers import WorkerProcess

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def raw(config: Config, tmp_path: Path) -> Iterator[RawTopic]:
    with open_raw(replace(config, partitions=3, session_timeout_s=6.0), tmp_path) as opened:
        yield opened


@pytest.fixture
def start_worker(raw: RawTopic, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts a worker; whatever still runs at the end is killed."""
    started: list[WorkerProcess] = []

    def start(agents: str = "normalize", **environment: str) -> WorkerProcess:
        made = WorkerProcess(raw.config, tmp_path / f"worker-{len(started)}.log", agents, environment)
        started.append(made)
        return made

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()
