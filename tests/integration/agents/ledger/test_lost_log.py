"""Kafka is lost while normalize was ahead of the ledger: the chain goes back to what every partition has applied."""

from collections.abc import Sequence
from typing import Any

import psycopg

from ft.config import Config
from ft.ops.recovery import lost
from ft.ops.recovery.session import Begun
from ft.streams.kafka.topics import Topics
from tests.integration.agents.ledger.conftest import MakeLedger
from tests.integration.agents.ledger.harness import NETWORK, Block, Event, Log, rows
from tests.integration.agents.ledger.reading import normalized

READ_TO = 40
"""Offset at which normalize goes on in the raw topic."""


def committed(conn: psycopg.Connection[Any], chain: Sequence[tuple[Block, int, str]], final: int) -> None:
    """The chain as normalize has it: each block with the raw offset of its append, and its state."""
    for block, offset, state in chain:
        conn.execute(
            "INSERT INTO ingest.blocks (network, number, hash, parent, time, state, final, proof, raw_offset)"
            " VALUES (%s, %s, %s, '', to_timestamp(%s), %s, %s, 'receipts', %s)",
            (NETWORK, block.number, block.hash, block.time, state, block.number <= final, offset),
        )
    conn.execute("UPDATE ingest.heads SET finalized = %s, unfinal_from = %s", (final, final + 1))


async def test_what_not_every_partition_has_applied_is_cut_and_what_no_chain_names_is_taken_back(
    config: Config, make_ledger: MakeLedger
) -> None:
    log, ledger = Log(partitions=2), await make_ledger(partitions=2)
    blocks = {n: Block(n, [Event(tx=f"t{n}", token=n, target="alice")]) for n in (1, 2, 3, 4)}
    fallen, ahead = Block(5, [Event(tx="old", token=5, target="bob")]), Block(5, [Event(tx="new", token=5)], fork="b")
    for block in (*blocks.values(), fallen):
        log.append(block)
        log.watermark(partition=1)  # the other partition has read as far
    await ledger.read(log)
    topic = Topics(config.topic_prefix).raw(NETWORK)
    (applied,) = {row[0] for row in rows(config, "SELECT min(position) FROM system.partition_head")}

    log.chain = [*blocks.values(), ahead]
    normalized(config, log, (1, 3), (4, 5), position=READ_TO - 1)
    jobs = {f"follow:{NETWORK}": 6, f"range:{NETWORK}:1-4": 5, f"range:{NETWORK}:3-3": 4, f"range:{NETWORK}:3-": 9}
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        offsets = {1: 1, 2: applied + 1, 3: 3, 4: 4}
        chain = [(blocks[n], offset, "canonical") for n, offset in offsets.items()]
        committed(conn, [*chain, (ahead, applied + 2, "canonical"), (fallen, 5, "reverted")], 3)
        consumer = "INSERT INTO system.partition_owner (consumer, topic, partition, next_offset) VALUES (%s, %s, 0, %s)"
        conn.execute(consumer, ("normalize", topic, READ_TO))
        lease = "INSERT INTO ingest.leases (network, claim_offset, topic_id, owner) VALUES (%s, 2, 't', 'o')"
        conn.execute(lease, (NETWORK,))
        job = "INSERT INTO system.sync_cursors (job, network, next_height) VALUES (%s, %s, %s)"
        conn.cursor().executemany(job, [(name, NETWORK, height) for name, height in jobs.items()])

        cut = lost.store(config, conn, Begun(kind="lost", command="ft reannounce"), 2)
        taken = lost.taken_back(conn)

    assert cut == lost.Cut(blocks=2, taken_back=2)
    assert [(each.number, each.hash, list(each.partitions)) for each in taken[NETWORK]] == [
        (5, fallen.hash, [0]), (2, blocks[2].hash, [0])
    ]  # fmt: skip
    assert rows(config, "SELECT number FROM ingest.blocks WHERE state = 'canonical' ORDER BY 1") == [(1,), (3,), (4,)]
    assert rows(config, "SELECT number, hash FROM ingest.blocks WHERE state = 'reverted' ORDER BY 1") == [
        (2, blocks[2].hash), (5, fallen.hash)
    ]  # fmt: skip
    assert rows(config, 'SELECT "from", "to" FROM ingest.coverage ORDER BY 1') == [(1, 1), (3, 3), (4, 4)]
    assert rows(config, "SELECT head_number, finalized, unfinal_from, position FROM ingest.heads") == [
        (4, 3, 4, READ_TO + 1)
    ]
    assert rows(config, "SELECT height, final, raw_offset FROM ingest.tail ORDER BY 1") == [
        (3, True, 3),
        (4, False, None),
    ]
    assert dict(rows(config, "SELECT job, next_height FROM system.sync_cursors")) == {
        f"follow:{NETWORK}": 5, f"range:{NETWORK}:1-4": 2, f"range:{NETWORK}:3-3": 4, f"range:{NETWORK}:3-": 5
    }  # fmt: skip
    owned = "SELECT consumer, next_offset, epoch >= 10000, topic_id FROM system.partition_owner ORDER BY 1, partition"
    assert rows(config, owned) == [
        ("ledger", 0, True, ""), ("ledger", 0, True, ""), ("normalize", READ_TO + 2, True, "")
    ]  # fmt: skip
    ends = dict(rows(config, "SELECT partition, max(seq) FROM ledger.events GROUP BY partition"))
    assert rows(config, "SELECT generation, parent, began_at FROM system.generations") == [
        (1, 0, [ends.get(partition, 0) for partition in (0, 1)])
    ]
