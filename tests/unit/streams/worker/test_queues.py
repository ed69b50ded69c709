"""The queue before an agent: whoever fills it fills those of all topics, and must never wait for one of them."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from ft.streams.worker.turns import most_of_a_turn

BATCH_SIZE: Final = 320
BATCHES_MAX: Final = 2
# In a process of its own: making the app sets loop, logging and headers of the whole process.
_ROOM: Final = f"""
from types import SimpleNamespace
from faust.types import TP
from ft.config import Config
from ft.streams.worker.app import create_app
from ft.streams.worker.fence import Claim

app, hop = create_app(Config.from_env()), SimpleNamespace(consumer="ledger", start=None, stop=None)
agent = app.run(hop, "t", name="ledger", batch_size={BATCH_SIZE}, batches_max={BATCHES_MAX}, within_s=0.1)
queue = agent.channel.queue
[lane] = app.lanes
print(app.room(TP("t", 0)))
app.lanes.begin(1, [Claim(consumer="ledger", topic="t", partition=0, epoch=1, next_offset=0, next_seq=1)])
lane.unfed = queue.qsize
while app.room(TP("t", 0)) > 0:
    queue.put_nowait("record batch")
print(queue.qsize(), queue.maxsize)
"""


def test_what_a_turn_brings_beyond_the_room_there_is_fits_into_the_queue(tmp_path: Path) -> None:
    environment = {"FT_HOME": str(tmp_path), "FT_KAFKA": "127.0.0.1:9"}

    told = subprocess.run(
        [sys.executable, "-c", _ROOM], env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()

    unstarted, waiting, queue_max = map(int, told[-3:])
    assert (unstarted, waiting) == (0, 2 * BATCHES_MAX)
    assert waiting - 1 + most_of_a_turn(BATCH_SIZE) <= queue_max
