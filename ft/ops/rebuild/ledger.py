"""The raw topics, from their first record -> a second ledger, compared with the one that is served, then deleted.

A worker of a generation of its own (normalize and ledger, no publisher) reads the raw topics into schemas, topics and a
group of that generation, with the very code of the live one. What is compared, and what may differ: ``compare``.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg
import structlog

from ft import children
from ft.children import WORKER, Child
from ft.config import Config
from ft.errors import BrokerError, ConfigError
from ft.ops.rebuild import compare
from ft.ops.rebuild.compare import Places, Slot
from ft.ops.rebuild.progress import Progress, Report
from ft.ops.rebuild.shadow import Connection, Shadow
from ft.ops.verify.run import Outcome
from ft.sql.queries import LIVE
from ft.sql.session import translated
from ft.streams.deployment import guard
from ft.streams.deployment.comparing import require_one, stored_deployment
from ft.streams.deployment.guard import Guard
from ft.streams.deployment.preflight import known_networks
from ft.streams.deployment.provision import partitions_of
from ft.streams.kafka.raw_beginnings import beginning
from ft.streams.kafka.topic_admin import create_topics, delete_group, delete_topics, topic_names
from ft.streams.kafka.topics import Topics

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.5
"""How often the two ledgers are asked where they stand."""
_ALL_LEVEL_S: Final = 5.0
"""For so long the partitions are waited for together; then those that are level are compared."""
_RESTARTS_MAX: Final = 5


@dataclass(slots=True, kw_only=True)
class Result:
    """What was compared, and what was not."""

    outcomes: list[Outcome] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)
    """Partitions and chains that never stood at the same place, in words."""
    kept: str = ""
    """The generation whose schemas were left."""

    @property
    def differences(self) -> int:
        return sum(outcome.count for outcome in self.outcomes)


def rebuild_ledger(config: Config, networks: Sequence[str], report: Report, *, keep: bool, level_s: float) -> Result:
    """Read ``networks`` (none: all) anew and compare. ``level_s``: patience for partitions to be level.

    Raises RebuildRuns, ConfigError for an unknown network or a raw topic without its first records, ServerError if the
    worker ends again and again, DatabaseUnavailable, BrokerUnavailable.
    """
    guarding = Guard(config)
    guarding.begin(stored_deployment(config))
    require_one(config)
    chosen = _choose(config, networks)
    _check_beginnings(config, chosen)
    with Shadow(config, "ledger", chosen) as shadow:
        try:
            with _worker(config, shadow, report) as worker:
                result = _Comparison(shadow, chosen, worker, guarding, report, level_s).run()
        except psycopg.Error as exc:
            raise translated(exc) from exc
        if keep:
            shadow.keep, result.kept = True, shadow.generation
    return result


def _choose(config: Config, networks: Sequence[str]) -> list[str]:
    known = list(known_networks(config))
    if unknown := sorted(set(networks) - set(known)):
        raise ConfigError(f"--network: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    return sorted(set(networks)) or known


def _check_beginnings(config: Config, networks: Sequence[str]) -> None:
    topics = Topics(config.topic_prefix)
    for network in networks:
        if (first := beginning(config, topics.raw(network))) > 0:
            raise ConfigError(
                f"{topics.raw(network)}: expected the log to begin at offset 0, got {first}. Records were deleted: "
                "the ledger cannot be rebuilt from it. Restore the topic, or leave the network out (--network)."
            )


@contextmanager
def _worker(config: Config, shadow: Shadow, report: Report) -> Iterator["_Worker"]:
    """The generation's worker with topics and a folder of its own; all of it is deleted afterwards."""
    own = replace(
        config,
        generation=shadow.generation,
        home=config.home / "rebuild" / shadow.generation,
        agents=frozenset({"normalize", "ledger"}),
        metrics_port=0,
        log_format="json",
    )
    _delete_leftovers(config, shadow, report)
    create_topics(own, [], partitions_of(config))
    worker = _Worker(own)
    try:
        worker.start()
        yield worker
    finally:
        worker.stop()
        delete_group(own, f"{Topics(own.topic_prefix, own.generation).own}ft-ledger-normalize")
        try:
            delete_topics(own, _topics_of(config, shadow.generation))
        except BrokerError as exc:
            log.warning("topics stay until the next rebuild", generation=shadow.generation, error=str(exc))
        shutil.rmtree(own.home, ignore_errors=True)


def _topics_of(config: Config, generation: str) -> list[str]:
    own = Topics(config.topic_prefix, generation).own
    return [name for name in topic_names(config) if name.startswith(own)]


def _delete_leftovers(config: Config, shadow: Shadow, report: Report) -> None:
    """What rebuilds left that were killed: theirs is the only lock, so none of them runs. The schemas are gone."""
    topics = delete_topics(config, _topics_of(config, shadow.kind))
    for folder in (config.home / "rebuild").glob(f"{shadow.kind}_*"):
        shutil.rmtree(folder, ignore_errors=True)
    if shadow.left_over or topics:
        report(f"deleted what unfinished rebuilds had left: {len(shadow.left_over)} ledgers, {len(topics)} topics")


