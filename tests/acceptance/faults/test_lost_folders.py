"""RocksDB folders that are gone, or full of garbage, when the workers come back: the same result."""

import shutil
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, World
from tests.synthetic.rawlog import written

SEED: Final = 20260103


@pytest.mark.timeout(300)
def test_folders_deleted_or_broken_between_two_runs_change_nothing(world: World, long: bool) -> None:
    log = written(seed=SEED, network=NETWORK, events=45_000 if long else 10_000, logs=50)
    records = world.encoded(log.records)
    middle = len(records) // 2
    with world.connect() as conn:
        with supervised(world.config) as workers:
            world.write(records[:middle])
            workers.until(lambda: world.caught_up(conn), "the first half", 120)
        folders = sorted((world.config.home / "rocksdb").glob("*/*"))
        fates = [_damage(folder, Random(f"{SEED}{folder.name}"), fate) for fate, folder in enumerate(folders)]

        with supervised(world.config) as workers:
            world.write(records[middle:])
            workers.until(lambda: world.caught_up(conn), "the second half", 120)

    print(f"seed {SEED}: {len(folders)} folders: {', '.join(fates)}")
    assert {folder.parent.name for folder in folders} == {"normalize", "ledger"}
    assert workers.exits == []
    require_exactly_once(world, log.chain)


def _damage(folder: Path, random: Random, fate: int) -> str:
    """Deleted, every file overwritten, cut short, replaced by a file: in turn."""
    files = [file for file in folder.iterdir() if file.is_file()]
    if fate % 4 == 0:
        shutil.rmtree(folder)
        return "deleted"
    if fate % 4 == 1:
        for file in files:
            file.write_bytes(random.randbytes(4096))
        return "overwritten"
    if fate % 4 == 2:
        for file in files:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        return "cut short"
    shutil.rmtree(folder)
    folder.write_bytes(random.randbytes(100))
    return "a file"
