"""What the operating system refuses, as a message: a full disk, somebody else's folder."""

import errno
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ft.config import Config
from ft.errors import ServerError

FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ENOUGH = "2 GB"


@contextmanager
def told(config: Config) -> Iterator[None]:
    """Raises ServerError in place of OSError."""
    try:
        yield
    except OSError as exc:
        raise ServerError(message(config, exc)) from exc


def message(config: Config, exc: OSError) -> str:
    """What was refused, what is expected, and what to do."""
    path = Path(os.fsdecode(exc.filename)) if exc.filename else config.home
    if exc.errno in FULL:
        return (
            f"{path} cannot be written: the disk is full{_left(path)}. The servers want {_ENOUGH} and more: make room, "
            "or set FT_HOME (data) or FT_CACHE (downloads) to a folder on another disk. `ft down` stops what runs."
        )
    if exc.errno in CLOSED:
        return (
            f"{path}: {exc.strerror}, for user {_name(os.geteuid())}{_owned(path)}. Run ft as the user who owns it, or "
            "set FT_HOME (and FT_CACHE) to folders of your own."
        )
    return f"{path}: {exc.strerror or exc}. Expected a folder to write in: see FT_HOME and FT_CACHE."


def _left(path: Path) -> str:
    for folder in (path, *path.parents):
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            return f" ({usage.free >> 20} of {usage.total >> 20} MiB free)"
    return ""


def _owned(path: Path) -> str:
    """Whose the nearest folder is that can be seen at all."""
    for place in (path, *path.parents):
        with suppress(OSError):
            return f"; {place} belongs to {_name(place.stat().st_uid)}"
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
