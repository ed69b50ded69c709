"""A database as a worker leaves it: a synthetic chain with reorgs, read by the ledger, its journal read by project."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ft.agents.project.projection import events_of
from ft.agents.project.store import store
from ft.config import Config
from ft.ops.verify.run import Listener, Report, verify
from ft.schemas.events import OwnershipChanged
from ft.schemas.ids import NO_ACCOUNTS
from ft.schemas.standards import HOLDING
from ft.sql.queries import LIVE, named, use
from ft.sql.session import connect_writer
from ft.streams.kafka.topics import Topics
from tests.integration.agents.ledger.harness import NETWORK, LedgerHarness, Log
from tests.integration.agents.ledger.synthetic_feed import Feed
from tests.synthetic.chain import Chain

PARTITIONS = 2


async def run_ledger(config: Config, *, blocks: int = 25, generation: str = LIVE) -> Chain:
    """The ledger at the head of a chain with reorgs, the chain as normalize would have stored it."""
    use(generation)
    chain = Chain(seed=11, network=NETWORK, contracts=8, accounts=40, logs=12)
    feed = Feed(chain, Log(partitions=PARTITIONS))
    harness = await LedgerHarness.open(config, partitions=PARTITIONS)
    feed.live(seed=3, steps=blocks)
    await harness.read(feed.log)
    await harness.close()
    _store_chain(config, chain, feed.log.position - 1)
    use(LIVE)
    return chain


def _store_chain(config: Config, chain: Chain, position: int) -> None:
    head = chain.blocks[-1]
    with psycopg.connect(config.postgres) as conn:
        conn.execute(
            _named(
                "INSERT INTO ref.networks (network, family, start_block, confirmed, finalized)"
                " VALUES (%s, 'evm', %s, 'depth', 'depth')"
            ),
            (NETWORK, chain.start),
        )
        conn.execute(
            _named(
                "INSERT INTO ingest.heads (network, head_number, head_hash, head_time, safe, finalized, position)"
                " VALUES (%s, %s, %s, to_timestamp(%s), -1, -1, %s)"
            ),
            (NETWORK, head.number, head.hash, head.time, position),
        )
        conn.execute(
            _named('INSERT INTO ingest.coverage (network, "from", "to", proof, raw_offset) VALUES (%s, %s, %s, %s, 0)'),
            (NETWORK, chain.start, head.number, "receipts"),
        )
        conn.cursor().executemany(
            _named(
                "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset)"
                " VALUES (%s, %s, %s, %s, to_timestamp(%s), 'canonical', 'receipts', 0)"
            ),
            [(NETWORK, b.number, b.hash, b.parent_hash, b.time) for b in chain.blocks],
        )
        conn.execute(
            _named(
                "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, proof, raw_offset)"
                " SELECT DISTINCT network, number, block_hash, '', time, 'reverted', 'receipts', 0"
                " FROM ledger.applied_blocks ON CONFLICT DO NOTHING"
            )
        )


def _named(statement: str) -> bytes:
    return named(statement).encode()


async def run_project(config: Config, *, leave_unread: int = 0) -> None:
    """Project reads the journal as the publisher would have announced it, but for the last events of each partition."""
    for partition in range(PARTITIONS):
        rows = journal(config, partition)
        rows = rows[: len(rows) - leave_unread]
        conn = await connect_writer(config)
        await store(conn, events_of(announced(rows)))
        if rows and not leave_unread:
            await _write_heads(conn, partition, rows[-1]["seq"])
        await conn.execute(
            "INSERT INTO system.partition_owner (consumer, topic, partition, next_seq) VALUES ('project', %s, %s, %s)",
            (Topics(config.topic_prefix).ownership_changed, partition, rows[-1]["seq"] + 1 if rows else 1),
        )
        await conn.commit()
        await conn.close()


def journal(config: Config, partition: int, after: int = 0) -> list[dict[str, Any]]:
    """The partition's rows with a greater seq, in order."""
    with psycopg.connect(config.postgres, row_factory=dict_row) as conn:
        return conn.execute(
            "SELECT *, extract(epoch FROM block_time)::bigint AS time FROM ledger.events WHERE partition = %s"
            " AND seq > %s ORDER BY seq",
            (partition, after),
        ).fetchall()


def announced(rows: Iterable[dict[str, Any]]) -> Iterator[OwnershipChanged]:
    """The rows of ``ownership_changed`` that follow from journal rows, as far as project looks at them."""
    return (_change(row) for row in rows if row["op"] != "reorg" and not row["echo"])


def _change(row: dict[str, Any]) -> OwnershipChanged:
    minted, burned = row["from"] in NO_ACCOUNTS, row["to"] in NO_ACCOUNTS
    moved = "transfer" if not minted and not burned else "mint" if minted else "burn"
    if row["quantity"] == 0 or (minted and burned):
        moved = "none"
    single = HOLDING.get(row["standard"]) == "single" or row["holder"] is not None
    return OwnershipChanged(
        seq=row["seq"],
        prev_seq=row["seq"] - 1,
        kind="finality" if row["op"] == "finality" else moved,
        op=row["op"],
        network=row["network"],
        block_number=row["block_number"],
        block_hash=row["block_hash"],
        block_time=row["time"],
        contract=row["contract"],
        token_id=str(row["token_id"]),
        standard=row["standard"],
        from_account=row["from"],
        to_account=row["to"],
        quantity=str(row["quantity"]),
        sub_index=row["sub_index"],
        log_index=row["log_index"],
        holder=(row["to"] if row["holder"] is None else row["holder"]) if single else None,
        holder_block=(row["block_number"] if row["holder_block"] is None else row["holder_block"]) if single else None,
    )


async def _write_heads(conn: Any, partition: int, seq: int) -> None:
    """Project is where the ledger is, and knows it."""
    await conn.execute(
        "INSERT INTO system.partition_head (consumer, partition, network, position, head_number, head_hash, head_time,"
        " safe, finalized, after_seq)"
        " SELECT c.name, h.partition, h.network, h.position, h.head_number, h.head_hash, h.head_time, h.safe,"
        " h.finalized, %s FROM system.partition_head h, (VALUES ('project'), ('heads')) AS c (name)"
        " WHERE h.consumer = 'ledger' AND h.partition = %s",
        (seq, partition),
    )


def verified(config: Config, wait_s: float = 0.0, *, topics: bool = False) -> Report:
    """The report of a run that shows nothing."""
    return verify(config, wait_s=wait_s, listener=Listener(), topics=topics)


def failing(report: Report) -> dict[str, list[str]]:
    """Check -> its differences, of those that have some."""
    return {o.name: [str(difference) for difference in o.differences] for o in report.outcomes if o.count}


def execute(config: Config, statement: str) -> int:
    """Do something to the database that no process of ours would do; returns how many rows it touched."""
    with psycopg.connect(config.postgres) as conn:
        return conn.execute(statement.encode()).rowcount
