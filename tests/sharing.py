"""Servers that the processes of one pytest run share: whichever needs them first starts them, the last one stops them.

Who uses them holds a shared lock on a file; the kernel lets it go whatever a process dies of.
"""

import fcntl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ft import embedded
from ft.config import Config
from ft.embedded import unprivileged
from ft.embedded.postgres import Postgres
from ft.errors import ServerError
from tests import memory

TRIES = 2
"""A start that fails is told, and tried once more: hundreds of tests wait."""


_NO_DISK: Final = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB"}
"""Every database that is made or dropped is looked for in all of the buffers."""


@contextmanager
def embedded_servers(named: Mapping[str, str], folder: Path, cache: Path) -> Iterator[Mapping[str, str]]:
    """By setting, where the servers of ``folder`` are; those in ``named`` are not started."""
    config = replace(Config.from_env({**named, "FT_HOME": str(folder / "ft-home")}), cache=cache)
    with (folder / "users").open("a") as users:
        with _alone(folder), _unlike_for_users():
            addresses = _started(config)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield addresses
        finally:
            with _alone(folder), _unlike_for_users():
                if _is_last(users):
                    embedded.remove(config)


@contextmanager
def _unlike_for_users() -> Iterator[None]:
    """No test cuts the machine's power: Postgres waits for no disk, and its data are in memory, where there is room for
    them, as pytest's folders are. A fresh database costs little else."""
    settings = Postgres._settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Postgres, "_settings", lambda self: settings(self) | _NO_DISK)
        if (found := memory.folder()) is not None:
            patch.setattr(unprivileged, "SHARED", found / "ft-tests")
        yield


def _started(config: Config) -> Mapping[str, str]:
    for _ in range(TRIES - 1):
        try:
            return embedded.start(config).addresses
        except ServerError as exc:
            print(f"\nthe embedded servers did not start, once more: {exc}", file=sys.__stderr__, flush=True)
            embedded.remove(config)
    return embedded.start(config).addresses


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time starts or stops them."""
    with (folder / "turn").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _is_last(users: object) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        return False
    return True
