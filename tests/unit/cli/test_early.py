"""Ctrl-C before a program of ft has begun: one line, as the others of the process are, and 130."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.pages import CHECKOUT

_FAUST = ["-m", "faust", "-A", "ft", "worker"]


def interrupted(words: list[str], at: str, folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run Python with ``words``; Ctrl-C comes as the module ``at`` is imported."""
    (folder / f"{at}.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    return subprocess.run(
        [sys.executable, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}:{CHECKOUT}", "FT_HOME": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "at"),
    [
        (["-m", "ft.cli", "status"], "click"),
        (["-m", "ft.cli", "verify"], "structlog"),
        (["-m", "ft.cli", "status"], "rich"),
        (_FAUST, "psycopg"),
        (_FAUST, "structlog"),
    ],
)
def test_an_early_ctrl_c_is_one_json_line(words: list[str], at: str, tmp_path: Path) -> None:
    ran = interrupted(words, at, tmp_path, FT_LOG_FORMAT="json")

    (said,) = [json.loads(line) for line in ran.stderr.splitlines()]
    assert (ran.returncode, said["event"], said["level"]) == (130, "ft: interrupted", "info")
    assert ran.stdout == ""


@pytest.mark.parametrize("at", ["click", "rich"])
def test_of_a_command_it_is_text_unless_json_is_chosen(at: str, tmp_path: Path) -> None:
    ran = interrupted(["-m", "ft.cli", "status"], at, tmp_path)

    assert (ran.returncode, ran.stderr.strip()) == (130, "ft: interrupted")


def test_an_error_of_a_worker_that_nobody_foresaw_is_one_json_line(tmp_path: Path) -> None:
    breaks = "import ft.streams.worker.app as app; app.create_app = lambda _: 1 / 0; import ft.agents.pipeline"
    ran = interrupted(["-c", breaks], "nobody", tmp_path, FT_LOG_FORMAT="json", FT_KAFKA="127.0.0.1:1")

    (said,) = [json.loads(line) for line in ran.stderr.splitlines()]
    assert (ran.returncode, said["kind"]) == (1, "ZeroDivisionError")


def test_a_program_of_somebody_else_handles_its_own(tmp_path: Path) -> None:
    ran = interrupted(["-c", "import ft, somebody"], "somebody", tmp_path)

    assert ran.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in ran.stderr


def test_who_ignores_it_is_not_made_to_listen(tmp_path: Path) -> None:
    as_ft = "import signal, sys; signal.signal(2, signal.SIG_IGN); sys.orig_argv = ['python', '/bin/ft']; import ft"
    ran = interrupted(["-c", f"{as_ft}; print(signal.getsignal(2) is signal.SIG_IGN)"], "nobody", tmp_path)

    assert ran.stdout == "True\n"
