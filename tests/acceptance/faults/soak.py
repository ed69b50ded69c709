"""A follower and an overlapping backfill read a scripted chain, two workers apply it, and all of them are killed and
stopped while they do. Which fault comes when, and whom it meets, comes from the seed.
"""

import signal
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import psycopg

from ft.children import FT
from tests.acceptance.faults.recovery import Monitor, Recovery
from tests.acceptance.faults.strikes import BACKFILL, FOLLOWER, KINDS, STOPPED_SESSIONS, Part, Strikes
from tests.acceptance.faults.supervisor import Supervisor
from tests.acceptance.faults.world import NETWORK, World
from tests.api_process import free_port
from tests.synthetic import node
from tests.synthetic.script import Script

NODE: Final = "node"
PAUSE_S: Final = (1.0, 4.0)
"""Between a recovery and the next fault."""
_READY_S: Final = 120.0
_TOP: Final = "SELECT FROM ingest.blocks WHERE (network, number, hash) = (%s, %s, %s) AND state = 'canonical'"


@dataclass
class Soak:
    """One run: :meth:`start`, :meth:`harass`, :meth:`settle`."""

    world: World
    script: Script
    workers: Supervisor
    monitor: Monitor
    over_s: float
    """Seconds over which the node shows its chain."""
    kinds: Sequence[str] = tuple(KINDS)
    faults_max: int = 1_000
    seen: list[tuple[Part, Recovery]] = field(default_factory=list)
    """Every process that was met, and its recovery."""
    url: str = ""
    """Of the node."""

    def __post_init__(self) -> None:
        stopped_s = STOPPED_SESSIONS * self.world.config.session_timeout_s
        self._random = Random(self.script.seed)
        self.strikes = Strikes(self.workers, self.monitor, self._random, stopped_s, self.script.chain.blocks[-1].number)

    def start(self, folder: Path) -> None:
        """Node and follower; at the head the node goes on from its first step, and a backfill reads from the start.

        The two read some heights both.
        """
        file, port = folder / "chain.json.gz", free_port()
        node.write(self.script.recording, file)
        self.url = f"http://127.0.0.1:{port}"
        options = ("--port", str(port), "--over-s", f"{self.over_s:g}")
        self.workers.add(NODE, ("-m", "tests.synthetic.node", str(file), *options))
        self.workers.until(lambda: self._head() is not None, "the node to answer", _READY_S)
        self._read()

    def _read(self) -> None:
        final, first = self.script.known_final, self.script.chain.start
        overlap = max(1, (final - first) // 5)
        read = (*FT, "ingest", NETWORK, "--rpc", self.url)
        self.workers.add(FOLLOWER, (*read, "--follow", "--from", str(final - overlap)))
        self.workers.until(lambda: self.monitor.source()[1] >= self.script.known, "the follower to follow", _READY_S)
        self.workers.workers[NODE].kill(signal.SIGUSR1)
        self.workers.add(BACKFILL, (*read, "--from", str(first), "--to", str(final - overlap // 2)), ends=True)

    def moved_to(self, world: World, workers: Supervisor, monitor: Monitor) -> "Soak":
        """The same chain and its node, read by another deployment: one that was restored."""
        moved = Soak(world, self.script, workers, monitor, over_s=self.over_s)
        moved.url = self.url
        workers.take(NODE, self.workers)
        moved._read()
        return moved

    def harass(self) -> None:
        """One fault after another until the whole chain is shown: each kind once, then each once again, and so on."""
        deck = list(reversed(self.kinds))
        for _ in range(self.faults_max):
            if self.workers.comes_true(self._shown, within_s=self._random.uniform(*PAUSE_S)):
                return
            kind = deck.pop()
            deck = deck or self._random.sample(self.kinds, len(self.kinds))
            began = time.monotonic()
            found = self.strikes.inject(kind)
            self.seen += found
            told = ", ".join(f"{' '.join(part)} {recovery}" for part, recovery in found)
            print(f"{time.strftime('%H:%M:%S')} {kind}: {told} ({time.monotonic() - began:.1f} s)", flush=True)

    def settle(self, conn: psycopg.Connection[Any], within_s: float) -> None:
        """Everything the node has shown comes through; then the sources end, in order."""
        head = self.script.chain.blocks[-1]
        top = (NETWORK, head.number, head.hash)
        self.workers.until(self._shown, "the node to show its chain", self.over_s + within_s)
        self.workers.until(lambda: BACKFILL in self.workers.finished, "the backfill to come to its end", within_s)
        self.workers.until(lambda: conn.execute(_TOP, top).rowcount == 1, "the follower to reach the head", within_s)
        assert self.workers.end(FOLLOWER) == 0
        self.world.written = self.world.raw_end()
        self.workers.until(lambda: self.world.caught_up(conn), "everything to come through", within_s)
        self.workers.end(NODE)

    def unexplained(self) -> list[tuple[str, int]]:
        """Processes that ended by themselves though nobody had stopped them."""
        return [(name, code) for name, code in self.workers.exits if name not in self.strikes.stopped]

    def _shown(self) -> bool:
        """Whether the node shows the end of its chain."""
        return self._head() == self.script.chain.blocks[-1].hash

    def _head(self) -> str | None:
        call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", False]}
        request = urllib.request.Request(self.url, msgspec.json.encode(call), {"content-type": "application/json"})
        with suppress(OSError), urllib.request.urlopen(request, timeout=10) as response:
            return str(msgspec.json.decode(response.read())["result"]["hash"])
        return None
