"""A process is ours by its owner and its words, and alive only if it can still do something."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ft.embedded import processes
from ft.errors import ServerError

SLEEP = "import time; print('awake', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('awake', flush=True); time.sleep(60)"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


@pytest.fixture
def started(log: Path, tmp_path: Path) -> Iterator["list[psutil.Process]"]:
    running: list[psutil.Process] = []
    yield running
    for process in running:
        if processes.is_alive(process):
            processes.end(process, how=signal.SIGKILL, patience_s=10)


def _start(program: str, log: Path, *words: str) -> psutil.Process:
    process = processes.spawn([sys.executable, "-c", program, *words], log=log, cwd=log.parent)
    processes.await_answer(lambda: "awake" in log.read_text(), process, name="it", log=log, patience_s=20)
    return process


def test_a_process_is_found_by_all_its_words(log: Path, started: list[psutil.Process]) -> None:
    mark = f"--home={log}"
    started.append(_start(SLEEP, log, mark, "serve"))

    assert processes.find((mark, "serve"), os.geteuid()) == started[0]
    assert processes.find((mark, "other"), os.geteuid()) is None
    assert processes.find((mark, "serve"), os.geteuid() + 1) is None


def test_a_killed_child_that_nobody_awaited_is_not_alive(log: Path) -> None:
    process = _start(SLEEP, log)
    os.kill(process.pid, signal.SIGKILL)

    assert processes.end(process, how=signal.SIGTERM, patience_s=20)
    assert not processes.is_alive(process)


def test_who_ignores_the_request_is_killed(log: Path, started: list[psutil.Process]) -> None:
    started.append(_start(STUBBORN, log))

    assert not processes.end(started[0], how=signal.SIGTERM, patience_s=0.2)
    assert not processes.is_alive(started[0])


def test_a_server_that_ends_while_starting_shows_the_end_of_its_log(log: Path) -> None:
    lines = "\\n".join(f"line {n}" for n in range(40))
    process = processes.spawn([sys.executable, "-c", f"print('''{lines}''')"], log=log, cwd=log.parent)

    with pytest.raises(ServerError) as failed:
        processes.await_answer(lambda: False, process, name="Kafka", log=log, patience_s=20)
    message = str(failed.value)
    assert "Kafka ended while it was starting" in message
    assert str(log) in message
    assert "line 39" in message
    assert "line 20" not in message


def test_a_log_is_private_and_does_not_grow_for_ever(
    log: Path, started: list[psutil.Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 10)
    log.write_text("what an earlier run said")
    started.append(_start(SLEEP, log))

    assert log.stat().st_mode & 0o777 == 0o600
    assert log.with_suffix(".log.1").read_text() == "what an earlier run said"


def test_a_server_outlives_the_session_that_started_it(log: Path, started: list[psutil.Process]) -> None:
    started.append(_start(SLEEP, log))

    assert os.getsid(started[0].pid) == started[0].pid != os.getsid(0)


def test_a_program_that_does_not_exist_is_an_error_with_its_name(log: Path) -> None:
    with pytest.raises(ServerError, match="no-such-program cannot be started"):
        processes.spawn(["no-such-program"], log=log, cwd=log.parent)
