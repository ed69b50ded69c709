"""Where the embedded servers keep data, logs, locks and generated passwords under FT_HOME."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ft.config import Config

Say = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """The folders of one FT_HOME. Two homes share nothing but the download cache."""

    home: Path
    cache: Path

    @classmethod
    def of(cls, config: Config) -> "Places":
        return cls(config.home.resolve(), config.cache.resolve())

    @property
    def key(self) -> str:
        """Tells this home from others in places that homes share: 12 hex digits."""
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]

    @property
    def mark(self) -> str:
        """Tells this home from an earlier one at the same path: a word on its servers' command lines."""
        file = self.run / "home-id"
        return f"ft.home={file.read_text() if file.exists() else 'none'}"

    @property
    def servers_file(self) -> Path:
        """Addresses and pids of what runs; ft.config reads it."""
        return self.home / "servers.json"

    @property
    def run(self) -> Path:
        return self.home / "run"

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def data(self, name: str) -> Path:
        return self.home / name

    def create(self) -> None:
        """Make the folders, for the owner only. The cache's parents may be shared; the cache itself is not."""
        for folder in (self.home, self.run, self.home / "logs", self.cache):
            private_folder(folder)
        if not (self.run / "home-id").exists():
            write_private(self.run / "home-id", secrets.token_hex(8))


def private_folder(folder: Path) -> Path:
    """Make a folder of mode 0700, with its parents; one that exists already is left as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file of mode 0600 whole: a reader sees the old text or the new one."""
    staged = file.with_name(f".{file.name}.{os.getpid()}")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    staged.replace(file)


def secret(file: Path) -> str:
    """The generated password kept in ``file``; made at the first call."""
    if not file.exists():
        write_private(file, secrets.token_hex(24))
    return file.read_text()


@contextmanager
def locked(file: Path, say: Say, waiting: str) -> Iterator[None]:
    """Hold an exclusive lock on ``file``; it ends with the process, however that ends."""
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
