"""What a backup consists of: a folder with ``manifest.json``, ``schemas.json`` and ``database/``.

The manifest says of which deployment and of which moment it is, where every consumer stood in Kafka, and which files
belong to it, with their checksums. It is written last: a folder without one is no backup.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from ft.errors import ConfigError
from ft.ops.rebuild.progress import Progress, Report

MANIFEST: Final = "manifest.json"
SCHEMAS_FILE: Final = "schemas.json"
DATABASE: Final = "database"
VERSION: Final = 1
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``files``: path -> [bytes, sha256]; ``positions``: rows of the query of that name; ``topic_ends``: topic -> the
    offsets that its next records had, after the dump had begun; times are unix seconds."""

    version: int
    ft: str
    postgres: str
    deployment: str
    epoch: int
    topic_prefix: str
    cluster_id: str
    partitions: int
    networks: list[str]
    made_at: int
    tables: int
    journal_ends: list[int]
    positions: list[list[Any]] = field(repr=False)
    topic_ends: dict[str, list[int]] = field(repr=False)
    files: dict[str, list[Any]] = field(repr=False)

    @property
    def events(self) -> int:
        """Rows of the journal."""
        return sum(self.journal_ends)

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self.files.values())


def write(folder: Path, manifest: Manifest) -> None:
    """The last file of a backup."""
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n")


def read(folder: Path) -> Manifest:
    """Raises ConfigError for a folder that is no backup, or one of a later version."""
    try:
        said = json.loads((folder / MANIFEST).read_text())
        if said["version"] != VERSION:
            raise ConfigError(
                f"{folder}: a backup of version {said['version']}: expected {VERSION}. Update ft to restore it."
            )
        return Manifest(**{each.name: said[each.name] for each in fields(Manifest)})
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"{folder}: expected a folder that `ft backup` has written, with its {MANIFEST}, got {_amiss(exc)}. A "
            "backup that was cut off stands in a folder that ends with .partial, and cannot be restored."
        ) from exc


def _amiss(exc: Exception) -> str:
    if isinstance(exc, OSError):
        return f"{exc.strerror}: {exc.filename}"
    if isinstance(exc, KeyError):
        return f"one without {exc.args[0]!r}"
    return f"one that cannot be read ({exc})"


def summed(folder: Path, report: Report) -> dict[str, list[Any]]:
    """Path -> [bytes, sha256] of every file under it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    progress = Progress(what="checksums", unit="bytes", total=sum(path.stat().st_size for path in paths))
    return {str(path.relative_to(folder)): _sum(path, progress, report) for path in paths}


def require_whole(folder: Path, manifest: Manifest, report: Report) -> None:
    """Raises ConfigError where a file is missing, or another than was written."""
    found = summed(folder, report)
    wrong = sorted(name for name in manifest.files.keys() | found.keys() if manifest.files.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise ConfigError(
            f"{folder}: {len(wrong)} files are not as they were written: {name}: expected "
            f"{_said(manifest.files.get(name))}, got {_said(found.get(name))}. The backup is damaged: take another one."
        )


def _said(of: Sequence[Any] | None) -> str:
    return "no such file" if of is None else f"{of[0]:,} bytes with sha256 {of[1][:12]}"


def _sum(path: Path, progress: Progress, report: Report) -> list[Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            progress.done += len(chunk)
            report(progress)
    return [path.stat().st_size, digest.hexdigest()]
