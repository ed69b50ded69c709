"""Server archives: fetched by Maven coordinates, used only if their sha256 is the committed one."""

import hashlib
import shutil
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ft.embedded.places import Places, locked, private_folder
from ft.embedded.progress import Progress
from ft.embedded.refusals import CLOSED, FULL
from ft.errors import ServerError

_TRIES = 3
_FETCHERS = 6


@dataclass(frozen=True)
class Archive:
    """One file of a Maven repository and the sha256 it must have."""

    group: str
    artifact: str
    version: str
    packaging: str
    classifier: str
    sha256: str

    @property
    def file_name(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.packaging}"

    @property
    def coordinates(self) -> str:
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier, self.packaging)))


def locked_archives(lock_file: Path) -> list[Archive]:
    """The archives of a committed lock file. Raises ServerError for an entry without a checksum."""
    entries = tomllib.loads(lock_file.read_text())["dependencies"]
    if bare := [entry["artifactId"] for entry in entries if len(entry.get("sha256", "")) != 64]:
        raise ServerError(f"{lock_file}: no sha256 for {', '.join(bare)}. Run `make lock`.")
    return [
        Archive(
            group=entry["groupId"],
            artifact=entry["artifactId"],
            version=entry["version"],
            packaging=entry.get("packaging", "jar"),
            classifier=entry.get("classifier", ""),
            sha256=entry["sha256"],
        )
        for entry in entries
    ]


def jars(archives: list[Archive], folder: Path, places: Places, progress: Progress) -> list[Path]:
    """The archives' files in ``folder``, fetched where missing, each checked now. Raises ServerError."""
    with _cache_lock(places, folder.name, progress):
        private_folder(folder)
        missing = [archive for archive in archives if not (folder / archive.file_name).exists()]
        if missing:
            progress.say(f"fetching {len(missing)} files for {folder.name}")
            with ThreadPoolExecutor(_FETCHERS) as pool:
                list(pool.map(lambda archive: _fetch(archive, folder, places, progress), missing))
        for archive in archives:
            _check(folder / archive.file_name, archive)
    return [folder / archive.file_name for archive in archives]


def unpacked(archive: Archive, places: Places, progress: Progress) -> Path:
    """The folder of an unpacked tar archive, fetched, checked and unpacked at the first call. Raises ServerError."""
    folder = places.cache / f"{archive.artifact}-{archive.version}-{archive.sha256[:12]}"
    if folder.exists():
        return folder
    with _cache_lock(places, archive.artifact, progress), _staging(places) as staging:
        if folder.exists():
            return folder
        progress.say(f"fetching {archive.file_name}")
        tar = _fetch(archive, staging, places, progress)
        _check(tar, archive)
        progress.say(f"unpacking {archive.file_name}")
        with tarfile.open(tar) as source:
            # The filter came with Python 3.11.4; the checksum vouches for the content in any case.
            if hasattr(tarfile, "data_filter"):
                source.extractall(staging / "content", filter="data")
            else:
                source.extractall(staging / "content")
        (staging / "content").replace(folder)
    return folder


def _fetch(archive: Archive, folder: Path, places: Places, progress: Progress) -> Path:
    """Download one archive into ``folder``; checked before it gets its name there."""
    with _staging(places) as staging:
        fetched = _download(archive, staging, progress)
        _check(fetched, archive)
        return fetched.replace(folder / archive.file_name)


def _download(archive: Archive, staging: Path, progress: Progress) -> Path:
    from jgo.maven import MavenContext, PythonResolver

    failure: Exception | None = None
    for attempt in range(_TRIES):
        # A repository of its own: a download that breaks off must not be taken for a finished one.
        maven = MavenContext(
            resolver=PythonResolver(progress_callback=progress.download),
            repo_cache=staging / str(attempt),
            timeout=30,
        )
        component = maven.project(archive.group, archive.artifact).at_version(archive.version)
        try:
            return component.artifact(archive.classifier, archive.packaging).resolve()
        except Exception as exc:
            if isinstance(exc, OSError) and exc.errno in (*FULL, *CLOSED):
                raise
            failure = exc
    raise ServerError(
        f"{archive.coordinates} could not be fetched in {_TRIES} tries: {failure}. "
        "Check the network (behind a proxy with a certificate of its own: REQUESTS_CA_BUNDLE), then run it again."
    ) from failure


def _check(file: Path, archive: Archive) -> None:
    with file.open("rb") as content:
        actual = hashlib.file_digest(content, "sha256").hexdigest()
    if actual != archive.sha256:
        raise ServerError(
            f"{archive.coordinates}: {file} is not the file that was locked: expected sha256 {archive.sha256}, "
            f"got {actual}. It is not used. Delete it and run again; if it comes back, do not trust where it came from."
        )


@contextmanager
def _staging(places: Places) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=places.cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _cache_lock(places: Places, what: str, progress: Progress) -> Iterator[None]:
    # Homes may share a cache: one fetches, the others wait and find it done.
    with locked(places.cache / f".{what}.lock", progress.say, f"another process is fetching {what}: waiting"):
        yield
