"""What a run looks at while its workers are at it: whether they hold their partitions, how far they are, their cost."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
import psutil
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from ft.children import Child
from ft.config import Config
from ft.errors import ServerError

READY_S: Final = 60.0
"""Within which the workers hold their partitions."""
RUN_S: Final = 900.0
"""Within which a step of a run is done."""
CLAIMED: Final = (
    "SELECT count(*) FROM system.partition_owner WHERE epoch > 0 AND (consumer <> 'normalize' OR topic = %(topic)s)"
)
"""Partitions that a worker holds; of the raw topics, ``topic`` alone counts."""
_SEQ: Final = "SELECT coalesce(sum(next_seq), 0)::bigint FROM system.partition_owner WHERE consumer = 'ledger'"
_APPLIED: Final = "SELECT count(*) FROM ledger.applied_blocks"


def one(conn: psycopg.Connection[Any], query: str, **values: object) -> int:
    """The number that the query answers; 0 where it answers nothing."""
    row = conn.execute(query.encode(), values).fetchone()
    return int(row[0]) if row else 0


def is_applied(conn: psycopg.Connection[Any], events: int, slices: int) -> bool:
    """Whether the last slice is visible; they are counted only once the journal is long enough, for that costs."""
    return one(conn, _SEQ) >= events and one(conn, _APPLIED) >= slices


def sound(conn: psycopg.Connection[Any]) -> bool:
    """True. Raises ServerError if there are dead letters."""
    for error, count in conn.execute("SELECT min(error), count(*) FROM system.dlq HAVING count(*) > 0").fetchall():
        raise ServerError(f"{count} dead letters; the first: {error}")
    return True


def cpu(config: Config, workers: Sequence[Child]) -> dict[str, float]:
    """CPU seconds so far of the workers, and of the servers' processes if they are ours."""
    seconds = {worker.name: cpu_s(psutil.Process(worker.process.pid)) for worker in workers}
    for process in psutil.process_iter(["name", "cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        name = "postgres" if process.info["name"] == "postgres" else "kafka" if "kafka.Kafka" in words else ""
        if name and (name == "postgres" or str(config.home) in words):
            seconds[name] = seconds.get(name, 0.0) + cpu_s(process)
    return seconds


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds so far of one process; 0 where it has ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def hops(conn: psycopg.Connection[Any]) -> dict[str, tuple[int, float]]:
    """Work of each hop, as the workers' metrics tell."""
    events: dict[str, float] = {}
    busy: dict[str, float] = {}
    for (url,) in conn.execute("SELECT metrics_url FROM system.workers").fetchall():
        for family in text_string_to_metric_families(httpx.get(url, timeout=10).text):
            into: Mapping[str, dict[str, float]] = {"events_processed": events, "busy_seconds": busy}
            for sample in family.samples:
                if sample.name in into and sample.value:
                    into[sample.name][sample.labels["agent"]] = sample.value
    return {agent: (int(count), busy.get(agent, 0.0)) for agent, count in events.items()}
