"""Nothing but the locked bytes is ever used."""

import hashlib
from pathlib import Path

import pytest

from ft.embedded import archives
from ft.embedded.places import Places
from ft.embedded.progress import Progress, Quiet
from ft.errors import ServerError

CONTENT = b"the locked bytes"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "home", tmp_path / "cache")
    places.create()
    return places


@pytest.fixture
def archive() -> archives.Archive:
    return archives.Archive("org.example", "thing", "1.0", "jar", "", hashlib.sha256(CONTENT).hexdigest())


def test_a_file_with_another_checksum_is_refused(places: Places, archive: archives.Archive) -> None:
    folder = places.cache / "jars"
    folder.mkdir()
    (folder / archive.file_name).write_bytes(b"other bytes")

    with pytest.raises(ServerError, match=r"org\.example:thing:1\.0.*expected sha256 .*, got ") as refused:
        archives.jars([archive], folder, places, Quiet())
    assert str(folder / archive.file_name) in str(refused.value)


def test_a_download_with_another_checksum_gets_no_name(
    places: Places, archive: archives.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forged(_archive: archives.Archive, staging: Path, _progress: Progress) -> Path:
        (staging / "forged").write_bytes(b"other bytes")
        return staging / "forged"

    monkeypatch.setattr(archives, "_download", forged)
    folder = places.cache / "jars"

    with pytest.raises(ServerError, match="is not the file that was locked"):
        archives.jars([archive], folder, places, Quiet())
    assert list(folder.iterdir()) == []
    assert not list(places.cache.glob(".fetch-*"))


def test_the_locked_file_is_fetched_once(
    places: Places, archive: archives.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def download(archive: archives.Archive, staging: Path, _progress: Progress) -> Path:
        fetched.append(archive.coordinates)
        (staging / "fetched").write_bytes(CONTENT)
        return staging / "fetched"

    monkeypatch.setattr(archives, "_download", download)
    folder = places.cache / "jars"

    first = archives.jars([archive], folder, places, Quiet())
    second = archives.jars([archive], folder, places, Quiet())

    assert first == second == [folder / "thing-1.0.jar"]
    assert first[0].read_bytes() == CONTENT
    assert fetched == ["org.example:thing:1.0:jar"]


def test_a_lock_without_a_checksum_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock.toml"
    lock.write_text('[[dependencies]]\ngroupId = "org.example"\nartifactId = "thing"\nversion = "1.0"\n')

    with pytest.raises(ServerError, match="no sha256 for thing"):
        archives.locked_archives(lock)


@pytest.mark.parametrize("name", ["kafka", "registry"])
def test_every_committed_archive_has_a_checksum(name: str) -> None:
    lock = Path(archives.__file__).with_name(f"{name}.lock.toml")

    assert archives.locked_archives(lock)
    assert "://" not in lock.read_text()
