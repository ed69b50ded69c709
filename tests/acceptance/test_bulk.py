"""A bulk backfill beside a follower, with everybody killed on the way: the same ledger as an ordinary one's."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import httpx
import psycopg

from ft.cli.status_pipeline import lines, read
from tests.acceptance.chains import LiveChain
from tests.acceptance.conftest import Chains
from tests.acceptance.pipeline import START_S, Pipeline
from tests.acceptance.test_killed import facts
from tests.devnet.contracts import Erc721, Erc1155

NETWORKS = ("bulky", "plain")
OCTOBER_2025 = 1_759_276_800
FIVE_DAYS_S = 432_000
STATES = "SELECT state FROM ingest.bulk ORDER BY id"
MARKED = "SELECT network, contract FROM projection.recounts"
BARE = "SELECT month FROM ledger.months WHERE NOT indexed ORDER BY month"
ANNOUNCED = "SELECT coalesce(sum(seq), 0)::bigint FROM system.publish_cursor"
BUILDING = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'ft indexing' AND state = 'active' AND query LIKE '%% INDEX CONCURRENTLY %%'
      AND datname = current_database()
"""
CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'ft indexing' AND datname = current_database()
"""
MONTHS = [(date(2025, 10, 1),), (date(2025, 11, 1),), (date(2025, 12, 1),), (date(2026, 1, 1),)]
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


def test_a_bulk_backfill_killed_on_its_way_comes_to_what_an_ordinary_one_comes_to(live: Chains) -> None:
    chain = live("bulky", slots_in_an_epoch=1, timestamp=OCTOBER_2025, interval_s=FIVE_DAYS_S)
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes, items, old = long_ago(chain)
    pipeline.follow("bulky", node.rpc_url, first=old + 1)
    apes.transfer(bob, carol, 0)
    pipeline.until(lambda: chain.owner(apes, 0) == carol, "the follower's first transfer")
    chain.caught_up()

    # 1. The process that fills it dies before it has noted how far it is: the job stays open.
    with locked(pipeline, "LOCK TABLE system.sync_cursors IN EXCLUSIVE MODE"):
        before = pipeline.raw_end("bulky")
        ingest = pipeline.bulk("bulky", node.rpc_url, first=0, last=old)
        pipeline.until(lambda: pipeline.raw_end("bulky") >= before + 8, "a part to be in the log", START_S)
        ingest.kill(signal.SIGKILL)
        ingest.wait(10)
    moved = apes.transfer(carol, alice, 0)
    pipeline.until(lambda: chain.owner(apes, 0) == alice, "a transfer meanwhile", START_S)
    pipeline.until(lambda: bool(pipeline.sql(BARE)), "a month to be filled")
    announced = pipeline.sql(ANNOUNCED)
    history = pipeline.ask(f"assets/{chain.asset(apes, 0)}/history")
    recent = pipeline.get("transfers", network="bulky", block_from=old + 1)["data"]
    assert (history.status_code, history.json()["code"]) == (503, "range_not_indexed")
    assert recent[0]["tx_hash"] == moved
    assert pipeline.sql(STATES) == [("filling",)]

    # 2. The same command again. A worker is stopped, the next one killed, while an index is built; its half is left.
    with locked(pipeline, "LOCK TABLE ledger.events_202510 IN ROW EXCLUSIVE MODE"):
        assert pipeline.bulk("bulky", node.rpc_url, first=0, last=old).wait(60) == 0
        pipeline.until(lambda: bool(pipeline.sql(BUILDING)), "an index to be built", START_S)
        said = status(pipeline)
        pipeline.until(lambda: 'bulk_jobs{state="indexing"} 1.0' in metrics(pipeline), "the metric to tell")
        pipeline.stop_workers()
        pipeline.verify(lagging=True)
        pipeline.start_worker()
        pipeline.until(lambda: bool(pipeline.sql(BUILDING)), "an index to be built again", START_S)
        pipeline.kill_workers()
        pipeline.sql(CUT_OFF)
        pipeline.until(lambda: not pipeline.sql(BUILDING), "the build to be cut off", processes=[])
        assert pipeline.sql(INVALID) == [(1,)]
        assert pipeline.sql(BARE) == MONTHS, "the follower's month has kept its indexes"
        assert pipeline.sql(STATES) == [("indexing",)]
        assert pipeline.sql(ANNOUNCED) == announced, "nothing is announced while the job is open"
    pipeline.start_worker()

    assert f"bulk: bulky 0-{old}: its indexes are built" in said
    assert "months without indexes: 2025-10 2025-11 2025-12 2026-01 (their histories answer 503" in said
    assert "index events_202510_token: waiting for writers before build" in said
    assert "held back until the bulk backfill is indexed" in said

    # 3. It comes to its end by itself.
    pipeline.until(lambda: pipeline.sql(STATES) == [("done",)], "the indexes", START_S)
    assert (pipeline.sql(BARE), pipeline.sql(INVALID)) == ([], [(0,)])
    apes.transfer(alice, bob, 0)
    pipeline.until(lambda: chain.owner(apes, 0) == bob, "a transfer afterwards", START_S)
    chain.agrees(apes, items, tokens=range(4))
    assert chain.kinds(apes, 0)[0][0] == "mint"
    pipeline.verify()

    # And it is what an ordinary reader of the same chain holds.
    pipeline.ingest("plain", node.rpc_url, first=0, last=node.head())
    pipeline.caught_up("plain")
    pipeline.until(lambda: not pipeline.sql(MARKED), "the contracts to be recounted")
    assert facts(pipeline, "bulky") == facts(pipeline, "plain")


def long_ago(chain: LiveChain) -> tuple[Erc721, Erc1155, int]:
    """Blocks five days apart from October to January, then some of February; the height of the last, which is final."""
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes, items = chain.devnet.erc721(), chain.devnet.erc1155()
    for _ in range(4):
        apes.mint(alice)
    items.mint_batch(alice, [1, 2, 3], [10, 10, 10])
    apes.transfer(alice, bob, 0)
    items.batch_transfer(alice, carol, [1, 2], [4, 5])
    apes.transfer(alice, carol, 1)
    while chain.node.block("latest")["timestamp"] < hex(OCTOBER_2025 + 119 * 86_400):
        apes.transfer(*((bob, carol) if apes.owner_of(0) == bob else (carol, bob)), 0)
    if apes.owner_of(0) != bob:
        apes.transfer(carol, bob, 0)
    old = chain.node.head()
    chain.node.rpc("anvil_setBlockTimestampInterval", 86_400)
    chain.node.mine(6)
    chain.node.rpc("anvil_setBlockTimestampInterval", 2)
    chain.node.mine(2)
    return apes, items, old


def metrics(pipeline: Pipeline) -> str:
    """What the worker exports."""
    return httpx.get(pipeline.sql("SELECT metrics_url FROM system.workers")[0][0], timeout=10).text


def status(pipeline: Pipeline) -> str:
    """The lines of ft status, without its tables."""
    return "\n".join(line for line in lines(read(pipeline.config)) if isinstance(line, str))


@contextmanager
def locked(pipeline: Pipeline, statement: str) -> Iterator[Any]:
    """A transaction of somebody else's that does not end."""
    with psycopg.connect(pipeline.config.postgres) as conn:
        conn.execute(statement.encode())
        yield conn
