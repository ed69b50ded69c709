"""The source stopped, killed, outlived and contradicted, as processes, with everything that reads it beside."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ft.children import Child
from tests.acceptance.chains import LiveChain
from tests.acceptance.conftest import Chains
from tests.acceptance.pipeline import START_S, STEP_S, Pipeline

pytestmark = pytest.mark.usefixtures("worker")

NETWORKS = ("zombie", "row", "sent", "outage", "deep", "calm")
_KEY = 20_261_121
_BLOCKS = """
SELECT number, hash, state, final, raw_offset FROM ingest.blocks WHERE network = %(network)s ORDER BY 1, 2, 5
"""
_JOURNAL = """
SELECT partition, seq, op, tx_hash, block_hash FROM ledger.events
WHERE network = %(network)s AND op IN ('apply', 'revert') ORDER BY 1, 2
"""
_OWNERSHIP = """
SELECT contract, token_id, account, quantity FROM market.ownership_current
WHERE network = %(network)s ORDER BY 1, 2, 3
"""
_WAITS = """
CREATE OR REPLACE FUNCTION ingest.wait_for_the_test() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true);
    PERFORM pg_advisory_xact_lock_shared({key});
    RETURN NULL;
END $$
"""
_AT_COMMIT = """
CREATE CONSTRAINT TRIGGER wait_for_the_test AFTER INSERT ON ingest.tail DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (NEW.network = '{network}' AND NEW.raw_offset IS NULL) EXECUTE FUNCTION ingest.wait_for_the_test()
"""
_AT_ONCE = """
CREATE TRIGGER wait_for_the_test AFTER UPDATE OF raw_offset ON ingest.tail FOR EACH ROW
WHEN (NEW.network = '{network}' AND NEW.raw_offset IS NOT NULL) EXECUTE FUNCTION ingest.wait_for_the_test()
"""
_WAITING = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %(key)s AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_UNSENT = "SELECT height, hash FROM ingest.tail WHERE network = %(network)s AND raw_offset IS NULL"


@contextmanager
def held(pipeline: Pipeline, network: str, trigger: str) -> Iterator[None]:
    """Whoever writes this to the tail waits in Postgres until the end of the block."""
    with psycopg.connect(pipeline.config.postgres, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", [_KEY])
        conn.execute(_WAITS.format(key=_KEY).encode())
        conn.execute(trigger.format(network=network).encode())
        try:
            yield
        finally:
            conn.execute("SELECT pg_advisory_unlock(%s)", [_KEY])
            conn.execute("DROP TRIGGER wait_for_the_test ON ingest.tail")


def waits(pipeline: Pipeline) -> bool:
    return pipeline.sql(_WAITING, key=_KEY) != [(0,)]


def unsent(pipeline: Pipeline, network: str) -> dict[int, str]:
    """Blocks of the tail that are not known to be in the log."""
    return dict(pipeline.sql(_UNSENT, network=network))


def ended(child: Child) -> int:
    child.kill(signal.SIGKILL)
    return child.wait(10)


def test_late_blocks_of_a_source_that_was_stopped_change_nothing(live: Chains) -> None:
    """SIGSTOP between the row and the append; another one claims, follows on through a reorg; SIGCONT."""
    chain = live("zombie")
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    zombie = pipeline.follow("zombie", node.rpc_url, first=0)
    chain.agrees(apes, tokens=range(2))

    with held(pipeline, "zombie", _AT_COMMIT):
        with chain.devnet.block():
            gone = apes.transfer(alice, carol, 0)
            kept = apes.transfer(bob, carol, 1)
        dead = node.head()
        pipeline.until(lambda: waits(pipeline), "the source to write its row")
        zombie.kill(signal.SIGSTOP)
    pipeline.until(lambda: dead in unsent(pipeline, "zombie"), "the row, without its append")
    other = pipeline.follow("zombie", node.rpc_url)
    chain.agrees(apes, tokens=range(2))
    node.reorg(1, [(kept, 0)])
    node.mine(2)
    chain.agrees(apes, tokens=range(2))
    before, claimed = facts(chain), claim(chain)
    end = pipeline.raw_end("zombie")

    zombie.kill(signal.SIGCONT)

    assert zombie.wait(STEP_S) == 1
    assert "claim" in zombie.log_end()
    pipeline.until(lambda: pipeline.raw_end("zombie") > end, "its late block to be in the log")
    chain.agrees(apes, tokens=range(2))
    assert facts(chain) == before
    assert claim(chain) == claimed
    apes.transfer(alice, bob, 0)
    chain.agrees(apes, tokens=range(2))
    assert other.running
    assert chain.transfers(gone) == []
    assert pipeline.sql("SELECT count(*) FROM system.dlq WHERE network = 'zombie'") == [(0,)]
    pipeline.verify()


def facts(chain: LiveChain) -> list[object]:
    """What the log came to: canonical blocks, the journal, ownership."""
    return [chain.pipeline.sql(statement, network=chain.network) for statement in (_BLOCKS, _JOURNAL, _OWNERSHIP)]


def claim(chain: LiveChain) -> list[tuple[object, ...]]:
    statement = "SELECT claim_offset, owner FROM ingest.leases WHERE network = %(network)s"
    return chain.pipeline.sql(statement, network=chain.network)


@pytest.mark.parametrize(("network", "trigger"), [("row", _AT_COMMIT), ("sent", _AT_ONCE)], ids=["row", "append"])
def test_a_source_killed_between_its_row_its_append_and_the_acknowledgement_goes_on_across_a_reorg(
    live: Chains, network: str, trigger: str
) -> None:
    """kill -9 once the row is written and nothing sent; once it is sent and nothing of that written."""
    chain = live(network)
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    source = pipeline.follow(network, node.rpc_url, first=0)
    chain.agrees(apes, tokens=range(2))
    end = pipeline.raw_end(network)

    with held(pipeline, network, trigger):
        gone = apes.transfer(alice, bob, 0)
        pipeline.until(lambda: waits(pipeline), "the source to write")
        ended(source)
    pipeline.until(lambda: not waits(pipeline), "Postgres to notice")
    pipeline.until(lambda: node.head() in unsent(pipeline, network), "the row, as not sent")
    assert pipeline.raw_end(network) == end + (network == "sent")
    node.reorg(1)
    again = apes.transfer(alice, carol, 0)
    pipeline.follow(network, node.rpc_url)

    chain.agrees(apes, tokens=range(2))
    assert chain.owner(apes, 0) == carol
    assert chain.transfers(gone) == []
    assert [each["revision"] for each in chain.transfers(again)] == [1]
    assert unsent(pipeline, network) == {}
    pipeline.verify()


def test_a_reorg_that_became_final_while_everything_was_down_is_found_and_undone(live: Chains) -> None:
    """Finality belongs to the row: the mark lies above the rows of a dead branch, and they are reverted."""
    chain = live("outage", slots_in_an_epoch=2)
    pipeline, node = chain.pipeline, chain.node
    alice, bob, carol = chain.devnet.accounts[1:4]
    apes = chain.devnet.erc721()
    apes.mint(alice)
    apes.mint(bob)
    node.mine(3)
    source = pipeline.follow("outage", node.rpc_url, first=0)
    gone = apes.transfer(alice, carol, 0)
    kept = apes.transfer(bob, carol, 1)
    chain.agrees(apes, tokens=range(2))

    pipeline.kill_workers()
    ended(source)
    top = node.head()
    node.reorg(2, [(kept, 0)])
    node.mine(8)
    assert int(node.block("finalized")["number"], 16) > top
    pipeline.follow("outage", node.rpc_url)
    pipeline.start_worker()

    pipeline.until(lambda: chain.owner(apes, 0) == alice, "the transfer to be taken back", START_S)
    chain.agrees(apes, tokens=range(2))
    assert chain.transfers(gone) == []
    assert [each["finality_status"] for each in chain.transfers(kept)] == ["finalized"]
    assert pipeline.sql("SELECT count(*) FROM system.dlq WHERE network = 'outage'") == [(0,)]
    pipeline.verify()


def test_a_network_that_contradicts_finality_stops_and_the_others_go_on(live: Chains) -> None:
    deep, calm = live("deep", slots_in_an_epoch=1), live("calm")
    pipeline = deep.pipeline
    alice, bob = deep.devnet.accounts[1:3]
    apes, cats = deep.devnet.erc721(), calm.devnet.erc721()
    apes.mint(alice)
    apes.transfer(alice, bob, 0)
    deep.node.mine(4)
    cats.mint(alice)
    stopping = pipeline.follow("deep", deep.node.rpc_url, first=0)
    going_on = pipeline.follow("calm", calm.node.rpc_url, first=0)
    deep.agrees(apes, tokens=range(1))
    final = int(deep.node.block("finalized")["number"], 16)
    pipeline.until(lambda: deep.history(apes, 0)[-1]["finality_status"] == "finalized", "the transfer to be final")
    end = pipeline.raw_end("deep")

    deep.node.reorg(6)
    code = stopping.wait(STEP_S)

    said = stopping.log_end()
    assert code == 1
    assert f"deep: block {final} is final as " in said
    assert "Nothing was written" in said
    assert re.search(r"`ft replace deep --from \d+ --to \d+`", said)
    assert "Traceback" not in said
    assert pipeline.raw_end("deep") == end
    cats.transfer(alice, bob, 0)
    calm.agrees(cats, tokens=range(1))
    assert calm.owner(cats, 0) == bob
    assert going_on.running
    again = pipeline.follow("deep", deep.node.rpc_url)
    assert again.wait(START_S) == 1
    assert pipeline.raw_end("deep") == end
    assert deep.owner(apes, 0) == bob
    pipeline.verify()