class _Worker:
    """The child, started again when it ends, but not for ever."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._child: Child | None = None
        self._restarts = 0

    def start(self) -> None:
        self._child = children.start(self._config, "worker", WORKER)

    def look(self) -> None:
        """Start it again if it ended. Raises ServerError, with the end of its log, after several times."""
        if self._child is not None and not self._child.running:
            self._restarts += 1
            if self._restarts > _RESTARTS_MAX:
                self._child.require_running()
            log.warning("the second ledger's worker is started again", code=self._child.process.returncode)
            self.start()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()


class _Comparison:
    """Waits until the second ledger has caught up, then compares what is level until everything was."""

    def __init__(
        self,
        shadow: Shadow,
        networks: Sequence[str],
        worker: _Worker,
        guarding: Guard,
        report: Report,
        level_s: float,
    ) -> None:
        self._conn: Connection = shadow.conn
        self._generation = shadow.generation
        self._networks = list(networks)
        self._worker = worker
        self._guard = guarding
        self._guarded_at = time.monotonic()
        self._report = report
        self._level_s = level_s
        self._done_slots: set[Slot] = set()
        self._done_chains: set[str] = set()
        self._outcomes: dict[str, list[Outcome]] = {name: [] for name in compare.CHAIN_CHECKS | compare.SLOT_CHECKS}
        self._caught_up_at: float | None = None

    def run(self) -> Result:
        progress = Progress(what="raw records")
        while True:
            self._worker.look()
            if time.monotonic() - self._guarded_at > guard.LOOK_S:
                self._guard.look()
                self._guarded_at = time.monotonic()
            live, rebuilt = self._look()
            left_slots, left_chains = self._left(live)
            if not left_slots and not left_chains:
                return self._result([])
            progress.total = sum(position + 1 for position in live.chains.values())
            progress.done = sum(min(p, live.chains.get(n, -1)) + 1 for n, p in rebuilt.chains.items())
            self._report(progress)
            if self._caught_up_at is None and _has_caught_up(live, rebuilt):
                self._caught_up_at = time.monotonic()
                self._report("the second ledger has caught up; comparing")
            if self._caught_up_at is not None and time.monotonic() - self._caught_up_at > self._level_s:
                return self._result(self._in_words(live, rebuilt))
            time.sleep(LOOK_S)

    def _look(self) -> tuple[Places, Places]:
        """Where both stand; what is level, and due, is compared in the same snapshot."""
        with self._conn.transaction():
            self._conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self._conn.execute("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL search_path = pg_catalog")
            live = compare.places(self._conn, LIVE, self._networks)
            rebuilt = compare.places(self._conn, self._generation, self._networks)
            slots, chains = compare.level(live, rebuilt)
            left_slots, left_chains = self._left(live)
            slots, chains = slots & left_slots, chains & left_chains
            if self._is_due(all_level=slots == left_slots and chains == left_chains):
                if slots:
                    self._keep(compare.compare_slots(self._conn, self._generation, slots))
                if chains:
                    self._keep(compare.compare_chains(self._conn, self._generation, chains))
                self._done_slots |= slots
                self._done_chains |= chains
        return live, rebuilt

    def _left(self, live: Places) -> tuple[set[Slot], set[str]]:
        return set(live.slots) - self._done_slots, set(live.chains) - self._done_chains

    def _is_due(self, *, all_level: bool) -> bool:
        """1. everything at once, if possible; 2. else, after some seconds, what is level."""
        if all_level or self._caught_up_at is None:
            return all_level
        return time.monotonic() - self._caught_up_at > _ALL_LEVEL_S

    def _keep(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._outcomes[outcome.name].append(outcome)

    def _result(self, not_compared: list[str]) -> Result:
        return Result(
            outcomes=[compare.merged(found) for found in self._outcomes.values() if found], not_compared=not_compared
        )

    def _in_words(self, live: Places, rebuilt: Places) -> list[str]:
        slots, chains = self._left(live)
        why = f"in {self._level_s:.0f} s the two were never at the same raw offset"
        remedy = "Is a worker running, and no backfill? Run it again, or with a longer --level-within."
        return [
            *(
                f"{network} in partition {partition} was not compared: {why} (served {live.slots[partition, network]}, "
                f"rebuilt {rebuilt.slots.get((partition, network), -1)}). {remedy}"
                for partition, network in sorted(slots)
            ),
            *(
                f"chain of {network} was not compared: {why} (served {live.chains[network]}, "
                f"rebuilt {rebuilt.chains.get(network, -1)}). {remedy}"
                for network in sorted(chains)
            ),
        ]


def _has_caught_up(live: Places, rebuilt: Places) -> bool:
    """Within a few records, wherever the live one stands."""
    near = 8
    chains = all(rebuilt.chains.get(network, -1) >= position - near for network, position in live.chains.items())
    return chains and all(rebuilt.slots.get(slot, -1) >= position - near for slot, position in live.slots.items())
