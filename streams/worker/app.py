"""The Faust app: Kafka's records in, in record batches, under offsets that live in Postgres.

Kafka's committed offsets are a report for lag monitors; on every assignment the consumer claims its partitions in
Postgres and seeks to where their effects end.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import mode.loop
import structlog

mode.loop.use("uvloop")  # before Faust is imported: 20 % less time a record

import faust  # noqa: E402
from faust.exceptions import ConsumerNotStarted  # noqa: E402
from faust.types import TP  # noqa: E402
from mode.supervisors import CrashingSupervisor  # noqa: E402

from ft.config import Config  # noqa: E402
from ft.errors import ConfigError  # noqa: E402
from ft.schemas.domains import agents  # noqa: E402
from ft.sql.session import process_name  # noqa: E402
from ft.streams.deployment import failures  # noqa: E402
from ft.streams.kafka.topics import Topics  # noqa: E402
from ft.streams.worker import headers, process  # noqa: E402
from ft.streams.worker.apart import OwnReading  # noqa: E402
from ft.streams.worker.claims import Claims, Reader  # noqa: E402
from ft.streams.worker.consumer import IN_HAND_S, Transport  # noqa: E402
from ft.streams.worker.credentials import credentials  # noqa: E402
from ft.streams.worker.fence import Claim  # noqa: E402
from ft.streams.worker.holding import Holding  # noqa: E402
from ft.streams.worker.hop import Batch, Fail, Hop, run_hop  # noqa: E402
from ft.streams.worker.lane import Lane  # noqa: E402
from ft.streams.worker.lanes import Lanes, Reading  # noqa: E402
from ft.streams.worker.membership import Membership, membership  # noqa: E402
from ft.streams.worker.turns import PIECES_MAX  # noqa: E402
from ft.streams.worker.watch import REBALANCE_S, Watch  # noqa: E402
from ft.telemetry import tracing  # noqa: E402
from ft.telemetry.log import configure, logging_config, of_error  # noqa: E402
from ft.telemetry.metrics import exposition  # noqa: E402

log = structlog.get_logger(__name__)

_FETCH_BYTES: Final = 4 * 1024 * 1024
_RESUBSCRIBE_S: Final = 1.0
_STANDS_MAX_S: Final = 60.0
"""How long a hop that failed waits, at most, before it tries again; it is doubled as long as it fails."""
_CALM_S: Final = 300.0
"""A hop that has not failed for so long waits shortly again."""
_ON_THE_WAY_MAX: Final = 4 * PIECES_MAX
"""Record batches between the fetcher and a lane, which takes them as they come: more than are ever on the way."""


class Beside(Protocol):
    """What runs as long as the agents do."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class App(faust.App):
    """A worker process. Made by :func:`create_app`."""

    def __init__(self, config: Config, **settings: Any) -> None:
        super().__init__(group_of(config), **settings)
        self.config = config
        self.owner = process_name()
        self.claims = Claims(config, self.owner)
        self.batch_sizes: dict[str, int] = {}
        """Topic -> records that travel as one message, at most."""
        self.prepare: Callable[[], Awaitable[None]] | None = None
        """Run before anything else starts: checks, and agents that depend on what is found."""
        self.told_by: signal.Signals | None = None
        """The signal that told it to stop: the one reason not to end with code 1."""
        self.holding = Holding(config, self.claims, self._end_of)
        self.lanes = Lanes()
        self._beside: list[Beside] = []
        self._running: dict[Reader, _Running] = {}
        """Consumer and topic -> the agent's hop, once that has started."""
        self.is_leaving = False
        """Whether :meth:`fail` closes the consumer that is still read from."""
        self._is_ending = False
        """Whether it ends by an error. What fails after the first one is its consequence, and is not noted."""

    def run(
        self,
        hop: Hop,
        topic: str,
        *,
        name: str,
        batch_size: int,
        batches_max: int,
        within_s: float,
        is_vital: bool = True,
    ) -> Any:
        """Make the agent that runs ``hop`` over ``topic``; returns it. Concurrency is 1: scale by processes. Several
        agents may read one topic; their records are fetched once.

        ``batch_size``: records that travel as one message, at most (fewer where they pass record_batches.BYTES_MAX);
        ``batches_max``: how many of them make a full batch, and twice so many are held in memory before the fetcher
        waits; ``within_s``: latency of a batch that is not full. ``is_vital``: an error that does not pass ends the
        process; else the hop stands still for a while, is told of, and begins again where its effects end.
        """
        self.claims.serve(topic, hop.consumer)
        self.batch_sizes[topic] = max(batch_size, self.batch_sizes.get(topic, 0))
        lane = Lane(hop.consumer, topic, queue_max=2 * batches_max)
        self.lanes.add(lane)
        channel: Any = self.topic(topic, value_type=bytes, key_type=bytes, value_serializer="raw", key_serializer="raw")
        # Whoever fills its queue fills those of all topics, and waits where one of them is full: it must never be.
        # Faust's App.topic() takes a ``maxsize`` and forgets it.
        channel.maxsize = _ON_THE_WAY_MAX

        async def agent(stream: Any) -> None:
            running = _Running(hop, lane, self._wake)
            reading = Reading(stream, lane, self.lanes)
            fail: Fail = self.fail if is_vital else BeginAgain(self, lane)
            beside = [
                asyncio.create_task(reading.feed(), name=f"{name} feed"),
                asyncio.create_task(self._read_apart(lane, batch_size, fail), name=f"{name} apart"),
            ]
            try:
                try:
                    await hop.start()
                except Exception as exc:  # noqa: BLE001 - the process cannot work without
                    await self.fail(exc)
                self._running[hop.consumer, topic] = running
                lane.unfed = stream.channel.queue.qsize
                while not lane.is_closed:
                    await run_hop(
                        reading, running, self.claims.of(hop.consumer), fail,
                        batches_max=batches_max, within_s=within_s, current=self._is_current,
                    )  # fmt: skip
            finally:
                lane.unfed = None
                self._running.pop((hop.consumer, topic), None)
                for task in beside:
                    task.cancel()
                await hop.stop()

        return self.agent(channel, name=name, concurrency=1, supervisor_strategy=CrashingSupervisor)(agent)

    async def _read_apart(self, lane: Lane, batch_size: int, fail: Fail) -> None:
        while True:
            try:
                await OwnReading(self.config, lane, batch_size=batch_size).run()
            except Exception as exc:  # noqa: BLE001 - nothing would come before this hop any more
                await fail(exc)

    def room(self, tp: TP) -> int:
        """Record batches of the partition that may be handed out; none until an agent has started."""
        return self.lanes.room(tp.topic, tp.partition)

    def hungry(self, topic: str) -> bool:
        """Whether an agent of the topic has nothing in hand, and nothing waits for it."""
        return self.lanes.is_hungry(topic)

    def ask_for_missing(self) -> None:
        """Subscribe to the topics of agents that were made amid a rebalance: Faust forgets to, for good."""
        conductor: Any = self.topics
        wanted = {name for channel in conductor for name in channel.topics}
        if not self.rebalancing and not wanted <= conductor._topic_name_index.keys():
            conductor._flag_changes()

    def _is_current(self, event: Any) -> bool:
        consumer: Any = self.consumer
        return bool(consumer.is_current(event.message))

    def _end_of(self, topic: str) -> int:
        """Where a topic of one partition ends, as the last fetch told; 0 before the first."""
        try:
            return self.consumer.highwater(TP(topic, 0)) or 0
        except (AssertionError, AttributeError, ConsumerNotStarted):  # it is not assigned any more, or not yet
            return 0

    def _wake(self) -> None:
        consumer: Any = self.consumer
        consumer.wake()

    def resting(self) -> frozenset[Reader]:
        """Consumers that do not get on with a topic for now, on purpose."""
        return frozenset(self.claims.busy).union(("normalize", topic) for topic in self.holding.held_back())

    def beside(self, other: Beside) -> None:
        """Start ``other`` with the agents, and stop it after them. Called while the app is prepared."""
        self._beside.append(other)

    def serve(self, service: Any) -> None:
        """Start ``service`` once the worker runs, and stop it with it."""
        self.service(service)

    async def wait_for_batches(self, timeout_s: float) -> None:
        """Wait until no hop has a batch in hand, or the time is over (the fence is what protects, not this)."""
        waits = [asyncio.ensure_future(running.idle.wait()) for running in self._running.values()]
        if waits:
            _, pending = await asyncio.wait(waits, timeout=timeout_s)
            for wait in pending:
                wait.cancel()

    async def ends(self, claims: list[Claim]) -> Mapping[Claim, int]:
        """The end offset of each claim's partition, asked from the broker and not from what was fetched."""
        found = await self.consumer.highwaters(*(TP(claim.topic, claim.partition) for claim in claims))
        return {claim: found[TP(claim.topic, claim.partition)] for claim in claims}

    def membership(self) -> Membership:
        """This worker's place in its group; none before the consumer has started."""
        consumer: Any = self.consumer
        return membership(consumer.group, rebalancing=self.rebalancing) if consumer.group else Membership(joined=False)

    async def fail(self, exc: BaseException) -> None:
        """Leave the group if that is quickly done, then end the process with code 1. Does not return."""
        if not self._is_ending:
            self._is_ending = self.is_leaving = True
            log.critical("worker exits", kind=type(exc).__name__, **of_error(exc))
            process.end_within(process.SHUTDOWN_S / 2, code=1)
            noted = asyncio.to_thread(self.note, exc)
            await asyncio.gather(noted, process.leave_group(self, process.SHUTDOWN_S / 4), return_exceptions=True)
            process.end(1)
        await asyncio.Event().wait()

    async def on_first_start(self) -> None:
        """Refuse to start, with one clear message, where ``prepare`` finds something wrong."""
        await super().on_first_start()
        if self.prepare is not None:
            try:
                if self.config.metrics_port:
                    process.require_free(self.config.web_bind, self.config.metrics_port)
                await self.prepare()
                for other in self._beside:
                    await other.start()
                process.settle_memory()
            except Exception as exc:  # noqa: BLE001 - any reason not to start
                await self.fail(exc)

    def _crash(self, reason: BaseException) -> None:
        """Faust's own way out is taken, but only for so long."""
        process.end_within(process.SHUTDOWN_S, code=1)
        if not self._is_ending:  # Faust calls this several times for one crash
            self._is_ending = True
            threading.Thread(target=self.note, args=(reason,), daemon=True).start()
        super()._crash(reason)

    def note_of(self, consumer: str, exc: BaseException) -> None:
        """The same of a consumer that fails while the others go on."""
        if not self._is_ending:
            failures.note(self.config, "consumer", consumer, exc, self.owner)

    def note(self, exc: BaseException) -> None:
        """Write down for ``ft status`` why this process, or one of its agents, failed. Blocking."""
        if not self.config.generation:  # whoever rebuilds waits for its worker, and tells of it
            failures.note(self.config, "worker", ",".join(sorted(self.config.agents)), exc, self.owner)

    async def stop(self) -> None:
        """Drain and stop, but only for so long: what is in hand is committed, and nothing new is begun."""
        process.end_within(process.SHUTDOWN_S, code=process.code_of(self))
        log.info("worker stops", worker=self.owner)
        self.claims.drop_all()
        if not self.crashed:
            await self.wait_for_batches(IN_HAND_S)
        await super().stop()
        for other in self._beside:
            await other.stop()


