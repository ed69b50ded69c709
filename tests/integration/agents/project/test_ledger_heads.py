"""ledger.finality and ownership_changed, read by two hops in any order: the head is that of the place they came to."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from random import Random

import psycopg
import pytest
from structlog.testing import capture_logs

from ft.agents.project.hop import Project
from ft.config import Config
from ft.schemas.codec import Codec, parsed
from ft.schemas.events import Finality, OwnershipChanged, to_record
from ft.sql.session import connect_writer
from ft.streams.deployment.generations import Generations, Origin
from ft.streams.kafka.message import Message
from ft.streams.kafka.topics import Topics
from ft.streams.worker import fence
from ft.streams.worker.fence import Claim
from ft.streams.worker.hop import Batch
from ft.streams.worker.ledger_heads import LedgerHeads
from ft.streams.worker.subscriber import Subscription
from tests.synthetic.changes import History


def codec_of(name: str) -> Codec:
    return Codec(name, len(name), lambda _: parsed(name))


CODECS = {name: codec_of(name) for name in ("finality", "ownership_changed")}
PARTITION = 3
HEAD = "SELECT network, head_number, head_hash, safe, finalized, position, open_block FROM system.partition_head"


class Both:
    """The two hops of one partition, each under its claim."""

    def __init__(self, config: Config, generations: Generations | None = None) -> None:
        told = generations or Generations()
        topics = Topics(config.topic_prefix)
        self.config = config
        self.topics = {"project": topics.ownership_changed, "heads": topics.finality}
        self.project = Subscription(config, "one", Project(), CODECS["ownership_changed"], told)
        self.heads = LedgerHeads(config, "one", CODECS["finality"], topics.ownership_changed, told)
        self.claims: dict[str, Claim] = {}

    async def claim(self) -> None:
        for consumer, topic in self.topics.items():
            conn = await connect_writer(self.config)
            self.claims[consumer] = await fence.claim(
                conn, consumer=consumer, topic=topic, partition=PARTITION, owner="one", cluster_id="k", topic_id="t"
            )
            await conn.close()

    async def changes(self, records: Sequence[OwnershipChanged]) -> None:
        await self._give("project", [CODECS["ownership_changed"].encode(to_record(record)) for record in records])

    async def say(self, *heads: Finality) -> None:
        await self._give("heads", [CODECS["finality"].encode(to_record(head)) for head in heads])

    async def give_bytes(self, value: bytes) -> None:
        await self._give("heads", [value])

    async def _give(self, consumer: str, values: Sequence[bytes]) -> None:
        claim = self.claims[consumer]
        messages = [
            Message(self.topics[consumer], PARTITION, claim.next_offset + at, value, {})
            for at, value in enumerate(values)
        ]
        hop = self.project if consumer == "project" else self.heads
        await hop.process(Batch(messages=messages, claims={PARTITION: claim}))

    def head(self) -> tuple[object, ...] | None:
        with psycopg.connect(self.config.postgres) as conn:
            return conn.execute(f"{HEAD} WHERE consumer = 'project'".encode()).fetchone()


@pytest.fixture
async def both(config: Config) -> AsyncIterator[Both]:
    made = Both(config)
    await made.claim()
    yield made
    await made.project.stop()
    await made.heads.stop()


def mint(seq: int, block: int) -> OwnershipChanged:
    event = History(Random(seq)).fresh()
    holder = event.to_account if event.standard == "erc721" else None
    return replace(
        event, seq=seq, prev_seq=seq - 1, holder=holder, block_number=block, block_hash=f"0x{block}",
        block_time=1_704_067_200 + block, log_index=0, block_end=True,
    )  # fmt: skip


def said(seq: int, number: int, after: int, **more: int) -> Finality:
    return Finality(
        seq=seq, prev_seq=0, network="synthetic", head_number=number, head_hash=f"0xh{number}", head_time=1_704_070_000,
        safe=number - 1, finalized=number - 2, position=number, ownership_seq=after, **more,
    )  # fmt: skip


def head_of(number: int) -> tuple[object, ...]:
    """What the head that is :func:`said` makes of project's."""
    return ("synthetic", number, f"0xh{number}", number - 1, number - 2, number, None)


