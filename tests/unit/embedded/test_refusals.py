"""A full disk, somebody else's folder: messages that name the place and the way out, and no traceback."""

import errno
import os
import pwd
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ft.config import Config
from ft.embedded import refusals
from ft.errors import ConfigError, ServerError
from tests.unit.pages import CHECKOUT

# As root somebody else's programs may be out of reach: what is needed is imported before root's rights are given up.
_FT = """
import os, sys
import ft.cli.down, ft.cli.env, ft.cli.status, ft.cli.up, ft.demo.stage, ft.telemetry.takeover
if sys.argv.pop(1) == "nobody" and os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65_534)
    os.setuid(65_534)
from ft.cli import main
main()
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Unlike pytest's own, one that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def ft(
    *words: str, home: Path, user: str = "", before: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[str]":
    """A command of an operator who has named no servers."""
    return subprocess.run(
        [sys.executable, "-c", _FT, user, *words],
        env={"PATH": os.environ["PATH"], "FT_HOME": str(home), "PYTHONPATH": str(CHECKOUT)},
        preexec_fn=before,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full ("),
        (errno.EDQUOT, "the disk is full ("),
        (errno.EACCES, f"for user {pwd.getpwuid(os.geteuid()).pw_name}; "),
        (errno.EROFS, "Read-only file system, for user"),
        (errno.EFBIG, "File too large. Expected a folder to write in: see FT_HOME and FT_CACHE."),
    ],
)
def test_what_the_system_refuses_names_the_place_and_the_way_out(number: int, says: str, tmp_path: Path) -> None:
    config = Config(home=tmp_path / "home", cache=tmp_path, addresses={})

    with pytest.raises(ServerError) as refused, refusals.told(config):
        raise OSError(number, os.strerror(number), str(tmp_path / "home" / "file"))

    assert str(tmp_path / "home" / "file") in str(refused.value)
    assert says in str(refused.value)
    assert "FT_HOME" in str(refused.value)


def test_an_up_that_can_write_nothing_is_one_line(tmp_path: Path) -> None:
    def nothing() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    ended = ft("up", home=tmp_path / "home", before=nothing)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"ft: {tmp_path / 'home'}")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["up", "down", "status", "env"])
def test_the_home_of_another_user_is_one_line(command: str, open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700 if os.geteuid() == 0 else 0)  # root is let in everywhere, and nobody is not

    ended = ft(command, home=home, user="nobody")

    home.chmod(0o700)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"ft: {home} is closed to this user (Permission denied)")
    assert len(ended.stderr.splitlines()) == 1


def test_a_configuration_says_whose_home_it_cannot_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)

    with pytest.raises(ConfigError, match="Run ft as the user who ran `ft up`, or set FT_HOME"):
        Config.from_env({"FT_HOME": str(tmp_path)})
