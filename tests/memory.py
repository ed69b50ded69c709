"""Whether what a run of the tests writes is kept in memory: a fresh database is a thousand files, and so are the topics
beside it."""

import os
import shutil
from pathlib import Path
from typing import Final

import psutil

_FOLDER: Final = Path("/dev/shm")
"""Linux keeps it in memory; pytest makes a folder of its own there."""
_ROOM: Final = 8 << 30
"""Bytes that a run may come to write, and that must be free besides what the servers themselves take."""
_CHOSEN: Final = "PYTEST_DEBUG_TEMPROOT"
"""Where pytest makes its folders."""


def folder() -> Path | None:
    """One in memory, with room; None: there is none, and a disk must do."""
    if not _FOLDER.is_dir() or not os.access(_FOLDER, os.W_OK):
        return None
    enough = min(shutil.disk_usage(_FOLDER).free, psutil.virtual_memory().available - _ROOM // 2)
    return _FOLDER if enough >= _ROOM else None


def prefer() -> None:
    """Have pytest make its folders there, unless somebody has chosen another place."""
    if _CHOSEN not in os.environ and (found := folder()) is not None:
        os.environ[_CHOSEN] = str(found)
