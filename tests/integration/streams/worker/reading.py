"""A worker whose only agent writes down what it is given: ``faust -A tests.integration.streams.worker.reading worker``.

READ_TOPIC names the topic, READ_FILE where to write: a line a batch, partition -> [first offset, last offset].
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Final

from ft.config import Config
from ft.streams.worker.app import create_app
from ft.streams.worker.hop import Batch

BUNDLE: Final = 50
BUNDLES: Final = 8


class Reader:
    """A hop without effects: the claims move, and nothing is kept in Postgres."""

    consumer = "reading"

    def __init__(self, path: Path, work_s: float) -> None:
        self._path = path
        self._work_s = work_s

    async def start(self) -> None:
        """Nothing to open."""

    async def process(self, batch: Batch) -> None:
        """Note the batch, and move its claims."""
        read = batch.by_partition()
        with self._path.open("a") as out:
            print(json.dumps({p: [found[0].offset, found[-1].offset] for p, found in read.items()}), file=out)
        await asyncio.sleep(self._work_s)
        for partition, found in read.items():
            batch.claims[partition].next_offset = found[-1].offset + 1

    async def stop(self) -> None:
        """Nothing to close."""


app = create_app(Config.from_env())
app.run(
    Reader(Path(os.environ["READ_FILE"]), float(os.environ.get("READ_WORK_S", "0"))),
    os.environ["READ_TOPIC"],
    name="reading",
    batch_size=BUNDLE,
    batches_max=BUNDLES,
    within_s=0.05,
)
