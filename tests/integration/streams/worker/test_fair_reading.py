"""A backlog is read in turns: no partition with records waits while others are read."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from ft.config import Config
from ft.streams.kafka.producer import Producer
from tests.integration.agents.normalize.rawtopic import RawTopic, open_raw
from tests.integration.streams.worker.workers import WorkerProcess

SIZES: Final = (12_000, 400, 6_000, 900, 9_000, 600, 3_000, 700)
BATCHES_MAX: Final = 10
"""So many batches may pass until a partition that has records is read again."""
CHECKOUT: Final = Path(__file__).resolve().parents[4]
MODULE: Final = "tests.integration.streams.worker.reading"


@pytest.fixture
def broad(config: Config, tmp_path: Path) -> Iterator[RawTopic]:
    """Topics of eight partitions."""
    with open_raw(replace(config, partitions=len(SIZES), session_timeout_s=6.0), tmp_path) as opened:
        yield opened


async def test_no_partition_of_a_backlog_waits_longer_than_ten_batches(broad: RawTopic, tmp_path: Path) -> None:
    topic, read = broad.facts.topics.normalized, tmp_path / "read.jsonl"
    await fill(broad.config, topic)

    given = {"READ_TOPIC": topic, "READ_FILE": str(read), "READ_WORK_S": "0.02", "PYTHONPATH": str(CHECKOUT)}
    worker = WorkerProcess(broad.config, tmp_path / "worker.log", "ledger", given, module=MODULE)
    try:
        await broad.until(lambda: [last + 1 for last in lasts(batches(read))] == list(SIZES), within_s=60.0)
    finally:
        worker.kill()

    assert max(waits(batches(read)).values()) <= BATCHES_MAX, waits(batches(read))


async def fill(config: Config, topic: str) -> None:
    """So many records in each partition, of the size of small slices."""
    producer, noise = Producer(config), random.Random(1)
    for partition, size in enumerate(SIZES):
        for _ in range(size):
            producer.send(topic, partition, noise.randbytes(300))
    await producer.flush_acknowledged()


def batches(path: Path) -> list[dict[int, tuple[int, int]]]:
    """Partition -> first and last offset, batch by batch."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    return [{int(p): tuple(span) for p, span in json.loads(line).items()} for line in whole.splitlines()]


def lasts(read: list[dict[int, tuple[int, int]]]) -> list[int]:
    """The last offset of each partition."""
    return [max((batch[p][1] for batch in read if p in batch), default=-1) for p in range(len(SIZES))]


def waits(read: list[dict[int, Any]]) -> dict[int, int]:
    """The most batches from one in which a partition was read to the next; the beginning counts as one."""
    found = {}
    for partition in range(len(SIZES)):
        at = [0, *(number for number, batch in enumerate(read, start=1) if partition in batch)]
        found[partition] = max(later - earlier for earlier, later in pairwise(at))
    return found
