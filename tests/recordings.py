"""The recorded chain data, which is no part of the project."""

import gzip
import os
from pathlib import Path
from typing import Final

import pytest

_BESIDE: Final = Path(__file__).resolve().parents[2] / "shared" / "fixtures"


def recording(*names: str) -> Path:
    """A file or folder of it; skips the test that needs it where it is not there."""
    path = Path(os.environ.get("FT_FIXTURES") or _BESIDE).joinpath(*names)
    if not path.exists():
        pytest.skip(f"needs the recorded chain data {path}: set FT_FIXTURES to the folder that holds it")
    return path


def recorded(*names: str) -> bytes:
    """A file of it, unpacked."""
    path = recording(*names)
    body = path.read_bytes()
    return gzip.decompress(body) if path.suffix == ".gz" else body
