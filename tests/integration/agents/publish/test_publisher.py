"""The journal announced on a real Kafka."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import psycopg
import pytest

from ft.agents.ledger.posting import NetworkHead
from ft.agents.ledger.validated_input import Head
from ft.agents.publish.announcements import TOPICS, Topic
from ft.agents.publish.publish_buffer import PublishBuffer
from ft.agents.publish.publisher import Publisher
from ft.config import Config
from ft.errors import BrokerError
from ft.schemas.codec import Codec
from ft.schemas.ids import asset_uuid
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from ft.telemetry.tracing import traceparent
from tests.integration.agents.ledger.harness import NETWORK, TOPIC, Block, Event, LedgerHarness, Log, account, rows, tx
from tests.integration.agents.publish.limits import limit
from tests.topic_ends import read_all


@dataclass
class Outlet:
    """A ledger, its publisher, and a subscriber."""

    config: Config
    harness: LedgerHarness
    publisher: Publisher
    codecs: dict[Topic, Codec]
    published: dict[str, int] = field(default_factory=dict)

    async def publish_all(self) -> None:
        while await self.publisher.round():
            pass

    def read(self, topic: Topic, partition: int = 0) -> list[dict[str, Any]]:
        return [record for record, _ in self.read_with_headers(topic, partition)]

    def read_with_headers(self, topic: Topic, partition: int = 0) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Everything on the partition now."""
        name = getattr(Topics(self.config.topic_prefix), topic)
        codec = self.codecs[topic]
        return [(codec.decode(record.value), dict(record.headers)) for record in read_all(self.config, name, partition)]


MakeOutlet = Callable[..., Any]


@pytest.fixture
async def make_outlet(config: Config) -> AsyncIterator[MakeOutlet]:
    create_topics(config, [], 2)
    codecs: dict[Topic, Codec] = {name: Codec(name, number, _no_other) for number, name in enumerate(TOPICS, 300)}
    opened: list[Outlet] = []

    async def make(owner: str = "one", *, remembers: bool = True, **settings: Any) -> Outlet:
        harness = await LedgerHarness.open(config, owner=owner, **settings)
        publisher = Publisher(config, harness.claims, codecs, topic=TOPIC)
        if remembers:
            harness.ledger._publisher = publisher
        opened.append(Outlet(config, harness, publisher, codecs))
        return opened[-1]

    yield make
    for outlet in opened:
        await outlet.publisher.stop()
        await outlet.harness.close()


def _no_other(schema_id: int) -> NoReturn:
    raise AssertionError(schema_id)


def story() -> Log:
    """A mint, a transfer with an operator, a batch of an ERC-1155, a reorg, a burn."""
    log = Log(finalized=1)
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(lost := Block(2, [Event(tx="move", source="alice", target="bob")]), operator=[account("op")])
    log.append(Block(3, [Event(tx="batch", token=t, target="carol", quantity=2**200, standard="erc1155", contract="m",
                               sub_index=t) for t in range(3)]))  # fmt: skip
    log.revert(log.chain[-1])
    log.revert(lost)
    log.append(Block(2, [Event(tx="burn", source="alice")], fork="b"))
    return log


@pytest.mark.parametrize("remembers", [True, False], ids=["from memory", "from the journal"])
async def test_every_row_is_announced_in_order_with_its_seq(make_outlet: MakeOutlet, *, remembers: bool) -> None:
    outlet = await make_outlet(remembers=remembers)
    await outlet.harness.read(story())

    await outlet.publish_all()

    changes = outlet.read("ownership_changed")
    moves = [c for c in changes if c["kind"] != "finality"]
    told = [(c["op"], c["kind"], c["from"][-6:], c["to"][-6:], c["revision"]) for c in moves]
    zero, alice, bob, carol = ("000000", account("alice")[-6:], account("bob")[-6:], account("carol")[-6:])
    assert told == [
        ("apply", "mint", zero, alice, 1),
        ("apply", "transfer", alice, bob, 1),
        *[("apply", "mint", zero, carol, 1)] * 3,
        *[("revert", "mint", zero, carol, 2)] * 3,
        ("revert", "transfer", alice, bob, 2),
        ("apply", "burn", alice, zero, 1),
    ]
    for topic in TOPICS:
        records = outlet.read(topic)
        assert [r["prev_seq"] for r in records] == [0, *[r["seq"] for r in records]][:-1], topic


