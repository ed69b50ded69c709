"""A backup that is not whole is refused before anything is changed."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.faults.world import World
from tests.acceptance.hostile.lives import Databases
from tests.acceptance.recovery.commands import ft

pytestmark = pytest.mark.timeout(400)


def _largest(folder: Path) -> Path:
    return max(
        (path for path in (folder / "database").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )


def damaged(folder: Path) -> Path:
    """One byte is another one."""
    file = _largest(folder)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return folder


def lacking(folder: Path) -> Path:
    """One file is gone."""
    _largest(folder).unlink()
    return folder


def cut_off(folder: Path) -> Path:
    """As one that was killed leaves it: the manifest is written last."""
    (folder / "manifest.json").unlink()
    return folder.rename(folder.with_name(f"{folder.name}.partial"))


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        (damaged, "1 files are not as they were written"),
        (lacking, "got no such file. The backup is damaged"),
        (cut_off, "A backup that was cut off stands in a folder that ends with .partial"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused_and_nothing_is_changed(
    world: World, databases: Databases, tmp_path: Path, spoiled: Callable[[Path], Path], said: str
) -> None:
    backup, restored = tmp_path / "backup", databases.empty()
    ft(world.config, "backup", "--to", str(backup))

    refused = ft(restored, "restore", "--from", str(spoiled(backup)), code=1)

    assert said in refused
    with psycopg.connect(restored.postgres) as conn:
        assert conn.execute("SELECT to_regclass('system.settings')::text").fetchone() == (None,)
        assert conn.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'ft%'").fetchone() == (0,)
