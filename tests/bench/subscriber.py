"""What a subscriber of ``ownership_changed`` costs a worker that does nothing else: one of them, and one more.

The records are made before, and written when the worker holds its partitions. Its CPU time goes from there until it has
committed the last of them; fetching, decoding, the fence and the offsets are in it.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import psutil
import psycopg

from ft import children
from ft.config import Config
from ft.schemas import domains
from ft.schemas.codec import Codec
from ft.schemas.events import OwnershipChanged, to_record
from ft.schemas.families import EVM_ZERO
from ft.schemas.ids import asset_id, event_id
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topics import Topics
from tests.bench.deployment import deployed
from tests.bench.feed import NETWORK, TABLE
from tests.bench.pace import paced
from tests.bench.watching import READY_S, RUN_S, cpu_s, one, sound

MODULES: Final = ("tests.bench.nothing", "tests.bench.nothing_more")
_RUNS: Final = 3
_BLOCK: Final = 40
"""Records of one block in one partition."""
_HELD: Final = "SELECT count(*) FROM system.partition_owner WHERE epoch > 0 AND consumer = ANY(%(consumers)s)"
_READ: Final = "SELECT coalesce(sum(next_offset), 0) FROM system.partition_owner WHERE consumer = ANY(%(consumers)s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Microseconds of the worker's CPU a record, medians; ``loop_ms``: of the loop that ran beside them."""

    records: int
    one_us: float
    two_us: float
    loop_ms: float


def measure(config: Config, *, events: int) -> Cost:
    """Each run is a deployment of its own; one consumer and two in turns."""
    domains.declare(MODULES)
    figures: dict[int, list[float]] = {1: [], 2: []}
    loops = []
    for _ in range(_RUNS):
        for consumers, into in figures.items():
            with paced() as pace:
                into.append(_run(config, ["nothing", "more"][:consumers], events))
            loops.append(pace.loop_ms)
    return Cost(records=events, one_us=median(figures[1]), two_us=median(figures[2]), loop_ms=median(loops))


def _run(config: Config, consumers: Sequence[str], events: int) -> float:
    """Microseconds of CPU a record."""
    config = deployed(replace(config, domains=MODULES), TABLE)
    topic, partitions = Topics(config.topic_prefix).ownership_changed, config.partitions
    with Schemas(config) as schemas:
        codec = schemas.codec("ownership_changed", topic)
    each = range(1, events // partitions // _BLOCK * _BLOCK)  # the last one ends its block
    records = [list(records_of(codec, partition, each)) for partition in range(partitions)]
    worker = children.start(replace(config, agents=frozenset(consumers)), "bench-subscriber", children.WORKER)
    values = {"consumers": list(consumers)}
    with children.running([worker]), psycopg.connect(config.postgres, autocommit=True) as conn:
        ready = lambda: one(conn, _HELD, **values) >= len(consumers) * partitions  # noqa: E731
        children.wait_for(ready, "the worker to hold its partitions", timeout_s=READY_S, children=[worker])
        process = psutil.Process(worker.process.pid)
        before = cpu_s(process)
        asyncio.run(_write(config, topic, records))
        wanted = len(consumers) * sum(map(len, records))
        done = lambda: sound(conn) and one(conn, _READ, **values) >= wanted  # noqa: E731
        children.wait_for(done, "everything to be read", timeout_s=RUN_S, children=[worker])
        return (cpu_s(process) - before) / sum(map(len, records)) * 1e6


def records_of(codec: Codec, partition: int, seqs: Iterable[int], size: int = _BLOCK) -> Iterator[bytes]:
    """Mints, as the publisher announces them. ``size``: of a block; the last one has a seq one below a multiple."""
    for seq in seqs:
        block, contract, token = seq // size, f"0x{partition:040x}", str(seq)
        tx_hash = f"0x{(partition << 40) + seq:064x}"
        account = f"0x{seq % 9_973:040x}"
        record = OwnershipChanged(
            seq=seq, prev_seq=seq - 1, kind="mint", op="apply", network=NETWORK,
            block_number=block, block_hash=f"0x{block:064x}", block_time=1_704_067_200 + block,
            log_index=seq % size, event_id=event_id(NETWORK, tx_hash, contract, "0xddf252ad", 0, 0),
            asset_id=asset_id(NETWORK, contract, token), contract=contract, token_id=token, standard="erc721",
            from_account=EVM_ZERO, to_account=account, quantity="1", tx_hash=tx_hash,
            holder=account, holder_before=EVM_ZERO, holder_block=block, holder_time=1_704_067_200 + block,
            block_end=seq % size == size - 1, finality_status="finalized",
        )  # fmt: skip
        yield codec.encode(to_record(record))


async def _write(config: Config, topic: str, records: Sequence[Sequence[bytes]]) -> None:
    """Partition by partition in turns, as they come from a publisher."""
    producer = Producer(config)
    for together in zip(*records, strict=True):
        for partition, value in enumerate(together):
            producer.send(topic, partition, value)
    await producer.flush_acknowledged()


def print_cost(cost: Cost) -> None:
    """Print both figures."""
    print(f"\n{cost.records} records of ownership_changed ({cost.loop_ms:.2f} ms a loop), worker CPU a record:")
    print(f"subscriber: {cost.one_us:.1f} us")
    print(f"a second one in the same worker: {cost.two_us - cost.one_us:.1f} us more")