async def test_a_record_says_everything_about_its_event(make_outlet: MakeOutlet) -> None:
    outlet = await make_outlet()
    log = story()
    await outlet.harness.read(log)

    await outlet.publish_all()

    change, headers = outlet.read_with_headers("ownership_changed")[1]
    block = Block(2)
    assert change == {
        "schema_version": 1, "seq": 2, "prev_seq": 1, "kind": "transfer", "op": "apply", "revision": 1,
        "event_id": f"{NETWORK}:{tx('move')}:{account('c')}:0xddf2:0/0", "asset_id": f"{NETWORK}:{account('c')}:1",
        "network": NETWORK, "contract": account("c"), "token_id": "1", "standard": "erc721", "from": account("alice"),
        "to": account("bob"), "operator": account("op"), "quantity": "1", "tx_hash": tx("move"), "log_n": 0,
        "sub_index": 0, "log_index": 0, "block_number": 2, "block_hash": block.hash, "block_time": block.time,
        "finality_status": "pending", "safe": -1, "finalized": -1, "position": -1, "holder": account("bob"),
        "holder_before": account("alice"), "holder_block": 2, "holder_time": block.time, "block_end": True,
        "generation": 0,
    }  # fmt: skip
    assert headers == {"traceparent": traceparent(block.hash)}
    created = outlet.read("asset_created")
    assert [(c["op"], c["token_id"], c["quantity"]) for c in created] == [
        ("apply", "1", "1"),
        *[("apply", str(token), str(2**200)) for token in range(3)],
        *[("revert", str(token), str(2**200)) for token in (2, 1, 0)],
    ]
    assert created[0]["uuid"] == str(asset_uuid(f"{NETWORK}:{account('c')}:1"))
    assert created[0]["finality_status"] == "finalized"


