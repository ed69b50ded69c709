"""A RocksDB folder, whatever happened to it: what was written, or nothing; never something else, never an error."""

import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from ft.config import Config
from ft.streams.worker.fence import Claim
from ft.streams.worker.tables import Table

SEED: Final = 20260109
ROUNDS: Final = 2
KEYS: Final = [f"key {number}".encode() for number in range(500)]
HOLDER: Final = """
import sys
from rocksdict import Options, Rdict
options = Options(raw_mode=True)
options.create_if_missing(True)
held = Rdict(sys.argv[1], options)
print("held", flush=True)
sys.stdin.read()
"""


def claim(next_offset: int = 7, epoch: int = 3) -> Claim:
    return Claim(consumer="c", topic="t", partition=0, epoch=epoch, next_offset=next_offset, next_seq=1, topic_id="id")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "blocks"  # a path that speaks of locks, as some do


def config_of(home: Path) -> Config:
    return Config(home=home, cache=home, addresses={})


def folder(home: Path) -> Path:
    return home / "rocksdb" / "c" / "t-0"


def values() -> dict[bytes, bytes]:
    return {key: key * 40 for key in KEYS}


def filled(home: Path, held: Claim | None = None) -> Table:
    table = Table(config_of(home), held or claim())
    table.write(values(), held or claim())
    return table


def usable(table: Table) -> bool:
    """Reset, it takes what it is given."""
    table.reset()
    table.write({b"new": b"value"}, claim(8))
    return table.fits(claim(8)) and table.get([b"new", KEYS[0]]) == {b"new": b"value"}


def test_what_was_written_is_there_for_the_same_claim_only(home: Path) -> None:
    filled(home).close()

    table = Table(config_of(home), claim())

    assert table.fits(claim())
    assert table.get(KEYS) == values()
    assert not table.fits(claim(next_offset=8)), "Postgres went on without it: an old copy that was put back"
    assert not table.fits(claim(next_offset=6)), "it is ahead of Postgres: an older database that was restored"
    assert not table.fits(claim(epoch=4)), "somebody else held the partition meanwhile"


def test_a_deleted_folder_is_made_again(home: Path) -> None:
    filled(home).close()
    shutil.rmtree(folder(home))

    table = Table(config_of(home), claim())

    assert not table.fits(claim())
    assert usable(table)


@pytest.mark.parametrize("kind", ["CURRENT", "MANIFEST", "OPTIONS", ".log", ".sst", "IDENTITY"])
@pytest.mark.parametrize("how", ["flipped", "cut short", "emptied", "deleted"])
def test_a_broken_file_changes_no_value(home: Path, kind: str, how: str) -> None:
    random = Random(f"{SEED}{kind}{how}")
    print(f"seed {SEED}")
    for _ in range(ROUNDS):
        shutil.rmtree(home, ignore_errors=True)
        filled(home).close()  # closing writes what is in memory into a file
        [*files] = [file for file in folder(home).iterdir() if kind in file.name and file.name != "LOG"]
        for file in files:
            damage(random, file, how)

        table = Table(config_of(home), claim())
        found = table.get(KEYS)

        assert all(values()[key] == value for key, value in found.items())
        assert usable(table)
        table.close()


def damage(random: Random, file: Path, how: str) -> None:
    body = bytearray(file.read_bytes())
    if how == "deleted":
        file.unlink()
    elif how == "emptied" or not body:
        file.write_bytes(b"")
    elif how == "cut short":
        file.write_bytes(body[: random.randrange(len(body))])
    else:
        for _ in range(3):
            body[random.randrange(len(body))] ^= 1 << random.randrange(8)
        file.write_bytes(body)


def test_a_file_in_place_of_the_folder_gives_way(home: Path) -> None:
    folder(home).parent.mkdir(parents=True)
    folder(home).write_bytes(b"not a folder")

    assert usable(Table(config_of(home), claim()))


def test_a_folder_that_another_process_holds_is_left_alone(home: Path) -> None:
    filled(home).close()
    command = [sys.executable, "-c", HOLDER, str(folder(home))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        table = Table(config_of(home), claim())
        own = table.path

        assert not table.fits(claim())
        assert usable(table)
        assert own != folder(home)
        table.close()
        assert not own.exists()
        holder.communicate()
    assert Table(config_of(home), claim()).fits(claim())


def test_where_no_folder_can_be_made_there_is_no_table(home: Path) -> None:
    home.write_bytes(b"a file where the home should be")

    table = Table(config_of(home), claim())
    table.write(values(), claim())

    assert not table.fits(claim())
    assert table.get(KEYS) == {}
    table.reset()
    table.close()


@pytest.mark.parametrize("when", ["write", "get", "close"])
def test_a_disk_that_is_full_or_fails_costs_the_table_and_nothing_else(home: Path, when: str) -> None:
    table = filled(home)
    table._db = Failing(table._db, when)

    table.write({b"more": b"value"}, claim(8))
    found = table.get(KEYS)
    table.close()

    assert found in ({}, values())
    assert usable(Table(config_of(home), claim()))


class Failing:
    """A database whose disk has no room left for one of its methods."""

    def __init__(self, real: Any, when: str) -> None:
        self._real, self._when = real, when

    def write(self, batch: Any) -> None:
        self._fail("write")
        self._real.write(batch)

    def get(self, keys: list[bytes]) -> Any:
        self._fail("get")
        return self._real.get(keys)

    def close(self) -> None:
        self._real.close()
        self._fail("close")

    def _fail(self, method: str) -> None:
        if method == self._when:
            raise Exception("IO error: No space left on device")
