"""A backlog is read two seconds ahead beside heads of other networks, and ten where nobody waits behind it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import psycopg
import pytest

from ft.config import Config
from ft.streams.kafka.backpressure import UNREAD_S
from ft.streams.worker.ceilings import ALONE_S
from ft.streams.worker.claims import Claims
from ft.streams.worker.fence import Claim
from ft.streams.worker.holding import Holding
from ft.streams.worker.room import EVENTS_MIN

RATE, EVENTS = 100, 50
"""Raw records a second that the ledger works off, and events of each."""


@dataclass
class Worker:
    """One process that holds the raw logs of two networks; the first one has a backlog."""

    config: Config
    ends: dict[str, int] = field(default_factory=lambda: {"busy": 1_000_000, "quiet": 10})
    now: float = 1_000.0

    def __post_init__(self) -> None:
        claims = Claims(self.config, "one")
        for network, next_offset in (("busy", 0), ("quiet", 10)):
            claims._known["normalize", network, 0] = Claim(
                consumer="normalize", topic=network, partition=0, epoch=1, next_offset=next_offset, next_seq=1
            )
        self.holding = Holding(self.config, claims, self.ends.__getitem__, lambda: self.now)
        self.rooms = {network: self.holding.room_of(network, network) for network in self.ends}
        self._sent = 0

    async def ahead_s(self) -> float:
        """A second later: how many seconds of the ledger's work may lie before it of the backlog."""
        self.now += 1
        applied, room = RATE * int(self.now - 1_000), self.rooms["busy"]
        while self._sent < applied + 2 * RATE:
            self._sent += 1
            room.send(self._sent, EVENTS)
        self.write(f"UPDATE system.partition_head SET position = {applied} WHERE network = 'busy'")
        await self.holding.look()
        return room.most / (RATE * EVENTS)

    def write(self, statement: str) -> None:
        with psycopg.connect(self.config.postgres) as conn:
            conn.execute(statement.encode())


@pytest.fixture
async def worker(config: Config) -> AsyncIterator[Worker]:
    made = Worker(config)
    made.write(
        "INSERT INTO system.partition_owner (consumer, topic, partition, epoch) VALUES ('ledger', 'normalized', 0, 1)"
    )
    made.write(
        "INSERT INTO system.partition_head (consumer, partition, network, position)"
        " VALUES ('ledger', 0, 'busy', 0), ('ledger', 0, 'elsewhere', 5)"
    )
    await made.holding.look()
    yield made
    await made.holding.on_stop()


async def test_a_backlog_beside_nobody_is_read_ten_seconds_ahead(worker: Worker) -> None:
    assert await worker.ahead_s() == ALONE_S


async def test_a_backlog_is_held_back_once_another_network_moves(worker: Worker) -> None:
    await worker.ahead_s()
    worker.ends["quiet"] += 1

    assert await worker.ahead_s() == UNREAD_S
    assert worker.rooms["quiet"].most == EVENTS_MIN


@pytest.mark.parametrize(("network", "seen_at", "ahead_s"), [
    ("quiet", "now()", UNREAD_S),
    ("elsewhere", "now()", UNREAD_S),  # another worker reads it, into the same partitions
    ("busy", "now()", ALONE_S),
    ("quiet", "now() - interval '1 minute'", ALONE_S),
])  # fmt: skip
async def test_a_backlog_is_held_back_while_a_follower_of_another_network_lives(
    worker: Worker, network: str, seen_at: str, ahead_s: float
) -> None:
    worker.write(
        "INSERT INTO ingest.leases (network, claim_offset, topic_id, owner, seen_at)"
        f" VALUES ('{network}', 0, 't', 'follower', {seen_at})"
    )

    assert await worker.ahead_s() == ahead_s


async def test_a_backlog_is_held_back_where_another_worker_has_a_network_that_moves(worker: Worker) -> None:
    assert await worker.ahead_s() == ALONE_S

    worker.write("UPDATE system.partition_head SET position = 6 WHERE network = 'elsewhere'")

    assert await worker.ahead_s() == UNREAD_S