async def test_a_reorg_and_the_head_have_topics_of_their_own(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.agents.ledger.hop.FINALITY_INTERVAL_S", 0.0)
    outlet = await make_outlet()
    await outlet.harness.read(story())

    await outlet.publish_all()

    (reorg,) = outlet.read("reorg_detected")
    assert (reorg["from"], reorg["to"], reorg["depth"], reorg["ancestor"]) == (3, 2, 2, 1)
    assert reorg["ancestor_hash"] == Block(1).hash
    head = outlet.read("finality")[-1]
    last = outlet.read("ownership_changed")[-1]
    assert (head["head_number"], head["head_hash"], head["finalized"]) == (2, Block(2, fork="b").hash, 1)
    assert head["ownership_seq"] == last["seq"]


async def test_heads_stand_where_they_were_among_the_rows_however_far_the_publisher_is_behind(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.agents.ledger.hop.FINALITY_INTERVAL_S", 0.0)
    outlet = await make_outlet()
    log = story()
    await outlet.harness.read_one_by_one(log)

    await outlet.publish_all()
    log.append(Block(9))
    await outlet.harness.read_one_by_one(log)
    await outlet.publish_all()

    heads, changes = outlet.read("finality"), outlet.read("ownership_changed")
    assert [head["head_number"] for head in heads] == [1, 2, 9]  # the first that waits, the newest, one more
    assert [head["ownership_seq"] for head in heads] == [1, changes[-1]["seq"], changes[-1]["seq"]]
    assert [head["prev_seq"] for head in heads] == [0, *[head["seq"] for head in heads[:-1]]]
    assert rows(outlet.config, "SELECT finality_seq FROM system.publish_cursor") == [(heads[-1]["seq"],)]


async def test_an_event_that_was_final_when_it_was_written_is_announced_as_final(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = await make_outlet(remembers=False)
    log, take = Log(), outlet.publisher._next

    async def takes_what_comes_just_now(*_: object) -> Any:
        monkeypatch.setattr(outlet.publisher, "_next", take)
        log.finalized = 2
        log.append(Block(2, [Event(tx="late", token=2, target="bob")]))
        await outlet.harness.read(log)
        return await take(*_)

    log.append(Block(1, [Event(tx="mint", target="alice")]))
    await outlet.harness.read(log)
    monkeypatch.setattr(outlet.publisher, "_next", takes_what_comes_just_now)

    await outlet.publish_all()

    statuses = {
        c["block_number"]: c["finality_status"] for c in outlet.read("ownership_changed") if c["kind"] == "mint"
    }
    assert statuses[2] == "finalized"


async def test_what_the_ledger_commits_while_rows_are_read_waits_until_it_says_where_it_stands(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = await make_outlet(remembers=False)
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    await outlet.harness.read(log)
    outlet.harness.claims[0].next_seq = 1

    assert await outlet.publisher.round() == 0
    outlet.harness.claims[0].next_seq = 2

    assert await outlet.publisher.round() == 1


async def test_heads_that_are_sent_again_never_go_back(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.agents.ledger.hop.FINALITY_INTERVAL_S", 0.0)
    outlet = await make_outlet()
    await outlet.harness.read_one_by_one(story())

    async def is_away(*_: object) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(outlet.publisher, "_move", is_away)
        with pytest.raises(psycopg.OperationalError):
            await outlet.publisher.round()
    await outlet.publisher._let_go()
    await outlet.publish_all()

    assert [head["head_number"] for head in outlet.read("finality")] == [1, 2, 2]


async def test_heads_that_nobody_noted_are_followed_by_greater_ones_of_the_next_process(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = await make_outlet()
    await outlet.harness.read(log := story())

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(outlet.publisher, "_move", die)
    with pytest.raises(asyncio.CancelledError):
        await outlet.publisher.round()
    heir = await make_outlet("heir")
    await heir.harness.ledger.tick()
    await heir.publish_all()

    first, second = heir.read("finality")
    assert second["seq"] > first["seq"]
    assert second["prev_seq"] <= first["seq"]
    assert (second["head_number"], second["position"]) == (2, log.position - 1)


async def test_a_head_that_a_process_says_after_another_one_has_the_partition_moves_no_cursor(
    make_outlet: MakeOutlet,
) -> None:
    zombie = await make_outlet("zombie")
    await zombie.harness.read(story())
    await zombie.publish_all()
    before = rows(zombie.config, "SELECT finality_seq FROM system.publish_cursor")
    await make_outlet("two")
    zombie.publisher.offer([], [replace_after(zombie)])

    await zombie.publisher.round()

    assert rows(zombie.config, "SELECT finality_seq FROM system.publish_cursor") == before


def replace_after(outlet: Outlet) -> NetworkHead:
    """A head at the end of what is announced."""
    claim = outlet.harness.claims[0]
    return NetworkHead(0, NETWORK, Head(number=77), 0, 99, claim.next_seq - 1, (claim.epoch, claim.times))


async def test_a_publisher_killed_between_acknowledgement_and_cursor_repeats_with_the_same_seq(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = await make_outlet()
    await outlet.harness.read(story())

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(outlet.publisher, "_move", die)
        with pytest.raises(asyncio.CancelledError):
            await outlet.publisher.round()
    await outlet.publisher.stop()
    second = await make_outlet("two")
    await second.publish_all()

    seqs = [c["seq"] for c in outlet.read("ownership_changed")]
    once = sorted(set(seqs))
    assert seqs == once + once
    assert rows(outlet.config, "SELECT seq, ownership_seq FROM system.publish_cursor") == [(once[-1], once[-1])]


async def test_a_publisher_with_an_old_epoch_moves_no_cursor(make_outlet: MakeOutlet) -> None:
    zombie = await make_outlet()
    await zombie.harness.read(story())
    await make_outlet("two")

    await zombie.publisher.round()

    assert rows(zombie.config, "SELECT seq FROM system.publish_cursor") == [(0,)]


async def test_a_refused_record_blocks_its_partition_until_it_is_cleared_and_leaves_no_gap(
    make_outlet: MakeOutlet,
) -> None:
    outlet = await make_outlet(partitions=2)
    log = Log(partitions=2)
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    noise: dict[str, Any] = {name: [secrets.token_urlsafe(180)] for name in ("tx_hash", "topic0")}
    log.append(Block(2, [Event(tx="big")]), **noise)
    log.append(Block(3, [Event(tx="move", source="alice", target="bob")]))
    log.append(Block(4, [Event(tx="other", target="dora")]), partition=1)
    name = Topics(outlet.config.topic_prefix).ownership_changed
    await outlet.harness.read(log)
    limit(outlet.config, name, 500)

    await outlet.publish_all()

    assert [c["seq"] for c in outlet.read("ownership_changed")] == [1]
    assert list(dict.fromkeys(c["seq"] for c in outlet.read("ownership_changed", 1))) == [1]
    assert outlet.read("finality") == []
    assert [head["ownership_seq"] for head in outlet.read("finality", 1)] == [1]
    dead = 'SELECT topic, partition, "offset", reason, state FROM system.dlq'
    assert rows(outlet.config, dead) == [(name, 0, 2, "refused", "open")]
    assert rows(outlet.config, "SELECT blocked IS NOT NULL FROM system.publish_cursor ORDER BY partition") == [
        (True,), (False,),
    ]  # fmt: skip

    limit(outlet.config, name, 1_000_000)
    with psycopg.connect(outlet.config.postgres) as conn:
        conn.execute("UPDATE system.publish_cursor SET blocked = NULL")
    await outlet.publish_all()
    assert [c["seq"] for c in outlet.read("ownership_changed")] == [1, 2, 3]
    assert [head["ownership_seq"] for head in outlet.read("finality")] == [3]


async def test_where_heads_are_refused_rows_go_on_and_heads_come_later(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = await make_outlet()
    await outlet.harness.read(log := story())
    insist, names = outlet.publisher._insist, outlet.publisher._names

    async def refuses_heads(place: Any, announcement: Any, headers: Any) -> str | None:
        return "too much" if announcement.topic == "finality" else await insist(place, announcement, headers)

    with monkeypatch.context() as patch:
        patch.setattr(outlet.publisher, "_insist", refuses_heads)
        patch.setitem(names, "finality", "no such topic")
        await outlet.publish_all()
    log.append(Block(3, [Event(tx="later", token=9, target="dora")]))
    await outlet.harness.read(log)
    await outlet.publish_all()

    assert outlet.read("ownership_changed")[-1]["block_number"] == 3
    assert outlet.read("finality") == []
    monkeypatch.setattr(outlet.publisher._heads, "_rest_until", {})
    monkeypatch.setattr("ft.agents.ledger.hop.FINALITY_INTERVAL_S", 0.0)
    await outlet.harness.ledger.tick()
    await outlet.publish_all()

    assert [head["head_number"] for head in outlet.read("finality")] == [3]


async def test_a_running_publisher_follows_commits(make_outlet: MakeOutlet) -> None:
    outlet = await make_outlet()
    await outlet.publisher.start()

    await outlet.harness.read(story())

    async with asyncio.timeout(10):
        last = outlet.harness.claims[0].next_seq - 1
        while rows(outlet.config, "SELECT seq FROM system.publish_cursor") != [(last,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert outlet.read("ownership_changed")[0]["seq"] == 1


async def test_rows_that_memory_no_longer_holds_are_read_from_the_journal(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.agents.publish.publish_buffer.KEEP_ROWS_MAX", 2)
    outlet = await make_outlet()
    log = story()

    await outlet.harness.read_one_by_one(log)
    await outlet.publish_all()

    assert outlet.publisher._buffer.take(0, 0, 10)[0] == []
    seqs = sorted({r["seq"] for topic in TOPICS if topic != "finality" for r in outlet.read(topic)})
    assert seqs == list(range(1, outlet.harness.claims[0].next_seq))


async def test_waiting_ends_with_a_commit() -> None:
    handover = PublishBuffer()
    waiting = asyncio.create_task(handover.wait(30))
    await asyncio.sleep(0)

    handover.offer([])

    await asyncio.wait_for(waiting, 1)


async def test_a_cursor_does_not_move_before_the_acknowledgement(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = await make_outlet()
    await outlet.harness.read(story())

    async def never(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr("ft.streams.kafka.outbox.Outbox.flush", never)
    with pytest.raises(asyncio.CancelledError):
        await outlet.publisher.round()

    assert rows(outlet.config, "SELECT seq, ownership_seq FROM system.publish_cursor") == [(0, 0)]


async def test_a_cursor_moves_only_from_where_it_was_read(make_outlet: MakeOutlet) -> None:
    outlet = await make_outlet()
    log = story()
    await outlet.harness.read(log)
    await outlet.publish_all()
    log.append(Block(4, [Event(tx="later", token=7, target="dora")]))
    await outlet.harness.read(log)
    with psycopg.connect(outlet.config.postgres) as conn:
        conn.execute("UPDATE system.publish_cursor SET seq = seq + 1000")

    await outlet.publisher.round()

    assert rows(outlet.config, "SELECT seq > 1000 FROM system.publish_cursor") == [(True,)]


async def test_a_publisher_with_an_old_epoch_blocks_nothing(
    make_outlet: MakeOutlet, monkeypatch: pytest.MonkeyPatch
) -> None:
    zombie = await make_outlet()
    await zombie.harness.read(story())

    async def refused(*_: object) -> None:
        raise BrokerError("refused")

    monkeypatch.setattr("ft.streams.kafka.outbox.Outbox.flush", refused)
    await make_outlet("two")
    await zombie.publisher.round()

    assert rows(zombie.config, "SELECT blocked FROM system.publish_cursor") == [(None,)]


async def test_rows_that_the_ledger_has_not_told_of_yet_wait_though_they_are_in_the_journal(
    make_outlet: MakeOutlet,
) -> None:
    """It commits before it says which heads stand among them."""
    outlet = await make_outlet(remembers=False)
    log = Log()
    for number in range(1, 6):
        log.append(Block(number, [Event(tx=f"m{number}", token=number, target="alice")]))
    await outlet.harness.read(log)
    claim = outlet.harness.claims[0]
    committed, claim.next_seq = claim.next_seq, 3

    await outlet.publish_all()
    told = [change["seq"] for change in outlet.read("ownership_changed")]
    claim.next_seq = committed
    await outlet.publish_all()

    assert told == [1, 2]
    assert [change["seq"] for change in outlet.read("ownership_changed")] == [1, 2, 3, 4, 5]


async def test_finality_at_publishing_is_that_of_the_partition(make_outlet: MakeOutlet) -> None:
    outlet = await make_outlet(partitions=2)
    log = Log(partitions=2)
    log.append(Block(1, [Event(tx="slow", target="alice")]))
    log.finalized = 1
    log.append(Block(2, [Event(tx="fast", token=2, target="bob")]), partition=1)
    await outlet.harness.read(log)

    await outlet.publish_all()

    status = [outlet.read("asset_created", partition)[0]["finality_status"] for partition in (0, 1)]
    assert status == ["pending", "pending"]
