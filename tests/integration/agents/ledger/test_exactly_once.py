"""Every slice takes effect once, whoever delivers it and however often."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg
import pytest

from ft.agents.ledger import reads
from ft.agents.ledger.journal import Stretch
from ft.agents.ledger.posting import NetworkHead
from ft.config import Config
from ft.errors import DatabaseUnavailable, Fenced
from ft.sql import session
from ft.sql.session import Connection, connect_writer
from ft.streams.worker.fence import Claim, Superseded
from ft.streams.worker.tables import Table
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import (
    TOPIC,
    Block,
    Event,
    LedgerHarness,
    Log,
    account,
    journal,
    owners,
    rows,
    say_hashes_repeat,
)

C = account("c")
FENCE = "SELECT next_offset, next_seq FROM system.partition_owner WHERE consumer = 'ledger'"


def story() -> Log:
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(Block(2, [Event(tx="move", source="alice", target="bob")]))
    return log


async def test_a_single_delivery_takes_effect_once(config: Config, ledger: LedgerHarness) -> None:
    log = story()

    await ledger.read(log)

    assert [row[0] for row in journal(config)] == ["apply", "apply"]
    assert rows(config, FENCE) == [(2, 3)]


async def test_the_same_records_at_other_offsets_change_nothing(config: Config, ledger: LedgerHarness) -> None:
    log = story()
    for message in list(log.records[0]):
        log.put(message.value)

    await ledger.read(log)

    assert [row[0] for row in journal(config)] == ["apply", "apply"]
    assert rows(config, FENCE)[0][0] == 4


async def test_a_slice_under_a_new_position_is_not_applied_twice(config: Config, ledger: LedgerHarness) -> None:
    log = story()
    log.append(log.chain[-1])

    await ledger.read(log)

    assert [row[0] for row in journal(config)] == ["apply", "apply"]


async def test_a_repeat_after_a_reorg_does_not_bring_the_lost_block_back(config: Config, ledger: LedgerHarness) -> None:
    """append A, revert A, append B, sent twice: without positions the second A would be applied."""
    log = Log()
    log.append(Block(1, [Event(tx="mint", target="alice")]))
    log.append(lost := Block(2, [Event(tx="a", source="alice", target="bob")], "a"))
    log.revert(lost)
    log.append(Block(2, [Event(tx="b", source="alice", target="carol")], "b"))
    for message in list(log.records[0])[1:]:
        log.put(message.value)

    await ledger.read_one_by_one(log)

    assert owners(config) == {(C, 1): (account("carol"), 1)}
    assert [row[:2] for row in journal(config)] == [("apply", 1), ("apply", 2), ("revert", 2), ("apply", 2)]


async def test_two_concurrent_deliveries_take_effect_once(config: Config, make_ledger: MakeLedger) -> None:
    log = story()
    one = await make_ledger(owner="one")
    two = await make_ledger(owner="one")  # the same process holds the claim: the epochs are equal

    results = await asyncio.gather(one.read(log), two.read(log), return_exceptions=True)

    assert [row[0] for row in journal(config)] == ["apply", "apply"]
    assert rows(config, FENCE) == [(2, 3)]
    assert all(result is None or isinstance(result, DatabaseUnavailable) for result in results)
    assert (one.claims[0].next_offset, two.claims[0].next_offset) == (2, 2)


async def test_a_crash_between_commit_and_acknowledgement_changes_nothing_for_the_next_owner(
    config: Config, make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = story()
    dying = await make_ledger(owner="dying")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dying.ledger, "_learn", die)
        with pytest.raises(KeyboardInterrupt):
            await dying.read(log)
    after = await make_ledger(owner="after")

    assert after.claims[0].next_offset == 2
    await after.read(log)
    assert [row[0] for row in journal(config)] == ["apply", "apply"]


async def test_a_crash_before_the_commit_leaves_nothing(
    config: Config, ledger: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = story()

    async def die(*_: object) -> None:
        raise RuntimeError("before the commit")

    with monkeypatch.context() as patch:
        patch.setattr("ft.agents.ledger.owners._put_multis", die)
        with pytest.raises(RuntimeError):
            await ledger.read(log)

    assert rows(config, "SELECT count(*) FROM ledger.events") == [(0,)]
    assert rows(config, FENCE) == [(0, 1)]
    await ledger.read(log)
    assert [row[0] for row in journal(config)] == ["apply", "apply"]


async def test_a_lost_commit_reply_is_decided_by_the_fence(
    config: Config, ledger: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = story()
    commit = Connection.commit
    lost: list[bool] = []

    async def lose_the_reply(self: Connection) -> None:
        await commit(self)
        if rows(config, FENCE)[0][0] == 2 and not lost:
            lost.append(True)
            await self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "commit", lose_the_reply)
        await ledger.read(log)

    assert lost == [True]
    assert ledger.claims[0].next_offset == 2
    log.append(Block(3, [Event(tx="on", source="bob", target="carol")]))
    await ledger.read(log)
    assert owners(config) == {(C, 1): (account("carol"), 1)}
    assert len(journal(config)) == 3


async def test_a_commit_that_never_arrived_is_tried_again(
    config: Config, ledger: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = story()
    await ledger.read(log, until=1)

    async def never_arrive(self: Connection) -> None:
        await self.close()
        raise psycopg.OperationalError("could not send data to server")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "commit", never_arrive)
        with pytest.raises(DatabaseUnavailable):
            await ledger.read(log)

    await ledger.read(log)
    assert [row[0] for row in journal(config)] == ["apply", "apply"]


async def test_a_zombie_with_an_old_epoch_is_refused_and_leaves_nothing(
    config: Config, make_ledger: MakeLedger
) -> None:
    log = story()
    zombie = await make_ledger(owner="zombie")
    await zombie.read(log, until=1)
    await make_ledger(owner="new")

    with pytest.raises(Fenced):
        await zombie.read(log)

    assert [row[0] for row in journal(config)] == ["apply"]


async def test_a_zombie_that_wakes_after_the_new_owner_went_on_is_refused(
    config: Config, make_ledger: MakeLedger
) -> None:
    log = story()
    zombie = await make_ledger(owner="zombie")
    new = await make_ledger(owner="new")
    await new.read(log)

    with pytest.raises(Fenced) as refused:
        await zombie.read(log)

    assert not isinstance(refused.value, Superseded)
    assert [row[0] for row in journal(config)] == ["apply", "apply"]


async def test_one_lost_partition_of_a_batch_stops_the_whole_batch(config: Config, make_ledger: MakeLedger) -> None:
    log = Log(partitions=2)
    log.append(Block(1, [Event(tx="mint", target="alice")]), 0)
    log.append(Block(1, [Event(tx="mint2", token=2, target="alice")]), 1)
    zombie = await make_ledger(owner="zombie", partitions=2)
    other = await make_ledger(owner="other", partitions=2, claim=False)
    await other.claim(1)

    with pytest.raises(Fenced):
        await zombie.read(log)

    assert rows(config, "SELECT count(*) FROM ledger.events") == [(0,)]


async def test_a_stopped_process_holds_its_locks_for_seconds_only(
    config: Config, make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_SESSION", "-c idle_in_transaction_session_timeout=300ms -c timezone=UTC")
    log = story()
    stopped = await make_ledger(owner="stopped")
    asleep = asyncio.Event()

    async def sleep(*_: object) -> None:
        asleep.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr("ft.agents.ledger.owners._put_multis", sleep)
        reading = asyncio.create_task(stopped.read(log))
        await asyncio.wait_for(asleep.wait(), 10)
    new = await make_ledger(owner="new")
    await new.read(log)

    assert [row[0] for row in journal(config)] == ["apply", "apply"]
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.parametrize("events_max", [1, 2, 100])
async def test_a_batch_is_cut_into_transactions_of_so_many_events(
    config: Config, make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch, events_max: int
) -> None:
    ledger = await make_ledger(batch_events_max=events_max)
    log = Log()
    for number in range(1, 6):
        log.append(Block(number, [Event(tx=f"t{number}", token=number, target="alice")]))
    sizes: list[int] = []
    commit = ledger.ledger._commit

    async def count(work: object) -> None:
        chunk: Sequence[object] = work._chunk  # type: ignore[attr-defined]
        sizes.append(len(chunk))
        await commit(work)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger.ledger, "_commit", count)
    await ledger.read(log)

    assert max(sizes) == min(events_max, 5)
    assert sum(sizes) == 5
    assert len(journal(config)) == 5


async def test_table_and_publisher_learn_of_a_batch_only_when_it_is_committed(
    config: Config, make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, seen, offered = Table.write, [], []

    def watched(self: Table, changes: Mapping[bytes, bytes | None], claim: Claim) -> None:
        seen.append((claim.next_offset, rows(config, FENCE)[0][0], bool(changes)))
        write(self, changes, claim)

    class Announcer:
        async def start(self) -> None: ...

        async def stop(self) -> None: ...

        def offer(self, stretches: Sequence[Stretch], heads: Sequence[NetworkHead]) -> None:
            offered.append(rows(config, FENCE)[0][0])

    monkeypatch.setattr(Table, "write", watched)
    say_hashes_repeat(config, False)  # the table keeps what the journal need not be asked for
    ledger = await make_ledger(publisher=Announcer())

    await ledger.read(story())

    assert [found for found in seen if found[2]] == [(2, 2, True)]
    assert offered == [2]


async def test_a_batch_whose_commit_failed_is_told_to_nobody(
    config: Config, make_ledger: MakeLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []
    monkeypatch.setattr(Table, "write", lambda self, changes, claim: learned.append(claim.next_offset))
    ledger = await make_ledger()

    async def never_arrive(self: Connection) -> None:
        await self.close()
        raise psycopg.OperationalError("could not send data to server")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "commit", never_arrive)
        with pytest.raises(DatabaseUnavailable):
            await ledger.read(story())

    assert learned == []
    assert not ledger.ledger._cache.holds(ledger.claims[0])


@pytest.mark.parametrize("wrong", ["epoch", "next_offset", "next_seq"])
async def test_a_claim_that_is_not_as_postgres_has_it_fits_nothing(
    config: Config, ledger: LedgerHarness, wrong: str
) -> None:
    held = ledger.claims[0]
    other = replace(held, **{wrong: getattr(held, wrong) + 1})
    conn = await connect_writer(config)

    fits = [await reads.claims_fit(conn, TOPIC, {0: claim}) for claim in (held, other)]
    await conn.close()

    assert fits == [True, False]