async def test_a_head_where_the_projections_are_is_theirs(both: Both) -> None:
    await both.changes([mint(1, 10)])

    await both.say(said(100, 12, after=1))

    assert both.head() == head_of(12)


async def test_a_head_where_nothing_was_ever_announced_is_theirs(both: Both) -> None:
    await both.say(said(100, 12, after=0))

    assert both.head() == head_of(12)


async def test_a_head_that_the_projections_have_yet_to_come_to_waits_for_them(both: Both) -> None:
    await both.say(said(100, 12, after=2))
    assert both.head() is None

    await both.changes([mint(1, 10)])
    assert both.head() == ("synthetic", 10, "0x10", -1, -1, -1, None)
    await both.changes([mint(2, 11)])

    assert both.head() == head_of(12)


async def test_a_head_amid_what_is_read_at_once_counts_at_its_place(both: Both) -> None:
    await both.say(said(100, 12, after=1))

    await both.changes([mint(1, 10), mint(2, 13)])

    assert both.head() == ("synthetic", 13, "0x13", 11, 10, 12, None)


async def test_a_head_that_comes_after_what_was_read_since_says_less(both: Both) -> None:
    await both.changes([mint(1, 10), mint(2, 13)])

    await both.say(said(100, 12, after=1))

    assert both.head() == ("synthetic", 13, "0x13", -1, -1, -1, None)


async def test_an_old_head_that_is_said_late_changes_nothing(both: Both) -> None:
    await both.changes([mint(1, 10)])
    await both.say(said(100, 12, after=1))

    await both.say(said(99, 11, after=1))

    assert both.head() == head_of(12)


async def test_of_heads_that_come_at_once_the_newest_counts(both: Both) -> None:
    await both.say(*(said(100 + number, number, after=0) for number in (11, 12)))

    assert both.head() == head_of(12)


async def test_a_head_closes_the_block_that_was_read_in_part(both: Both) -> None:
    await both.changes([replace(mint(1, 10), block_end=False)])
    assert both.head() == ("synthetic", 10, "0x10", -1, -1, -1, 10)

    await both.say(said(100, 12, after=1))

    assert both.head() == head_of(12)


@pytest.mark.parametrize("seed", range(20))
async def test_in_whatever_order_both_are_read_the_head_is_that_of_the_last_place(both: Both, seed: int) -> None:
    random = Random(seed)
    changes = [mint(seq, 10 * seq) for seq in range(1, 8)]
    heads = [said(100 * seq + n, 10 * seq + n, after=seq) for seq in range(8) for n in range(1, random.randint(1, 3))]
    last = heads[-1] if heads and heads[-1].ownership_seq == 7 else None
    while changes or heads:
        if changes and (not heads or random.random() < 0.5):
            taken = random.randint(1, len(changes))
            await both.changes(changes[:taken])
            del changes[:taken]
        else:
            taken = random.randint(1, len(heads))
            await both.say(*heads[:taken])
            del heads[:taken]

    found = both.head()

    assert found is not None
    assert found[:3] == (head_of(last.head_number)[:3] if last else ("synthetic", 70, "0x70"))


async def test_what_cannot_be_read_is_dropped_and_told(both: Both) -> None:
    with capture_logs() as lines:
        await both.give_bytes(b"no record")
        await both.say(replace(said(100, 12, after=0), schema_version=2))
        await both.say(replace(said(101, 12, after=0), head_time=9_000_000_000))
        await both.say(replace(said(102, 12, after=0), network=""))
        await both.say(replace(said(103, 12, after=0), safe=-2))

    assert both.head() is None
    assert len([line for line in lines if line["event"] == "a head is dropped"]) == 5
    assert both.claims["heads"].next_offset == 5


async def test_what_a_restore_took_back_is_no_head(config: Config) -> None:
    restored = Generations(present=1, origins={1: Origin(0, (0, 0, 0, 5))})
    both = Both(config, restored)
    await both.claim()

    await both.say(said(100, 12, after=6), said(101, 11, after=0, generation=1))

    assert both.head() == head_of(11)
    await both.project.stop()
    await both.heads.stop()
