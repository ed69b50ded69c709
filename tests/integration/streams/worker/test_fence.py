"""Claims and the fence on a real Postgres: who may write, and what a commit whose reply was lost means."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import psycopg
import pytest

from ft.config import Config
from ft.errors import DatabaseError, DatabaseUnavailable, Fenced, OffsetMismatch
from ft.sql.queries import LIVE, load
from ft.sql.session import Connection, connect_writer, end_stopped
from ft.streams.deployment.identity import Deployment, OtherDeployment
from ft.streams.worker import fence
from ft.streams.worker.fence import Claim, Move, Superseded, Writer


@pytest.fixture
async def conn(config: Config) -> AsyncIterator[Connection]:
    opened = await connect_writer(config)
    yield opened
    await opened.close()


@pytest.fixture
async def writer(config: Config) -> AsyncIterator[Writer]:
    opened = Writer(config, "one")
    yield opened
    await opened.close()


ME = Deployment(id="d4196ad2-edae-5ba2-9135-602be39edbc4", topic_prefix="", cluster_id="k")


async def take(
    conn: Connection, owner: str, *, cluster: str = "k", topic_id: str = "i", began: Deployment | None = None
) -> Claim:
    claim = await fence.claim(
        conn, consumer="ledger", topic="t", partition=0, owner=owner, cluster_id=cluster, topic_id=topic_id, began=began
    )
    await conn.commit()
    return claim


def moving(claim: Claim, to: int, *, seq: int = 1, finding: str | None = None) -> fence.Work:
    """Work that leaves a row to be found, and moves the claim."""

    async def work(conn: Connection) -> Sequence[Move]:
        if finding is not None:
            await conn.execute("INSERT INTO system.settings VALUES (%s, '')", (finding,))
        return (Move(claim=claim, next_offset=to, next_seq=seq),)

    return work


async def found(conn: Connection) -> list[str]:
    cursor = await conn.execute("SELECT name FROM system.settings WHERE name LIKE 'f%' ORDER BY 1")
    rows = [row[0] for row in await cursor.fetchall()]
    await conn.rollback()
    return rows


async def test_a_claim_by_the_owner_keeps_its_epoch_and_by_another_raises_it(conn: Connection) -> None:
    first = await take(conn, "one")
    again = await take(conn, "one")
    other = await take(conn, "two")

    assert [first.epoch, again.epoch, other.epoch] == [1, 1, 2]


async def in_epoch(conn: Connection, epoch: int) -> Deployment:
    """The database names this deployment from now on."""
    values = {"id": ME.id, "epoch": epoch, "topic_prefix": "", "cluster_id": "k"}
    await conn.execute(load("recovery", LIVE)["put_deployment"], values)
    return replace(ME, epoch=epoch)


async def test_a_process_that_began_before_a_restore_is_given_no_claim(conn: Connection) -> None:
    before = await in_epoch(conn, 0)
    mine = await take(conn, "one", began=before)
    after = await in_epoch(conn, 1)
    await conn.commit()

    with pytest.raises(OtherDeployment, match=r"began in epoch 0 .* got epoch 1 .*: start it again"):
        await take(conn, "one", began=before)
    with pytest.raises(OtherDeployment, match=r"no name yet, in epoch 0: .* got epoch 1 "):
        await take(conn, "one")
    other = await take(conn, "two", began=after)

    assert (mine.epoch, other.epoch) == (1, 2)


async def test_a_claim_amid_a_restore_waits_for_it_and_is_refused(config: Config, conn: Connection) -> None:
    before = await in_epoch(conn, 0)
    await conn.commit()
    restoring = await connect_writer(config)
    await in_epoch(restoring, 1)

    claiming = asyncio.create_task(take(conn, "one", began=before))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(config.postgres, autocommit=True) as look:
        while look.execute(waits).fetchone() == (0,):
            assert not claiming.done()
            await asyncio.sleep(0.01)
    await restoring.commit()
    await restoring.close()

    with pytest.raises(OtherDeployment, match="got epoch 1 "):
        await claiming
    rows = await (await conn.execute("SELECT count(*) FROM system.partition_owner")).fetchall()
    assert rows == [(0,)]


async def test_claims_fit_into_the_seq_of_a_head_after_two_hundred_restores(conn: Connection) -> None:
    await take(conn, "one")
    for minute in range(29_935_290, 29_935_490):  # the epoch of a deployment is the minute of its restore
        await in_epoch(conn, minute)
        await conn.execute(load("recovery", LIVE)["outlive"])
    [[claimed]] = await (await conn.execute("SELECT epoch FROM system.partition_owner")).fetchall()

    assert claimed << 32 < 2**63


async def test_what_was_claimed_before_a_restore_commits_nothing_after_it(conn: Connection, writer: Writer) -> None:
    claim = await take(conn, "one")
    after = await in_epoch(conn, 5)
    await conn.execute(load("recovery", LIVE)["outlive"])
    await conn.commit()

    with pytest.raises(Fenced):
        await writer.commit(moving(claim, 7, finding="f"))
    again = await take(conn, "one", began=after)

    assert await found(conn) == []
    assert again.epoch == 60_002


async def test_claims_of_a_database_that_was_reset_are_counted_from_beyond_those_before(conn: Connection) -> None:
    before = await take(conn, "forgotten")
    await conn.execute("DELETE FROM system.partition_owner")
    after = await take(conn, "new", began=await in_epoch(conn, 3))

    assert (before.epoch, after.epoch) == (1, 30_001)


async def test_effects_and_offset_move_together(conn: Connection, writer: Writer) -> None:
    claim = await take(conn, "one")

    await writer.commit(moving(claim, 7, seq=3, finding="f"))

    assert (claim.next_offset, claim.next_seq) == (7, 3)
    assert (await take(conn, "one")).next_offset == 7
    assert await found(conn) == ["f"]


async def test_a_second_owner_is_refused(conn: Connection, writer: Writer) -> None:
    claim = await take(conn, "one")
    await take(conn, "two")

    with pytest.raises(Fenced) as caught:
        await writer.commit(moving(claim, 7, finding="f"))

    assert not isinstance(caught.value, Superseded)
    assert await found(conn) == []


async def test_a_claim_that_was_taken_away_in_order_drops_its_batch(conn: Connection, writer: Writer) -> None:
    claim = await take(conn, "one")
    await take(conn, "two")
    claim.held = False

    with pytest.raises(Superseded):
        await writer.commit(moving(claim, 7, finding="f"))

    assert await found(conn) == []


async def test_a_newer_claim_of_this_process_drops_the_older_ones_batch(conn: Connection, writer: Writer) -> None:
    old = await take(conn, "one")
    await take(conn, "two")
    await take(conn, "one")

    with pytest.raises(Superseded):
        await writer.commit(moving(old, 7, finding="f"))

    assert await found(conn) == []


async def test_an_offset_that_moved_already_is_read_again_and_nothing_is_written_twice(
    conn: Connection, writer: Writer
) -> None:
    claim = await take(conn, "one")
    await writer.commit(moving(claim, 7, finding="f1"))
    claim.next_offset = 0

    with pytest.raises(DatabaseUnavailable):
        await writer.commit(moving(claim, 5, finding="f2"))

    assert claim.next_offset == 7
    assert await found(conn) == ["f1"]


async def test_a_seq_that_moved_already_is_read_again_and_nothing_is_written_twice(
    conn: Connection, writer: Writer
) -> None:
    claim = await take(conn, "one")
    await writer.commit(moving(claim, claim.next_offset, seq=4, finding="f1"))  # as the ledger's timer does
    claim.next_seq = 1

    with pytest.raises(DatabaseUnavailable):
        await writer.commit(moving(claim, claim.next_offset, seq=2, finding="f2"))

    assert claim.next_seq == 4
    assert await found(conn) == ["f1"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_lost_reply_to_a_commit_is_decided_by_reading(
    conn: Connection, writer: Writer, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    claim = await take(conn, "one")
    real = psycopg.AsyncConnection.commit

    async def lose_the_reply(self: Connection) -> None:
        if arrived:
            await real(self)
        await self.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "commit", lose_the_reply)
        if arrived:
            await writer.commit(moving(claim, 7, finding="f"))
        else:
            with pytest.raises(DatabaseUnavailable):
                await writer.commit(moving(claim, 7, finding="f"))

    assert claim.next_offset == (7 if arrived else 0)
    assert await found(conn) == (["f"] if arrived else [])


async def test_a_refused_statement_is_an_error_and_the_writer_goes_on(conn: Connection, writer: Writer) -> None:
    claim = await take(conn, "one")

    async def wrong(conn: Connection) -> Sequence[Move]:
        await conn.execute("SELECT 1 / 0")
        return ()

    with pytest.raises(DatabaseError) as caught:
        await writer.commit(wrong)
    await writer.commit(moving(claim, 7, finding="f"))

    assert not caught.value.retryable
    assert await found(conn) == ["f"]


async def test_offsets_of_another_kafka_are_refused_with_the_remedy(conn: Connection) -> None:
    await take(conn, "one")

    with pytest.raises(OffsetMismatch, match="FT_KAFKA"):
        await take(conn, "one", cluster="another")
    await conn.rollback()
    with pytest.raises(OffsetMismatch, match="`ft reannounce` makes them anew"):
        await take(conn, "two", topic_id="made anew")


@pytest.mark.parametrize(("earliest", "end"), [(3, 9), (0, 1)])
async def test_an_offset_outside_of_the_log_is_refused(conn: Connection, earliest: int, end: int) -> None:
    claim = await take(conn, "one")
    claim.next_offset = 2

    with pytest.raises(OffsetMismatch, match="bounds"):
        fence.check_bounds(claim, earliest=earliest, end=end)


async def test_a_stopped_writers_locks_do_not_outlive_its_timeouts(config: Config, conn: Connection) -> None:
    settings = {}
    for name in ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "transaction_timeout"):
        row = await (await conn.execute(f"SHOW {name}")).fetchone()
        settings[name] = row[0] if row else ""

    assert settings == {
        "idle_in_transaction_session_timeout": "5s",
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "transaction_timeout": "10s",
    }


async def test_a_process_stopped_amid_a_pipeline_holds_its_locks_no_longer_than_a_transaction_may_take(
    config: Config, conn: Connection
) -> None:
    await take(conn, "one")
    stopped = await connect_writer(config, transaction_s=1)
    with contextlib.suppress(psycopg.Error):  # what it will find when it wakes up
        async with stopped.pipeline():
            await stopped.execute("UPDATE system.partition_owner SET next_offset = 7")
            stopped.pgconn.send_flush_request()
            stopped.pgconn.flush()  # Postgres has the statement, and waits for the next one

            claim = await take(conn, "two")
    await stopped.close()

    assert (claim.epoch, claim.next_offset) == (2, 0)


async def test_a_process_stopped_amid_a_large_answer_holds_its_locks_no_longer_than_a_transaction_may_take(
    config: Config, conn: Connection
) -> None:
    """Postgres waits for room in the socket, and looks at no timeout of its own meanwhile."""
    stopped = await connect_writer(config, transaction_s=1)
    await stopped.execute("SELECT pg_advisory_xact_lock(77)")
    stopped.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 200000)")
    assert stopped.pgconn.flush() == 0
    deadline = asyncio.get_running_loop().time() + 20

    while not (await (await conn.execute("SELECT pg_try_advisory_xact_lock(77)")).fetchone() or (False,))[0]:
        await conn.rollback()
        assert asyncio.get_running_loop().time() < deadline, "the lock is held still"
        await asyncio.sleep(0.1)

    await stopped.close()


async def test_a_process_stopped_amid_a_copy_loses_its_locks_to_whoever_claims(
    config: Config, conn: Connection
) -> None:
    """Postgres waits for the data, and looks at no timeout meanwhile: the session has to be ended by somebody."""
    await take(conn, "one")
    await conn.commit()
    stopped = await connect_writer(config, application="ft ledger", transaction_s=1)
    await stopped.execute("UPDATE system.partition_owner SET next_offset = 7")
    stopped.pgconn.send_query(b"COPY ledger.retracted FROM STDIN")
    assert stopped.pgconn.flush() == 0
    deadline = asyncio.get_running_loop().time() + 20

    while not (ended := await end_stopped(conn, after_s=2.0)):
        assert asyncio.get_running_loop().time() < deadline, "it is there still"
        await asyncio.sleep(0.1)
    claim = await take(conn, "two")
    await stopped.close()

    assert ended == ["ft ledger"]
    assert (claim.epoch, claim.next_offset) == (2, 0)


async def test_a_batch_that_needs_longer_than_a_transaction_may_take_is_given_longer_whatever_is_quick_in_between(
    conn: Connection, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "TRANSACTION_S", 1)
    writer._limit_s = 1
    claim = await take(conn, "one")

    async def slow(conn: Connection) -> Sequence[Move]:
        await conn.execute("SELECT pg_sleep(1.2)")
        return (Move(claim=claim, next_offset=1, next_seq=1),)

    async def nothing(conn: Connection) -> Sequence[Move]:
        return ()

    with pytest.raises(DatabaseUnavailable):
        await writer.commit(slow)
    await writer.commit(nothing)
    await writer.commit(slow)
    slowly = await limit(writer)
    monkeypatch.setattr(fence, "CALM_S", 0.0)
    await writer.commit(moving(claim, 2))

    assert claim.next_offset == 2
    assert (slowly, await limit(writer)) == ("2s", "1s")


async def test_a_statement_may_take_as_long_as_its_transaction(config: Config) -> None:
    found = []
    for transaction_s in (10, 160):
        conn = await connect_writer(config, transaction_s=transaction_s)
        row = await (await conn.execute("SHOW statement_timeout")).fetchone()
        found.append(row and row[0])
        await conn.close()

    assert found == ["30s", "160s"]


async def limit(writer: Writer) -> str:
    async with writer.reading() as conn:
        row = await (await conn.execute("SHOW transaction_timeout")).fetchone()
    assert row is not None
    return str(row[0])
