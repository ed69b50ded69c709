"""What is held back, as the database tells it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ft.streams.worker.ceilings import UNBOUNDED
from ft.streams.worker.claims import Claims
from ft.streams.worker.fence import Claim
from ft.streams.worker.holding import Holding
from ft.streams.worker.room import EVENTS_MIN
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic

BACKLOG = 10_000
_OWNER = (
    "INSERT INTO system.partition_owner (consumer, topic, partition, epoch, next_seq) VALUES ('ledger', 't', %s, 1, %s)"
)
_HEAD = "INSERT INTO system.partition_head (consumer, partition, network, position) VALUES ('ledger', %s, %s, %s)"
_CURSOR = """
    INSERT INTO system.publish_cursor (partition, seq, blocked) VALUES (%s, %s, %s)
    ON CONFLICT (partition) DO UPDATE SET seq = excluded.seq, blocked = excluded.blocked
"""


class Held:
    """Looks at one raw log with a backlog, that normalize has taken ``next_offset`` records of."""

    def __init__(self, raw: RawTopic, monkeypatch: pytest.MonkeyPatch, *, next_offset: int = 0) -> None:
        claims = Claims(raw.config, "here:1:1")
        claim = Claim(consumer="normalize", topic=raw.topic, partition=0, epoch=1, next_offset=next_offset, next_seq=1)
        monkeypatch.setattr(claims, "held", lambda consumer: [claim] if consumer == "normalize" else [])
        self.topic = raw.topic
        self.end = BACKLOG
        self.holding = Holding(raw.config, claims, lambda _: self.end)
        self.room = self.holding.room_of(raw.topic, NETWORK)

    async def most(self) -> int:
        """Events that may lie before the ledger after one more look."""
        await self.holding.look()
        return self.room.most

    async def close(self) -> None:
        await self.holding.on_stop()


@contextmanager
def written(raw: RawTopic) -> Iterator[psycopg.Connection[object]]:
    with psycopg.connect(raw.config.postgres, autocommit=True) as conn:
        yield conn


async def test_before_the_first_look_there_is_little_room(raw: RawTopic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Held(raw, monkeypatch).room.most == EVENTS_MIN


async def test_a_backlog_is_unbounded_where_no_ledger_ever_worked(
    raw: RawTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(raw, monkeypatch)
    held.room.send(5, 100_000)

    assert await held.most() == UNBOUNDED
    assert held.holding.held_back() == frozenset()
    assert held.room.before_ledger == 0
    await held.close()


async def test_what_the_slowest_partition_of_the_ledger_has_not_applied_lies_before_it(
    raw: RawTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(raw, monkeypatch, next_offset=500)
    for position in (420, 421, 450, 499):
        held.room.send(position, EVENTS_MIN)
    with written(raw) as conn:
        for partition, position in ((0, 450), (1, 420), (2, 499)):
            conn.execute(_OWNER, [partition, 1])
            conn.execute(_HEAD, [partition, NETWORK, position])

    await held.most()

    assert held.room.before_ledger == 3 * EVENTS_MIN
    assert held.holding.held_back() == {raw.topic}
    await held.close()


async def test_a_network_at_its_head_is_held_back_for_what_it_has_before_the_ledger(
    raw: RawTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(raw, monkeypatch, next_offset=500)
    held.end = 500
    held.room.send(498, 10)
    held.room.send(499, EVENTS_MIN)
    with written(raw) as conn:
        conn.execute(_OWNER, [0, 1])
        conn.execute(_HEAD, [0, NETWORK, 498])
        await held.most()
        before = held.holding.held_back()
        conn.execute("UPDATE system.partition_head SET position = 499")

    assert await held.most() == EVENTS_MIN
    assert before == {raw.topic}
    assert held.holding.held_back() == frozenset()
    await held.close()


async def test_what_is_held_back_goes_on_although_less_lies_before_the_ledger_than_is_looked_for(
    raw: RawTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(raw, monkeypatch, next_offset=500)
    held.end = 501
    for position, events in ((498, EVENTS_MIN // 5), (499, EVENTS_MIN * 4 // 5 + 1)):
        held.room.send(position, events)
    with written(raw) as conn:
        conn.execute(_OWNER, [0, 1])
        conn.execute(_HEAD, [0, NETWORK, 497])
        await held.most()
        conn.execute("UPDATE system.partition_head SET position = 498")
        await held.most()
        before = held.holding.held_back()
        conn.execute("UPDATE system.partition_head SET position = 499")

    await held.most()

    assert before == {raw.topic}  # a quarter must be free again
    assert held.holding.held_back() == frozenset()
    await held.close()


async def test_at_the_head_the_database_is_not_asked(raw: RawTopic, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(raw, monkeypatch, next_offset=500)
    held.end = 503
    held.room.send(499, EVENTS_MIN // 2)
    monkeypatch.setattr(held.holding, "_stages", None)

    assert await held.most() == EVENTS_MIN
    assert await held.most() == EVENTS_MIN


async def test_rows_of_a_partition_that_waits_for_an_operator_are_nobodys_work(
    raw: RawTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(raw, monkeypatch)
    with written(raw) as conn:
        for partition, seq, blocked in ((0, 40, None), (1, 0, "refused")):
            conn.execute(_OWNER, [partition, 101])
            conn.execute(_CURSOR, [partition, seq, blocked])

    assert (await held.holding._stages()).unprojected == 60
    await held.close()