class BeginAgain:
    """What becomes of a hop without which the others go on: it waits, longer each time, and begins again."""

    def __init__(self, app: App, lane: Lane) -> None:
        self._app = app
        self._lane = lane
        self._times = 0
        self._failed_at = float("-inf")

    async def __call__(self, exc: BaseException) -> None:
        """Its records are kept for it, or read again; returns when it may try."""
        now = asyncio.get_running_loop().time()
        self._times = self._times + 1 if now - self._failed_at < _CALM_S else 1
        self._failed_at = now
        pause_s = min(_STANDS_MAX_S, 2.0**self._times)
        log.error("consumer stands still", consumer=self._lane.consumer, error=str(exc) or repr(exc), in_s=pause_s)
        await asyncio.to_thread(self._app.note_of, self._lane.consumer, exc)
        await asyncio.sleep(pause_s)
        held = self._app.claims.held(self._lane.consumer)
        self._lane.restart({claim.partition: claim.next_offset for claim in held if claim.topic == self._lane.topic})


class _Running:
    """A hop, and whether it has a batch in hand."""

    def __init__(self, hop: Hop, lane: Lane, moves: Callable[[], None]) -> None:
        """``moves`` is called when the hop has taken a batch out of its lane, and when it has nothing in hand any
        more."""
        self.consumer = hop.consumer
        self.start = hop.start
        self.stop = hop.stop
        self.idle = asyncio.Event()
        self.idle.set()
        self._hop = hop
        self._lane = lane
        self._moves = moves

    async def process(self, batch: Batch) -> float | None:
        self._lane.is_busy = True
        self.idle.clear()
        self._moves()
        try:
            return await self._hop.process(batch)
        finally:
            self._lane.is_busy = False
            self.idle.set()
            self._moves()


