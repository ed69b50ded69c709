"""The whole pipeline as an operator runs it: worker, API and ingestion, each a process of its own, on one config."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from ft import children
from ft.children import FT, WORKER, Child
from ft.config import Config
from ft.networks import load_networks
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topics import Topics
from tests import api_process
from tests.topic_ends import end_of, reader

START_S: Final = 60.0
STEP_S: Final = 30.0
"""How long anything may take to come through, far more than it takes on a machine that is not busy."""

_PARTITIONS_BEHIND: Final = """
    SELECT count(*) FROM system.partition_owner o
    LEFT JOIN system.partition_head h
      ON (h.consumer, h.partition) = (o.consumer, o.partition) AND h.network = %(network)s
    WHERE o.consumer = 'ledger' AND coalesce(h.position, -1) < %(position)s
"""
_UNREAD: Final = """
    SELECT count(*) FROM system.partition_owner l
    LEFT JOIN system.publish_cursor c USING (partition)
    LEFT JOIN system.partition_owner p ON p.consumer = 'project' AND p.partition = l.partition
    WHERE l.consumer = 'ledger'
      AND (l.next_seq - 1 > coalesce(c.seq, 0) OR coalesce(c.ownership_seq, 0) > coalesce(p.next_seq - 1, -1))
"""
_CLAIMED: Final = "SELECT count(*) FROM system.partition_owner WHERE consumer = 'project' AND epoch > 0"


@dataclass(slots=True)
class Pipeline:
    """One deployment. :meth:`start` before anything else; :meth:`stop` leaves no process behind."""

    config: Config
    url: str = ""
    workers: list[Child] = field(default_factory=list)
    _others: list[Child] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=lambda: count(1))
    _client: httpx.Client | None = None

    def start(self) -> None:
        """Migrate, then a worker and the API, both answering."""
        prepare(self.config)
        worker = self.start_worker()
        self._start_api()
        self.until(
            lambda: self.sql(_CLAIMED) == [(self.config.partitions,)],
            "a worker that holds every partition",
            START_S,
            [worker],
        )

    def stop(self) -> None:
        """Stop every process."""
        if self._client is not None:
            self._client.close()
        with children.running([*self.workers, *self._others]):
            pass

    def start_worker(self) -> Child:
        """One more worker with every agent."""
        worker = children.start(self.config, f"worker-{next(self._names)}", WORKER)
        self.workers.append(worker)
        return worker

    def kill_workers(self) -> None:
        """SIGKILL, no goodbye."""
        for worker in self.workers:
            worker.kill()
            worker.wait(10)
        self.workers.clear()

    def stop_workers(self) -> None:
        """SIGTERM, and they drain."""
        while self.workers:
            assert self.workers.pop().stop() == 0

    def follow(self, network: str, *urls: str, first: int | None = None) -> Child:
        """``ft ingest --follow``, running."""
        start = [] if first is None else ["--from", str(first)]
        return self._ingest(network, urls, ["--follow", *start])

    def ingest(self, network: str, *urls: str, first: int, last: int) -> None:
        """``ft ingest --from --to`` to its end, which must be a success."""
        child = self.ingest_any_end(network, *urls, first=first, last=last)
        assert child.process.returncode == 0, child.log_end()

    def ingest_any_end(self, network: str, *urls: str, first: int, last: int) -> Child:
        """``ft ingest --from --to`` to its end, whatever that is."""
        child = self._ingest(network, urls, ["--from", str(first), "--to", str(last)])
        child.wait(120)
        return child

    def bulk(self, network: str, *urls: str, first: int, last: int) -> Child:
        """``ft ingest --bulk``, running."""
        return self._ingest(network, urls, ["--from", str(first), "--to", str(last), "--bulk"])

    def verify(self, *, lagging: bool = False) -> None:
        """``ft verify`` must find no difference. ``lagging``: without waiting for project."""
        done = subprocess.run(
            [sys.executable, *FT, "verify", *(("--wait", "0", "--allow-lag") if lagging else ("--wait", "30"))],
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def environ(self) -> dict[str, str]:
        """What a process of this deployment finds in its environment."""
        return children.environment(self.config)

    def get(self, path: str, **query: Any) -> Any:
        """One answer of the API: 2xx, or an assertion."""
        answer = self.ask(path, **query)
        assert answer.is_success, answer.text
        return answer.json()

    def ask(self, path: str, **query: Any) -> httpx.Response:
        """One answer of the API, whatever its status."""
        if self._client is None:
            self._client = httpx.Client(base_url=self.url, timeout=10)
        return self._client.get(f"/api/v1/{path}", params={k: v for k, v in query.items() if v is not None})

    def pages(self, path: str, *, limit: int = 100, **query: Any) -> list[list[dict[str, Any]]]:
        """Every page of a list, as a client that follows the cursor sees them."""
        pages: list[list[dict[str, Any]]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, limit=limit, cursor=cursor, **query)
            pages.append(page["data"])
            cursor = page["page"]["next_cursor"]
            if not page["page"]["has_more"]:
                return pages

    def all(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every entry of a list."""
        return [entry for page in self.pages(path, **query) for entry in page]

    def caught_up(self, network: str) -> None:
        """Return once all that is in the raw topic has come through to the projections."""
        end = self.raw_end(network)

        def through() -> bool:
            behind = self.sql(_PARTITIONS_BEHIND, network=network, position=end - 1)
            return behind == [(0,)] and self.sql(_UNREAD) == [(0,)]

        self.until(through, f"{network}: {end} raw records to come through")

    def raw_end(self, network: str) -> int:
        """How many records the network's raw topic holds."""
        with reader(self.config) as consumer:
            return end_of(consumer, Topics(self.config.topic_prefix).raw(network))

    def until(
        self,
        condition: Callable[[], bool],
        what: str,
        timeout_s: float = STEP_S,
        processes: Sequence[Child] | None = None,
    ) -> None:
        """Wait for a condition; a worker that ends meanwhile is an error."""
        watched = self.workers if processes is None else processes
        children.wait_for(condition, what, timeout_s=timeout_s, children=watched)

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of the deployment's database."""
        with psycopg.connect(self.config.postgres, autocommit=True) as conn:
            return conn.execute(statement.encode(), values).fetchall()

    def _ingest(self, network: str, urls: Sequence[str], options: Sequence[str]) -> Child:
        rpc = [word for url in urls for word in ("--rpc", url)]
        name = f"ingest-{network}-{next(self._names)}"
        child = children.start(self.config, name, (*FT, "ingest", network, *rpc, *options))
        self._others.append(child)
        return child

    def _start_api(self) -> None:
        self.url, api = api_process.start(self.config)
        self._others.append(api)


def networks_file(folder: Path, networks: Sequence[str]) -> Path:
    """Local chains by these names: as anvil answers, at the pace of a test."""
    path = folder / "networks.toml"
    table = """[{slug}]
chain_id = 31337
finality = {{ confirmed = "safe", confirmed_depth = 4, finalized = "finalized", finalized_depth = 8 }}
block_time_s = 0.5
requests_per_s = 1000
"""
    path.write_text("".join(table.format(slug=slug) for slug in networks))
    return path


def with_start_block(config: Config, network: str, start_block: int) -> Config:
    """The same deployment, its operator having said where that network's full coverage starts."""
    assert config.networks_file is not None
    text = config.networks_file.read_text()
    path = config.networks_file.with_name(f"networks-{network}-{start_block}.toml")
    path.write_text(re.sub(rf"^\[{network}\]$", f"[{network}]\nstart_block = {start_block}", text, flags=re.MULTILINE))
    assert load_networks(path)[network].start_block == start_block
    return replace(config, networks_file=path)
