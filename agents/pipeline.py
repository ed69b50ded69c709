"""Every agent of the pipeline, in the order of the flow. ``faust -A ft worker`` runs those that FT_AGENTS names.

    chain.<network>.raw -> normalize -> ledger.normalized -> ledger -> journal -> publish -> ledger.ownership_changed,
    ledger.finality, ledger.reorg_detected, catalog.asset_created; the first two -> project -> projection.*

Importing this module reads the environment and connects to nothing; what the agents need is checked when the worker
starts.
"""

import asyncio
from functools import partial
from typing import Any, Final

import structlog
from mode import Service

from ft.agents.decode.families import FAMILIES
from ft.agents.ledger.forgetting import Forgetting
from ft.agents.ledger.hop import Ledger
from ft.agents.ledger.indexing import Indexing
from ft.agents.ledger.recount import Recounting
from ft.agents.normalize.reading import reading_of
from ft.agents.project.hop import Project
from ft.agents.publish.announcements import TOPICS, Topic
from ft.agents.publish.publisher import Publisher
from ft.config import Config
from ft.errors import FtError
from ft.schemas.changes import Change
from ft.schemas.codec import Codec
from ft.schemas.domains import Domain, declared
from ft.sql.queries import use
from ft.streams.deployment.guard import Guarding
from ft.streams.deployment.preflight import Preflight, known_networks, verify
from ft.streams.deployment.selection import require_apart
from ft.streams.kafka.producer import Producer
from ft.streams.worker.announcing import Announcements, DomainPublisher
from ft.streams.worker.app import App, create_app
from ft.streams.worker.chain_reader.domain import reading_for
from ft.streams.worker.chain_reader.hop import ChainReading
from ft.streams.worker.chain_reader.reader import Reading
from ft.streams.worker.chain_reader.sender import Letters, Sender
from ft.streams.worker.ledger_heads import LedgerHeads
from ft.streams.worker.parent_watchdog import ParentWatchdog
from ft.streams.worker.record_batches import shares
from ft.streams.worker.subscriber import Subscriber, Subscription
from ft.streams.worker.timers import tell_of_timer
from ft.telemetry.outage import DATABASE
from ft.telemetry.takeover import take_over, tell

log = structlog.get_logger(__name__)

NEW_NETWORKS_S: Final = 3.0
"""How often a running worker looks for networks that were added."""
_LATENCY_S: Final = 0.05
"""A batch that is not full waits so long for more records."""
_SLICES: Final = 400
"""Records in a full batch of the ledger."""
_CHANGES: Final = 4000
"""Records in a full batch of project."""


