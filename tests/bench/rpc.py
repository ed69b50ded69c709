"""The source by itself: ``ft ingest`` of a range, from a local JSON-RPC node into Kafka, receipts proved.

The node is a process of its own whose answers are made before: every block another one, valid down to its hash.
The clock runs from the first request for a block to the last record in the log. The steps are measured apart, in
this process, as CPU time over the same blocks.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Final

import aiohttp
import msgspec
import psutil
import psycopg
from confluent_kafka import Consumer

from ft import children
from ft.children import FT, Child
from ft.config import Config
from ft.errors import ServerError
from ft.networks import load_networks
from ft.streams.ingest.raw_log import NO_LEASE, RawLog
from ft.streams.kafka.topics import Topics
from ft.streams.sources import Block, Marks
from ft.streams.sources.evm import blocks as proving
from ft.streams.sources.evm.provider import Provider
from ft.streams.sources.evm.rpc import Call, Reply, RpcClient
from ft.streams.sources.limits import Breaker, TokenBucket
from tests.bench.deployment import deployed, drop
from tests.bench.rpc_node import CHAIN_ID
from tests.synthetic.chain import Chain
from tests.synthetic.proven import Answers, answers
from tests.topic_ends import end_of, reader

NETWORK: Final = "nodes"
TABLE: Final = (
    f"[{NETWORK}]\nchain_id = {CHAIN_ID}\nfinality = {{ confirmed = 1, finalized = 2 }}\nrequests_per_s = 0\n"
)
LOGS: Final = 100
"""A block."""
_CHUNK: Final = 9
_STEPS_LOGS: Final = 20_000
_RUN_S: Final = 600.0


@dataclass(kw_only=True)
class RpcFigures:
    """What was measured; microseconds are of a log."""

    logs: int
    wall_s: float
    """First request for a block to the last record in the log."""
    cpu_us: float
    """Of the ingesting process, between the same two."""
    beside: float = 0.0
    """Logs a second while a worker reads them."""
    steps_us: dict[str, float] = field(default_factory=dict)
    """Step -> CPU time."""

    @property
    def rate(self) -> float:
        """Logs a second."""
        return self.logs / self.wall_s


def made(logs: int, *, seed: int) -> list[Answers]:
    """Blocks with so many logs, and two more that the finality mark leaves out."""
    chain, found, parent = Chain(seed=seed, network=NETWORK, logs=LOGS), list[Answers](), "0x" + "00" * 32
    for number in range(logs // LOGS + 2):
        found.append(answers(chain.grow(), parent))
        parent = found[-1].hash
        if number % 100 == 99:
            print(f"\rmaking what the node answers: {number + 1} blocks", end="", flush=True)
    print()
    return found


@dataclass(frozen=True, slots=True)
class Node:
    """The node at work."""

    url: str
    _out: IO[str]

    def first_asked(self) -> float:
        """When a block was first asked for under a path, by the monotonic clock; one answer a path."""
        return float(self._out.readline())


@contextmanager
def node(blocks: Sequence[Answers], folder: Path) -> Iterator[Node]:
    """While it runs."""
    path = folder / "rpc-blocks.msgpack"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.msgpack.encode(blocks))
    command = [sys.executable, "-m", "tests.bench.rpc_node", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Node(f"http://127.0.0.1:{int(process.stdout.readline())}", process.stdout)
    finally:
        process.terminate()
        process.wait(10)
        path.unlink()


@dataclass(frozen=True, slots=True)
class _Look:
    """At one moment."""

    clock_s: float
    cpu_s: float
    end: int
    """Of the log."""


def run(config: Config, node: Node, blocks: Sequence[Answers]) -> RpcFigures:
    """Ingest these blocks, one process. Raises ServerError if it fails."""
    first, last = str(blocks[0].height), str(blocks[-1].height)
    words = ("ingest", NETWORK, "--rpc", f"{node.url}/{first}", "--from", first, "--to", last)
    with reader(config) as consumer:
        start = _end(config, consumer)
        child = children.start(config, "bench-ingest", (*FT, *words))
        looks = _watch(config, consumer, child, start, len(blocks))
    if (code := child.wait(60)) != 0:
        raise ServerError(f"ft ingest exits {code}:\n{child.log_end()}")
    logs, asked, end = sum(block.logs for block in blocks), node.first_asked(), looks[-1]
    before = [look.cpu_s for look in looks if look.clock_s <= asked]
    cpu_us = (end.cpu_s - max(before, default=0.0)) / logs * 1e6
    return RpcFigures(logs=logs, wall_s=end.clock_s - asked, cpu_us=cpu_us)


def _watch(config: Config, consumer: Consumer, child: Child, start: int, records: int) -> list[_Look]:
    """Many a second, up to the last record."""
    process, cpu_s, looks = psutil.Process(child.process.pid), 0.0, list[_Look]()
    deadline = time.monotonic() + _RUN_S
    while not looks or looks[-1].end < start + records:
        ended = not child.running
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            cpu_s = max(cpu_s, times.user + times.system)
        looks.append(_Look(time.monotonic(), cpu_s, _end(config, consumer)))
        if looks[-1].end < start + records and (ended or time.monotonic() > deadline):
            raise ServerError(f"ft ingest wrote {looks[-1].end - start} of {records} blocks:\n{child.log_end()}")
        time.sleep(0.02)
    return looks


def _end(config: Config, consumer: Consumer) -> int:
    return end_of(consumer, Topics(config.topic_prefix).raw(NETWORK))


def steps(config: Config, url: str, blocks: Sequence[Answers]) -> dict[str, float]:
    """CPU microseconds a log of each step of the way, one after the other, in this process."""
    return asyncio.run(_steps(config, url, blocks))


async def _steps(config: Config, url: str, blocks: Sequence[Answers]) -> dict[str, float]:
    network = load_networks(config.networks_file)[NETWORK]
    raw = await RawLog.open(config, NETWORK)
    marks = Marks(head=blocks[-1].height, safe=blocks[-1].height, finalized=blocks[-1].height)
    heights = [range(b[0].height, b[-1].height + 1) for b in _chunks(blocks)]
    used, found = dict[str, float](), list[Block]()
    try:
        async with aiohttp.ClientSession() as session:
            client = _Remembering(url, session, batch_max=network.batch_max)
            clock = time.monotonic
            provider = Provider(client, TokenBucket(0, clock), Breaker(clock), Breaker(clock))
            began = time.process_time()
            for each in heights:
                await proving.fetch(network, provider, each)
            both, began = time.process_time() - began, time.process_time()
            client.replaying = True
            for each in heights:
                found += await proving.fetch(network, provider, each)
            used["prove"] = time.process_time() - began
            used["fetch"] = both - used["prove"]
        began = time.process_time()
        for block in found:
            raw.append(block, marks, lease=NO_LEASE, covers_from=block.height, starts_range=False)
        used["encode, enqueue"], began = time.process_time() - began, time.process_time()
        await raw.acknowledged()
        used["produce"] = time.process_time() - began
    finally:
        raw.close()
    logs = sum(block.logs for block in found)
    return {name: seconds / logs * 1e6 for name, seconds in used.items()}


class _Remembering(RpcClient):
    """Keeps what came, and answers with it when ``replaying``."""

    def __init__(self, url: str, session: aiohttp.ClientSession, *, batch_max: int) -> None:
        super().__init__(url, session, batch_max=batch_max)
        self.replaying = False
        self._kept: dict[str, list[Reply]] = {}

    async def batch(self, calls: Sequence[Call]) -> list[Reply]:
        key = str(calls)
        if not self.replaying:
            self._kept[key] = await super().batch(calls)
        return self._kept[key]


def _chunks(blocks: Sequence[Answers]) -> Iterator[Sequence[Answers]]:
    for at in range(0, len(blocks), _CHUNK):
        yield blocks[at : at + _CHUNK]


def measure(servers: Config, *, logs: int, seed: int) -> RpcFigures:
    """In a database and topics of its own: half of the blocks by itself, half beside a worker that reads them."""
    config = deployed(servers, TABLE)
    blocks = made(logs, seed=seed)
    half = len(blocks) // 2
    try:
        with node(blocks, servers.home) as serving:
            figures = run(config, serving, blocks[:half])
            worker = children.start(config, "bench-worker", children.WORKER)
            with children.running([worker]):
                children.wait_for(lambda: _reads(config), "the worker to read", timeout_s=60, children=[worker])
                figures.beside = run(config, serving, blocks[half:-2]).rate
            figures.steps_us = steps(config, serving.url, blocks[: _STEPS_LOGS // LOGS])
    finally:
        drop(config, servers)
    return figures


def _reads(config: Config) -> bool:
    with psycopg.connect(config.postgres) as conn:
        statement = "SELECT count(*) FROM ledger.applied_blocks"
        return conn.execute(statement).fetchone() != (0,)


def print_rpc(figures: RpcFigures) -> None:
    """Lines for people."""
    print(f"\n{'step of ft ingest':<20}{'CPU us/log':>12}   (each by itself; the whole process {figures.cpu_us:.1f})")
    for name, microseconds in figures.steps_us.items():
        print(f"{name:<20}{microseconds:>12.1f}")
    print(f"\nrpc: {figures.rate:.0f} logs/s")
    print(f"rpc, a worker beside: {figures.beside:.0f} logs/s")


def main(logs: int = 40_000) -> None:
    """On whatever servers the environment names: ``python -m tests.bench.rpc [logs]``."""
    with tempfile.TemporaryDirectory(prefix="ft-bench-") as folder:
        print_rpc(measure(replace(Config.from_env(), home=Path(folder)), logs=logs, seed=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
