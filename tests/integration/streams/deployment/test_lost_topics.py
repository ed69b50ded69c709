"""One topic of a living deployment is deleted: whatever runs says the same of it, and nothing makes it anew."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import pytest

from ft.cli.status_attention import asked
from ft.config import Config
from ft.ops.rebuild.ledger import rebuild_ledger
from ft.ops.recovery import reset
from ft.ops.recovery.backup import back_up
from ft.ops.recovery.continued import reannounce
from ft.ops.recovery.session import alone
from ft.streams.deployment.comparing import require_one, settle, stored_id
from ft.streams.deployment.guard import Guard
from ft.streams.deployment.identity import BELIEVED, OtherDeployment
from ft.streams.deployment.preflight import verify as worker_starts
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.topic_admin import create_topics, delete_topics, topic_identities, topic_names
from ft.streams.kafka.topics import Topics
from ft.streams.worker.claims import Claims
from tests.integration.streams.deployment import starting
from tests.integration.streams.deployment.starting import NETWORK
from tests.integration.waiting import until
from tests.readiness import is_ready

RUNS: Final[dict[str, Callable[[Config], Any]]] = {
    "ft migrate": prepare,
    "worker": worker_starts,
    "ft ingest": starting.ingest,
    "ft replace": settle,
    "ft verify": starting.verify,
    "ft rebuild project": starting.rebuild,
    "ft rebuild ledger": lambda config: rebuild_ledger(config, [], lambda said: None, keep=False, level_s=1),
    "ft backup": lambda config: back_up(config, config.home / "backup", lambda said: None),
}


@dataclass(frozen=True)
class Read:
    """A deployment whose topics were read from, once each."""

    config: Config
    topics: Topics

    def name(self, which: str) -> str:
        return self.topics.raw(NETWORK) if which == "raw" else str(getattr(self.topics, which))


async def lose(config: Config, topics: Collection[str]) -> None:
    """They are deleted, and the broker has heard of it: it answers by what it knows, a moment behind its controller."""
    delete_topics(config, topics)
    await until(lambda: not set(topics) & set(topic_names(config)), "the broker to know the topics no more")


@pytest.fixture
async def read(config: Config) -> Read:
    await asyncio.to_thread(prepare, config)
    topics, claims = Topics(config.topic_prefix), Claims(config, "gone:1:1")
    consumers = {"normalize": topics.raw(NETWORK), "ledger": topics.normalized, "project": topics.ownership_changed}
    for consumer, topic in consumers.items():
        claims.serve(topic, consumer)
    await claims.take({(topic, 0): (0, 0) for topic in consumers.values()})
    return Read(config, topics)


@pytest.mark.parametrize(
    ("which", "advice"),
    [
        ("raw", "point FT_KAFKA at an empty cluster"),
        ("normalized", "`ft reset --keep raw` reads the raw topics again"),
        ("ownership_changed", "`ft reannounce` makes the ledger's topics anew"),
    ],
)
async def test_whatever_runs_names_the_topic_that_is_gone_and_makes_none(read: Read, which: str, advice: str) -> None:
    topic = read.name(which)
    assert await is_ready(read.config)
    await lose(read.config, [topic])

    said = {}
    for name, run in RUNS.items():
        with pytest.raises(OtherDeployment) as refused:
            await asyncio.to_thread(run, read.config)
        said[name] = str(refused.value)
    (reason,) = asked(read.config)
    ready = await is_ready(read.config)

    (text,) = {*said.values(), reason.detail}
    assert f"got all but {topic}." in text
    assert advice in text
    assert (reason.reason, ready) == ("identity", False)
    assert topic not in topic_names(read.config)


async def test_one_that_was_made_anew_under_the_same_name_is_told_as_that(read: Read) -> None:
    await lose(read.config, [read.topics.normalized])
    create_topics(read.config, [NETWORK], read.config.partitions)

    with pytest.raises(OtherDeployment, match=r"normalized .there is another one of that name."):
        await asyncio.to_thread(require_one, read.config)


async def test_what_runs_notices_a_topic_that_is_deleted(read: Read) -> None:
    guard = Guard(read.config)
    guard.look()
    await lose(read.config, [read.topics.ownership_changed])

    for _ in range(BELIEVED - 1):
        guard.look()
    with pytest.raises(OtherDeployment, match=r"got all but .*ledger.ownership_changed"):
        guard.look()


async def test_a_raw_topic_that_only_a_follower_has_written_is_missed_too(config: Config) -> None:
    await asyncio.to_thread(prepare, config)
    raw = Topics(config.topic_prefix).raw(NETWORK)
    lease = "INSERT INTO ingest.leases (network, claim_offset, topic_id, owner) VALUES (%s, 0, %s, 'gone:1:1')"
    with psycopg.connect(config.postgres) as conn:
        conn.execute(lease, (NETWORK, topic_identities(config, [raw])[raw].topic_id))
    require_one(config)
    await lose(config, [raw])

    with pytest.raises(OtherDeployment, match=f"got all but {raw}"):
        require_one(config)


async def test_topics_that_subscribers_and_operators_alone_read_are_missed_and_made_again_with_the_others(
    read: Read,
) -> None:
    guard = Guard(read.config)
    guard.look()
    gone = [read.topics.reorg_detected, read.topics.asset_created, read.topics.dead_letter]
    await lose(read.config, gone)

    for _ in range(BELIEVED - 1):
        guard.look()
    with pytest.raises(OtherDeployment, match=f"got all but {', '.join(sorted(gone))}"):
        guard.look()
    with alone(read.config) as conn:
        reannounce(read.config, conn, lambda said: None)

    assert require_one(read.config) == "one"
    Guard(read.config).look()


async def test_topics_that_nobody_has_read_or_written_are_made_again_by_a_migration(config: Config) -> None:
    await asyncio.to_thread(prepare, config)
    topics = Topics(config.topic_prefix)
    gone = {topics.raw(NETWORK), topics.normalized, topics.ownership_changed}
    await lose(config, gone)

    assert set(prepare(config).topics) == gone


async def test_announcing_the_ledgers_topics_anew_mends_the_loss_of_one_for_every_consumer(read: Read) -> None:
    beside = Claims(read.config, "gone:1:1")
    beside.serve(read.topics.ownership_changed, "sample")
    beside.serve(read.topics.finality, "sample.heads")
    await beside.take({(read.topics.ownership_changed, 0): (0, 0), (read.topics.finality, 0): (0, 0)})
    await lose(read.config, [read.topics.ownership_changed, read.topics.finality])

    with alone(read.config) as conn:
        reannounce(read.config, conn, lambda said: None)

    assert require_one(read.config) == "one"
    assert await is_ready(read.config)


async def test_with_normalized_records_lost_the_raw_topics_are_read_again_as_the_same_deployment(read: Read) -> None:
    before = stored_id(read.config)
    await lose(read.config, [read.topics.normalized])

    with alone(read.config) as conn:
        reset.reset(read.config, conn, "raw", reset.plan(read.config, conn, "raw"), lambda said: None)

    assert require_one(read.config) == "one"
    assert stored_id(read.config) == before
