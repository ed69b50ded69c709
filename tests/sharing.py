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
from ft.embedded.postgres import Postgres
from ft.errors import ServerError

TRIES = 2
"""A start that fails is told, and tried once more: hundreds of tests wait."""


_NO_DISK: Final = {"fsync": "off", "full_page_writes": "off"}


@contextmanager
def embedded_servers(named: Mapping[str, str], folder: Path, cache: Path) -> Iterator[Mapping[str, str]]:
    """By setting, where the servers of ``folder`` are; those in ``named`` are not started."""
    config = replace(Config.from_env({**named, "FT_HOME": str(folder / "ft-home")}), cache=cache)
    with (folder / "users").open("a") as users:
        with _alone(folder):
            addresses = _start(config)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield addresses
        finally:
            with _alone(folder):
                if _is_last(users):
                    embedded.remove(config)


def _start(config: Config) -> Mapping[str, str]:
    """No test cuts the machine's power: Postgres waits for no disk, which is most of what a fresh database costs."""
    settings = Postgres._settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Postgres, "_settings", lambda self: settings(self) | _NO_DISK)
        return _started(config)


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