def group_of(config: Config) -> str:
    """Consumer group: members of one group must read the same topics, so a subset of agents has its own."""
    name = "ft" if config.agents == frozenset(agents()) else "ft-" + "-".join(sorted(config.agents))
    return f"{Topics(config.topic_prefix, config.generation).own}{name}"


def create_app(config: Config) -> App:
    """The app with the settings under which Faust loses nothing; agents are added by the caller.

    Raises ConfigError if no Kafka is known, or FT_HOME cannot be written.
    """
    process.few_arenas()
    configure(config)
    headers.install()
    tracing.start(config, f"ft-worker-{group_of(config)}")
    datadir = config.home / "worker"
    try:
        datadir.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{datadir} cannot be made ({exc.strerror}): set FT_HOME to a folder to write in") from exc
    session_s = config.session_timeout_s
    app = App(
        config,
        broker=[f"kafka://{server.strip()}" for server in config.kafka.split(",")],
        broker_credentials=credentials(config.kafka_security),
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 3,
        broker_rebalance_timeout=REBALANCE_S,
        broker_request_timeout=max(90.0, session_s * 2),
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_BYTES,
        processing_guarantee="at_least_once",
        producer_acks=-1,
        producer_linger_ms=5,
        producer_compression_type="lz4",
        stream_wait_empty=False,
        stream_buffer_maxsize=256,
        stream_recovery_delay=0.0,
        agent_supervisor=CrashingSupervisor,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        store="memory://",
        value_serializer="raw",
        key_serializer="raw",
        web_bind=config.web_bind,
        web_host=config.web_bind,
        web_port=config.metrics_port or process.free_port(config.web_bind),
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
        Worker=process.Worker,
        datadir=str(datadir),
        logging_config=logging_config(config),
    )
    app.transport = Transport(app.conf.broker_consumer, app)
    conductor: Any = app.topics
    conductor._resubscribe_sleep_lock_seconds = _RESUBSCRIBE_S
    app.page("/metrics")(_metrics)
    url = f"http://{config.web_bind}:{app.conf.web_port}/metrics"
    app.serve(app.holding)
    app.serve(Watch(config, app.claims, app.ends, app.membership, app.fail, url, app.resting))
    return app


async def _metrics(web: Any, request: Any) -> Any:
    body, content_type = exposition()
    return web.bytes(body, headers={"Content-Type": content_type})
