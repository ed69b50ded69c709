"""Blocks kept aside come back as they were."""

from pathlib import Path

import pytest

from ft.schemas.events import RawPart
from ft.streams.ingest.reconcile import Row
from ft.streams.ingest.spool import Spool
from ft.streams.sources import Block


@pytest.mark.parametrize("memory_bytes", [1 << 20, 1])
def test_blocks_come_back_in_order_from_memory_and_from_disk(tmp_path: Path, memory_bytes: int) -> None:
    blocks = [
        Block(
            height=height, hash=f"h{height}", parent_hash=f"h{height - 1}", time=5, proof="logs", provider="p", logs=3,
            parts=(RawPart(name="block", encoding="json", bytes=bytes(range(256)) * height),),
        )
        for height in (7, 8, 9)
    ]  # fmt: skip

    with Spool(tmp_path / "home", memory_bytes) as spool:
        for block in blocks:
            spool.add(block)

        assert list(spool) == blocks
        assert list(spool) == blocks
        assert spool.rows[0] == (Row(height=7, hash="h7", parent="h6"), "logs", 3)
    assert list((tmp_path / "home").iterdir()) == []