class Pipeline:
    """The agents of one worker process."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.config = app.config
        self.facts: Preflight
        self._networks: set[str] = set()

    async def prepare(self) -> None:
        """Check database, topics and registry, then make the agents. Raises FtError with the remedy."""
        self.facts = await asyncio.to_thread(verify, self.config)
        self.app.claims.began = self.facts.deployment
        await require_apart(self.config, self.app.owner)
        chosen = self.config.agents
        if "normalize" in chosen:
            for slug, family in self.facts.networks.items():
                await self.normalize(slug, family)
        if "ledger" in chosen:
            self.ledger()
        if "project" in chosen:
            self.project()
        for domain in domains_of(self.config):
            self.domain(domain)
            for slug, family in self.facts.networks.items():
                await self.read_chain(domain, slug, family)

    async def normalize(self, slug: str, family: str) -> Any:
        """raw -> normalized. Repeats are possible and carry their position; a network is done by one process."""
        self._networks.add(slug)
        if family not in FAMILIES:
            log.warning("network is not normalized: no decoder for its family", network=slug, family=family)
            return None
        topic = self.facts.topics.raw(slug)
        codec = await asyncio.to_thread(self.facts.schemas.codec, "raw_block", topic)
        room = self.app.holding.room_of(topic, slug)
        reading = reading_of(self.facts.topics, slug, family, self.facts.codecs[self.facts.topics.normalized])
        hop = ChainReading(self.config, self.app.claims, reading, codec, self._sender, self.app.fail, room)
        return self._run_reading(hop, topic, slug)

    def ledger(self) -> None:
        """normalized -> journal and ownership. Every slice takes effect exactly once; a partition is one process's.

        With it the publisher, under the same claims: journal -> the ledger's topics, in order; repeats carry their seq.
        """
        facts, topics = self.facts, self.facts.topics
        publisher = None
        if "publisher" in self.config.agents:
            codecs: dict[Topic, Codec] = {name: facts.codecs[getattr(topics, name)] for name in TOPICS}
            publisher = Publisher(
                self.config, self.app.claims, codecs,
                topic=topics.normalized, generation=facts.generations.present, fail=self.app.fail,
            )  # fmt: skip
        hop = Ledger(
            self.config,
            self.app.claims,
            facts.codecs[topics.normalized],
            topic=topics.normalized,
            partitions=facts.partitions,
            owner=self.app.owner,
            publisher=publisher,
            fail=self.app.fail,
            busy=self.app.claims.busy,
        )
        batches_max, batch_size = shares(_SLICES, facts.partitions)
        self.app.run(
            hop, topics.normalized, name="ledger", batch_size=batch_size, batches_max=batches_max, within_s=_LATENCY_S
        )

    def project(self) -> None:
        """ownership_changed -> projection.*. Every record takes effect exactly once; a partition is one process's.

        With it finality -> where they stand while nothing happens.
        """
        self._subscribe(Project())

    def domain(self, domain: Domain) -> None:
        """ownership_changed -> whatever the domain makes of it, and what it announces, in order. Guarantee and
        parallelism are those of ``project``; where it fails, the others go on.
        """
        facts, own = self.facts, self.facts.topics.announced_by(domain)
        codecs = {topic: facts.codecs[whole] for topic, whole in own.items()}
        publisher = DomainPublisher(self.config, domain, own, self.app.claims)
        for subscriber in domain.subscribers:
            self._subscribe(
                subscriber(), is_vital=False, on_commit=publisher.wake,
                announces=lambda: Announcements(codecs, facts.partitions),
            )  # fmt: skip
        if own:
            self.app.beside(publisher)

    async def read_chain(self, domain: Domain, slug: str, family: str) -> list[Any]:
        """raw -> the topics of the domain's chain readers. Guarantee and parallelism are those of ``normalize``; each
        goes at its own pace, and where it fails, the others go on.
        """
        facts, topic, agents = self.facts, self.facts.topics.raw(slug), []
        self._networks.add(slug)
        readers = [reader for reader in domain.readers if family in reader.families]
        if not readers:
            return []
        codec = await asyncio.to_thread(facts.schemas.codec, "raw_block", topic)
        for reader in readers:
            own = facts.codecs[f"{facts.topics.own}{reader.topic}"]
            reading = reading_for(reader, facts.topics, slug, family, own)
            told = partial(_tell_of_timer, reader.consumer)
            hop = ChainReading(self.config, self.app.claims, reading, codec, self._sender, told)
            agents.append(self._run_reading(hop, topic, slug, is_vital=False))
        return agents

    def _run_reading(self, hop: ChainReading[Any], topic: str, slug: str, *, is_vital: bool = True) -> Any:
        """The agent of one consumer of one raw log."""
        name = f"{hop.consumer}-{slug}"
        return self.app.run(
            hop, topic, name=name, batch_size=32, batches_max=16, within_s=_LATENCY_S, is_vital=is_vital
        )

    def _subscribe(self, subscriber: Subscriber[Change], *, is_vital: bool = True, **more: Any) -> None:
        """The two hops of a subscriber: of the events, and of the heads that the ledger says beside them."""
        facts, app, name = self.facts, self.app, subscriber.consumer
        changes, finality = facts.topics.ownership_changed, facts.topics.finality
        held = partial(app.claims.held, name)
        hop = Subscription(
            self.config, app.owner, subscriber, facts.codecs[changes], facts.generations, held=held, **more
        )
        heads = LedgerHeads(self.config, app.owner, facts.codecs[finality], changes, facts.generations, name)
        app.claims.lossy.add(finality)
        batches_max, batch_size = shares(_CHANGES, facts.partitions)
        for each, topic in ((hop, changes), (heads, finality)):
            app.run(
                each,
                topic,
                name=each.consumer,
                batch_size=batch_size,
                batches_max=batches_max,
                within_s=_LATENCY_S,
                is_vital=is_vital,
            )

    async def add_networks(self) -> None:
        """Start agents for networks that were added since, without a restart."""
        found = await asyncio.to_thread(known_networks, self.config)
        for slug, family in found.items():
            if slug in self._networks:
                continue
            made = [await self.normalize(slug, family)] if "normalize" in self.config.agents else []
            for domain in domains_of(self.config):
                made += await self.read_chain(domain, slug, family)
            if started := [agent for agent in made if agent is not None]:
                agents: Any = self.app.agents
                agents.update_topic_index()
                for agent in started:
                    await agent.maybe_start()
                log.info("network added", network=slug)

    def _sender(self, reading: Reading[Any]) -> Sender[Any]:
        facts, topics = self.facts, self.facts.topics
        letters = Letters(
            quarantine=topics.quarantine, quarantine_codec=facts.codecs[topics.quarantine],
            dead_letter=topics.dead_letter, dead_letter_codec=facts.codecs[topics.dead_letter],
        )  # fmt: skip
        return Sender(Producer(self.config), reading, facts.partitions, letters)


async def _tell_of_timer(consumer: str, exc: BaseException) -> None:
    tell_of_timer(consumer, exc)


def domains_of(config: Config) -> list[Domain]:
    """Those that this worker runs."""
    return [domain for domain in declared() if domain.name in config.agents]


class NewNetworks(Service):
    """Looks for networks that were added while the worker runs."""

    def __init__(self, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pipeline = pipeline

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(NEW_NETWORKS_S)
            try:
                await self._pipeline.add_networks()
            except FtError as exc:
                DATABASE.aside(log)("new networks wait", error=str(exc))
            self._pipeline.app.ask_for_missing()


def build(config: Config) -> App:
    """The app with the agents that the configuration selects. Raises ConfigError if no Kafka is known."""
    use(config.generation)
    app = create_app(config)
    pipeline = Pipeline(app)
    app.prepare = pipeline.prepare
    if "normalize" in config.agents or any(domain.readers for domain in domains_of(config)):
        app.serve(NewNetworks(pipeline))
    guarding = Guarding(config, app.owner, lambda: app.claims.began, app.fail)
    app.serve(ParentWatchdog(config) if config.generation else guarding)
    if "ledger" in config.agents:
        app.serve(Indexing(config))
        app.serve(Forgetting(config))
        app.serve(Recounting(config))
    return app


def _build() -> App:
    try:
        return build(Config.from_env())
    except FtError as exc:
        take_over(Config.of_logs())
        tell(exc, failed=type(exc).__name__)
        raise SystemExit(1) from exc
    except Exception:
        take_over(Config.of_logs())  # so that the traceback is a line among lines
        raise


app = _build()
