"""Postgres refuses to run as root: as root, it gets a user without rights, and a place that this user can reach.

A home that only root may enter stays so. The data then stand under /var/lib/ft, in a folder of that user
alone, with a link to it in the home; so do the binaries, copied, if the user cannot reach the installed ones.
"""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from ft.embedded.places import Places, Say, locked, private_folder, write_private
from ft.embedded.processes import as_user
from ft.errors import ServerError

SHARED = Path("/var/lib/ft")
_USERS = ("postgres", "nobody")


def server_uid() -> int | None:
    """The uid to run Postgres as, or None for our own: only root needs another. Raises ServerError."""
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise ServerError(
        f"Postgres refuses to run as root: expected a user {' or '.join(_USERS)} to run it as, found neither. "
        "Create one, run ft as a plain user, or set FT_POSTGRES."
    )


def data_folder(places: Places, uid: int | None) -> Path:
    """Where this home's Postgres data stand, made or not."""
    return places.data("postgres") if uid is None else SHARED / places.key


def make_data_folder(places: Places, uid: int | None, say: Say) -> None:
    """Make the data folder, owned by ``uid``, and the link ``<home>/postgres`` to one that stands elsewhere."""
    folder = data_folder(places, uid)
    if uid is None:
        private_folder(folder)
        return
    _shared_folder()
    if folder.exists() and not _belongs_to(folder, places):
        # The home was deleted and made again: its old data stand here, and nobody asks for them.
        kept = folder.with_suffix(".old")
        shutil.rmtree(kept, ignore_errors=True)
        folder.replace(kept)
        say(f"Postgres data of an earlier {places.home} moved to {kept}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / "home").exists():
        write_private(folder / "home", f"{places.mark} {places.home}\n")
    os.chown(folder, uid, pwd.getpwuid(uid).pw_gid)
    link = places.data("postgres")
    if not link.is_symlink():
        link.symlink_to(folder)


def reachable_binaries(installed: Path, uid: int) -> Path:
    """``installed`` (the folder that holds bin/) if user ``uid`` can run it from there, else a copy that it can."""
    if _runs(installed, uid):
        return installed
    stamp = (installed / "bin" / "postgres").stat()
    copied = _shared_folder() / f"{installed.name}-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    with locked(SHARED / ".binaries.lock", lambda _: None, ""):
        if not copied.exists():
            staged = SHARED / f".{copied.name}.{os.getpid()}"
            shutil.rmtree(staged, ignore_errors=True)
            # The libraries stand two folders up, and the binaries look for them there.
            shutil.copytree(installed, staged / "package" / installed.name)
            libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, staged / libraries.name)
            _open_to_read(staged)
            staged.replace(copied)
    binaries = copied / "package" / installed.name
    if not _runs(binaries, uid):
        name = pwd.getpwuid(uid).pw_name
        raise ServerError(f"user {name} cannot run {binaries}/bin/postgres: expected /var/lib to be open to it.")
    return binaries


def _belongs_to(folder: Path, places: Places) -> bool:
    try:
        return (folder / "home").read_text().split()[0] in (places.mark, places.mark.removeprefix("ft.home="))
    except (FileNotFoundError, IndexError):
        return False


def _shared_folder() -> Path:
    SHARED.mkdir(mode=0o711, parents=True, exist_ok=True)
    return SHARED


def _runs(binaries: Path, uid: int) -> bool:
    command = [str(binaries / "bin" / "postgres"), "--version"]
    try:
        # From /: the folder we stand in may be closed to that user.
        return subprocess.run(command, cwd="/", capture_output=True, check=False, **as_user(uid)).returncode == 0
    except OSError:
        return False


def _open_to_read(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
