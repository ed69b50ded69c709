"""RocksDB beside a consumer: what it knows of its own effects and need not ask Postgres. Losing it is slow, not wrong.

A folder a (consumer, topic, partition), under ``<home>/rocksdb``. It is written after the commit, in one WriteBatch
with a stamp: topic id, epoch and next offset of the claim. A stamp that is not the claim's, or a folder that cannot
be read, is deleted, and its owner fills it again from Postgres. A folder that another process holds is left alone:
this process then has one of its own. Where no folder can be written (rights, a full disk), there is no table.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import psutil
import structlog
from rocksdict import Options, Rdict, WriteBatch

from ft.config import Config
from ft.streams.worker.fence import Claim

log = structlog.get_logger(__name__)

_STAMP: Final = b"\x00stamp"
_HELD: Final = ("while lock file", "lock hold by current process")
"""What RocksDB says, in lower case, of a folder that is open elsewhere; of a broken one it speaks of blocks too."""
_BUFFER_BYTES: Final = 8 * 1024 * 1024


class Table:
    """Bytes to bytes. Every method copes with a database that broke: it is then empty, and stays so until reset."""

    def __init__(self, config: Config, claim: Claim) -> None:
        """Open the claim's folder; :meth:`fits` says whether what is in it may be believed."""
        folder = config.home / "rocksdb" / claim.consumer / f"{claim.topic}-{claim.partition}"
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _remove_orphans(folder)
        except OSError as exc:
            log.warning("rocksdb folder cannot be made", path=str(folder), error=str(exc))
        self._own = folder.with_name(f"{folder.name}.{os.getpid()}")
        self.path = folder
        self._db: Any = None
        self._open()

    def fits(self, claim: Claim) -> bool:
        """Whether this is what the claim's last committed transaction left."""
        return self.get([_STAMP]).get(_STAMP) == stamp(claim)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Those of the keys that are here."""
        wanted = list(keys)
        if self._db is None or not wanted:
            return {}
        try:
            values = self._db.get(wanted)
        except Exception as exc:  # noqa: BLE001 - rocksdict raises bare exceptions
            self._broke(exc)
            return {}
        return {key: value for key, value in zip(wanted, values, strict=True) if value is not None}

    def write(self, changes: Mapping[bytes, bytes | None], claim: Claim) -> None:
        """Put (None: delete) everything and stamp it with where the claim stands now, in one batch."""
        if self._db is None:
            return
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_STAMP, stamp(claim))
        try:
            self._db.write(batch)
        except Exception as exc:  # noqa: BLE001 - rocksdict raises bare exceptions
            self._broke(exc)

    def reset(self) -> None:
        """Delete everything. The next :meth:`write` fills it again."""
        self.close()
        _remove(self.path)
        self._open()

    def close(self) -> None:
        """Let go of the folder; one that only this process uses is deleted."""
        self._let_go()
        if self.path == self._own:
            _remove(self._own)

    def _open(self) -> None:
        for attempt in ("as it is", "empty", "own"):
            try:
                self._db = Rdict(str(self.path), _options())
                return
            except Exception as exc:  # noqa: BLE001 - rocksdict raises bare exceptions
                log.info("rocksdb folder is not used as it is", path=str(self.path), attempt=attempt, reason=str(exc))
                if any(words in str(exc).lower() for words in _HELD):
                    self.path = self._own
                _remove(self.path)
        log.warning("no rocksdb folder can be used: Postgres is asked instead", path=str(self.path))

    def _broke(self, exc: Exception) -> None:
        log.warning("rocksdb is not used until the next claim", path=str(self.path), error=str(exc))
        self._let_go()

    def _let_go(self) -> None:
        database, self._db = self._db, None
        if database is not None:
            try:
                database.close()
            except Exception as exc:  # noqa: BLE001 - rocksdict raises bare exceptions
                log.warning("rocksdb did not close in order", path=str(self.path), error=str(exc))


def stamp(claim: Claim) -> bytes:
    """Which state of which log a table holds."""
    return f"{claim.topic_id} {claim.epoch} {claim.next_offset}".encode()


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_BUFFER_BYTES)
    options.set_keep_log_file_num(2)
    options.set_max_open_files(64)
    return options


def _remove_orphans(folder: Path) -> None:
    """Delete the own folders of processes that died."""
    for other in folder.parent.glob(f"{folder.name}.*"):
        pid = other.name.rpartition(".")[2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            _remove(other)


def _remove(path: Path) -> None:
    """Whatever it is, a file or a link too."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
